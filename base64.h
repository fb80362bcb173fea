/* Base64 (RFC 4648, with padding), at the speed of the memory where the processor allows it. */
#ifndef BASE64_H
#define BASE64_H

#include <stddef.h>

#define BASE64_BAD ((size_t)-1)	  /* a foreign character, or one behind the padding */
#define BASE64_SHORT ((size_t)-2) /* the end is missing */

/* How many characters stand for size bytes. */
#define BASE64_SIZE(size) (((size) + 2) / 3 * 4)

/* Encode size bytes into BASE64_SIZE(size) characters; returns how many. Not terminated.
 * to and from must not overlap. */
size_t base64_encode(char *to, const void *from, size_t size);

/* Decode in place: size characters at text become bytes at text; returns how many, or BASE64_BAD
 * or BASE64_SHORT (text is then undefined). Newlines (CR, LF) may stand anywhere. */
size_t base64_decode(char *text, size_t size);

#endif
