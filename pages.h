/* Memory that requests touched goes back to the kernel once the agent is idle. */
#ifndef PAGES_H
#define PAGES_H

#include <stdbool.h>
#include <stddef.h>

/* Arrays that are released have this alignment, and a size that is a multiple of it. */
#if defined(__x86_64__) || defined(__i386__)
#define PAGES_ALIGNMENT 4096
#else
#define PAGES_ALIGNMENT 65536 /* the largest page of the architectures Linux has */
#endif

/* Buffers that few requests use stand together, so that what is always in use takes few pages. */
#define PAGES_SELDOM _Alignas(64)

/* Code that runs between two requests stands together, so that all other can be given up. */
#define PAGES_IDLE_CODE __attribute__((section(".text.hot.idle"), noinline))

/* The first size bytes of the array at begin are of no more use: at the next pages_give_back they
 * are lost, and read as zeros afterwards. At most 12 arrays. */
void pages_release(void *begin, size_t size);
/* The array is in use again: what was released of it stays. */
void pages_keep(void *begin);

/* Would giving back what was released, and taking it again, cost more than a small request? */
bool pages_many(void);

/* Give back what was released. */
void pages_give_back(void);

/* In the static release, give back the unused part of the stack, and the program's own pages but
 * for those with the idle code: the kernel brings them again, many at a time. */
void pages_give_back_program(void);

#endif
