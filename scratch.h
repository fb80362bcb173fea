/* One buffer for whoever handles bulk data just now: nobody may count on it across a turn of the
 * loop, nor across a write to a reply, which may take one. */
#ifndef SCRATCH_H
#define SCRATCH_H

#include <stddef.h>

/* 48 KiB become 64 KiB of base64, and three bytes at a time divide it evenly. */
#define SCRATCH_SIZE 49152

#define SCRATCH_SPACE 65536 /* as pages.h wants it */
extern char scratch[SCRATCH_SPACE];

/* Done with size bytes of it: the pages that a large use touched go back. */
void scratch_release(size_t size);

#endif
