/* Programs that a command waits for. */
#ifndef CHILD_H
#define CHILD_H

#include <stddef.h>

/* Run the program words[0], a path, with these words and the agent's environment in a session of
 * its own, and turn the loop until it has ended. Its stdin is empty; the beginning of what it
 * says on stdout and stderr, without newlines at its end, goes to output (size bytes, at least 1)
 * and ends in a NUL. Returns the status as wait(2) has it, or -1 with errno if it could not be
 * started. */
int child_run(const char *const words[], char *output, size_t size);

#endif
