/* Numbers that have names. */
#ifndef FIGURES_H
#define FIGURES_H

#include <stdint.h>

/* Write count figures as members of a JSON object. Their names stand behind one another, each with
 * a NUL at its end. */
void figures_put(const char *names, const uint64_t *figures, unsigned count);

#endif
