#include "text.h"

#include <string.h>
#include <sys/sysmacros.h>

struct text text_in(char *buffer, size_t size)
{
	buffer[0] = '\0';
	return (struct text){.bytes = buffer, .size = size};
}

void text_put(struct text *text, const char *bytes, size_t size)
{
	size_t room = text->size - 1 - text->used;

	if (size > room) {
		size = room;
		text->cut = true;
	}
	memcpy(text->bytes + text->used, bytes, size);
	text->used += size;
	text->bytes[text->used] = '\0';
}

void text_end_line(struct text *text)
{
	if (text->used > 0 && text->bytes[text->used - 1] != '\n')
		text_put(text, "\n", 1);
}

static void put_to_text(void *to, const char *bytes, size_t size)
{
	text_put(to, bytes, size);
}

void text_vformat(struct text *text, const char *format, va_list values)
{
	format_pieces(put_to_text, text, format, values);
}

void text_format(struct text *text, const char *format, ...)
{
	va_list values;

	va_start(values, format);
	text_vformat(text, format, values);
	va_end(values);
}

void text_put_hex(struct text *text, unsigned value, unsigned digits)
{
	for (unsigned digit = 4; digit-- > 0;) {
		unsigned left = value >> digit * 4;

		if (left > 0 || digit < digits)
			text_put(text, &"0123456789abcdef"[left & 15], 1);
	}
}

bool text_print(char *buffer, size_t size, const char *format, ...)
{
	struct text text = text_in(buffer, size);
	va_list values;

	va_start(values, format);
	text_vformat(&text, format, values);
	va_end(values);
	return !text.cut;
}

size_t format_number(char *digits, uint64_t value, bool is_signed)
{
	char buffer[DIGITS_MAX];
	char *end = buffer + sizeof(buffer);
	char *first = end;
	bool negative = is_signed && (int64_t)value < 0;

	if (negative)
		value = 0 - value;
	do
		*--first = (char)('0' + value % 10);
	while (value /= 10);
	if (negative)
		*--first = '-';
	memcpy(digits, first, (size_t)(end - first));
	return (size_t)(end - first);
}

void format_pieces(void (*put)(void *to, const char *bytes, size_t size), void *to,
	const char *format, va_list values)
{
	while (*format) {
		char digits[DIGITS_MAX];
		const char *piece = format;
		size_t size = strcspn(format, "%");
		size_t most = SIZE_MAX; /* of a string, the number for a * */
		bool is_long;
		int64_t value;

		format += size;
		if (size > 0) {
			put(to, piece, size);
			continue;
		}
		do {
			if (*++format == '.')
				format++;
			is_long = *format == 'l';
			if (is_long)
				format += 2;
			if (*format == 's')
				value = (intptr_t)va_arg(values, const char *);
			else
				value = is_long ? va_arg(values, long long) : va_arg(values, int);
			if (*format == '*')
				most = (size_t)value;
		} while (*format == '*');
		if (*format == 's') {
			piece = (const char *)(intptr_t)value;
			size = most == SIZE_MAX ? strlen(piece) : most;
		} else if (*format == 'c') {
			piece = digits;
			*digits = (char)value;
			size = 1;
		} else {
			if (*format == 'u' && !is_long)
				value = (unsigned)value;
			size = format_number(digits, (uint64_t)value, *format == 'd');
			piece = digits;
		}
		format++;
		if (size > 0)
			put(to, piece, size);
	}
}

const char *parse_digits(const char *text, const char *end, uint64_t *value)
{
	const char *at = text;
	uint64_t sum = 0;

	for (; at != end && *at >= '0' && *at <= '9'; at++) {
		if (__builtin_mul_overflow(sum, 10u, &sum) ||
			__builtin_add_overflow(sum, (unsigned)(*at - '0'), &sum))
			return NULL;
	}
	*value = sum;
	return at == text ? NULL : at;
}

const char *parse_unsigned(const char *text, uint64_t *value)
{
	return parse_digits(text, NULL, value);
}

bool parse_device(const char *text, dev_t *number)
{
	uint64_t first, second;
	const char *at = parse_unsigned(text, &first);

	if (!at || *at != ':' || !parse_unsigned(at + 1, &second))
		return false;
	*number = makedev((unsigned)first, (unsigned)second);
	return true;
}

const char *parse_hex(const char *text, const char *end, uint64_t *value)
{
	const char *at = text;
	uint64_t sum = 0;

	for (; at != end; at++) {
		unsigned digit = (unsigned)*at - '0';

		if (digit > 9) {
			unsigned letter = ((unsigned)*at | 0x20) - 'a';

			if (letter > 5)
				break;
			digit = letter + 10;
		}
		if (sum >> 60)
			return NULL;
		sum = sum << 4 | digit;
	}
	*value = sum;
	return at == text ? NULL : at;
}

struct character decode_utf8(const char *at, const char *end)
{
	uint8_t lead = (uint8_t)*at;
	uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
	uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
	unsigned more = lead < 0x80 ? 0 : lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
	int32_t code = lead;

	if (more > 0) {
		if (lead < 0xC2 || lead > 0xF4)
			return (struct character){at, -1};
		code &= 0x3F >> more;
	}
	for (at++; more > 0; more--, at++) {
		if (at == end || (uint8_t)*at < low || (uint8_t)*at > high)
			return (struct character){at, -1};
		code = code << 6 | (*at & 0x3F);
		low = 0x80;
		high = 0xBF;
	}
	return (struct character){at, code};
}

bool text_is(const char *bytes, size_t size, const char *other)
{
	for (; size > 0; size--) {
		if (*other == '\0' || *bytes++ != *other++)
			return false;
	}
	return *other == '\0';
}

bool text_equals(const char *text, const char *other)
{
	return strcmp(text, other) == 0;
}

const char *text_after(const char *text, const char *prefix)
{
	for (; *prefix; prefix++) {
		if (*text++ != *prefix)
			return NULL;
	}
	return text;
}

int text_find_word(const char *list, const char *stops, const char *word, size_t size)
{
	for (int position = 0;; position++) {
		size_t item = strcspn(list, stops);

		if (item == size && memcmp(list, word, size) == 0)
			return position;
		list += item;
		if (*list++ != *stops)
			return -1;
	}
}
