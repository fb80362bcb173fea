/* Numbers in ascending order, each once, although they are found in any order, some of them more
 * than once, and there is no room to keep them all. */
#ifndef ASCENDING_H
#define ASCENDING_H

#include <stdint.h>

/* Of the scratch buffer, at its end: what find and tell must leave alone. */
#define ASCENDING_SIZE 4096

/* Tell every number that find finds, by calling ascending_found. find is called at least once, and
 * again as often as the numbers lie far apart. */
void ascending_each(void (*find)(void), void (*tell)(uint64_t number));

/* One was found. UINT64_MAX is none. */
void ascending_found(uint64_t number);

#endif
