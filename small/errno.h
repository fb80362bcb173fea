/* Included before everything in the static release: errno as the variable of small/libc.c, without
 * a call to find it. */
#if defined(__x86_64__) && defined(__LP64__)
#include <errno.h>
#undef errno
#define errno errno_value
extern int errno_value;
#endif
