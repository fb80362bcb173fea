/* The assignments of os-release(5). */
#ifndef OS_RELEASE_H
#define OS_RELEASE_H

#include <stddef.h>

/* Undo the quoting of a shell in value, in place, up to its line's end: quotes, backslashes, and
 * what stands unquoted behind the first blank goes. An open quote is closed by the line's end.
 * Returns the size that is left. */
size_t os_release_unquote(char *value);

/* What text assigns last to the variable that is called as name is in capitals, with underscores
 * for its hyphens; still quoted, to the end of text. NULL if it assigns nothing. */
char *os_release_find(char *text, const char *name);

#endif
