/* Bytes built in a bounded buffer, and the one formatter of the agent.
 *
 * The formats are a subset of printf's: %s %.*s %c %d %u %lld %llu. Nothing here allocates or knows
 * a locale.
 */
#ifndef TEXT_H
#define TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A string being built. bytes always ends in a NUL that used does not count. */
struct text {
	char *bytes;
	size_t size; /* of the buffer, at least 1 */
	size_t used;
	bool cut; /* something did not fit and was left out */
};

/* An empty text in a buffer of size bytes (at least 1). */
struct text text_in(char *buffer, size_t size);

/* Append; what does not fit is left out and cut is set. */
void text_put(struct text *text, const char *bytes, size_t size);
void text_format(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_vformat(struct text *text, const char *format, va_list values);

/* Append a number of 16 bits in hexadecimal, with this many digits at least. */
void text_put_hex(struct text *text, unsigned value, unsigned digits);

/* End its last line, if there is one that has no newline. */
void text_end_line(struct text *text);

/* One call: build buffer from format. Returns false if it was cut. */
bool text_print(char *buffer, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Run format and hand every piece to put. The pieces together are the text; none is empty. */
void format_pieces(void (*put)(void *to, const char *bytes, size_t size), void *to,
	const char *format, va_list values);

#define DIGITS_MAX 20 /* of 18446744073709551615 and of -9223372036854775808 */

/* Write value in decimal to digits (not terminated); returns how many, at most DIGITS_MAX. */
size_t format_number(char *digits, uint64_t value, bool is_signed);

/* Read decimal digits up to end or another byte, at least one. Returns the position behind them,
 * or NULL if there is none or the number exceeds 64 bits. */
const char *parse_digits(const char *text, const char *end, uint64_t *value);
/* The same where another byte follows. */
const char *parse_unsigned(const char *text, uint64_t *value);

/* Read a device's number as the kernel writes it, MAJOR:MINOR; what follows is not looked at. */
bool parse_device(const char *text, dev_t *number);
/* The same with hexadecimal digits. */
const char *parse_hex(const char *text, const char *end, uint64_t *value);

/* A character that was read, or -1, and where: behind it, or where it went wrong. */
struct character {
	const char *at;
	int32_t code;
};

/* Decode the character whose first byte is at at; end may cut it off. */
struct character decode_utf8(const char *at, const char *end);

/* Are these size bytes the text other? */
bool text_is(const char *bytes, size_t size, const char *other);
/* Is text the same as other, a string literal or the like? */
bool text_equals(const char *text, const char *other);
/* The rest of text behind prefix, or NULL if it does not begin so. */
const char *text_after(const char *text, const char *prefix);
/* The position, from 0, of a word of size bytes in a list, or -1. The first of stops stands between
 * the words; any of them, or a NUL, ends the list. */
int text_find_word(const char *list, const char *stops, const char *word, size_t size);

#endif
