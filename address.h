/* Addresses of networks and of their hardware, written as everybody does. */
#ifndef ADDRESS_H
#define ADDRESS_H

#include <stddef.h>
#include <stdint.h>

#include "text.h"

#define ADDRESS_TEXT_SIZE 96 /* of hardware of MAX_ADDR_LEN bytes, with a NUL */

/* Append an IPv4 address of 4 bytes, or an IPv6 address of 16, as inet_ntop(3) of glibc writes
 * it: RFC 5952, and the last 32 bits of ::a.b.c.d and ::ffff:a.b.c.d as IPv4. */
void address_put(struct text *text, const uint8_t *bytes, size_t size);

/* Append bytes in hexadecimal, with colons between them. */
void address_put_hardware(struct text *text, const uint8_t *bytes, size_t size);

#endif
