/* One buffer for the handler that runs just now: only one does at a time, and nothing that the loop
 * calls meanwhile uses it. What is in it is lost when the handler returns. */
#ifndef SCRATCH_H
#define SCRATCH_H

#include <stddef.h>

/* 48 KiB become 64 KiB of base64, and three bytes at a time divide it evenly. */
#define SCRATCH_SIZE 49152

/* All of it, as pages.h wants it: more than a child takes as its input. */
#define SCRATCH_SPACE 131072
extern char scratch[SCRATCH_SPACE];

/* Done with size bytes of it: its pages go back. */
void scratch_release(size_t size);

#endif
