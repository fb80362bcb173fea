#include <string.h>

#include "base64.h"
#include "json.h"
#include "json_grammar.h"
#include "pages.h"
#include "text.h"

#define REPLACEMENT 0xFFFD

struct json_writer json_writer;

void json_writer_init(char *buffer, size_t capacity, bool (*flush)(const char *bytes, size_t size))
{
	json_writer = (struct json_writer){
		.buffer = buffer,
		.capacity = (uint32_t)capacity,
		.flush = flush,
	};
}

void json_writer_reset(void)
{
	json_writer.used = 0;
	json_writer.flushed = false;
	json_writer.closed = false;
	json_writer.comma = false;
	json_writer.carried = 0;
}

bool json_writer_rewind(void)
{
	if (!json_writer.flushed)
		json_writer_reset();
	return !json_writer.flushed;
}

void json_writer_flush(void)
{
	if (json_writer.used == 0)
		return;
	if (json_writer.touched < json_writer.used)
		json_writer.touched = json_writer.used;
	if (!json_writer.closed)
		json_writer.closed = !json_writer.flush(json_writer.buffer, json_writer.used);
	json_writer.flushed = true;
	json_writer.used = 0;
}

void json_writer_release(void)
{
	pages_release(json_writer.buffer, json_writer.touched);
	json_writer.touched = 0;
}

void json_put_raw(const char *bytes, size_t size)
{
	while (size > 0) {
		size_t part = json_writer.capacity - json_writer.used;

		if (part > size)
			part = size;
		memcpy(json_writer.buffer + json_writer.used, bytes, part);
		json_writer.used += (uint32_t)part;
		bytes += part;
		size -= part;
		if (json_writer.used == json_writer.capacity)
			json_writer_flush();
	}
}

/* Begin a value, with the comma before it. */
static void begin_value(const char *bytes, size_t size)
{
	if (json_writer.comma)
		json_put_raw(", ", 2);
	json_writer.comma = true;
	json_put_raw(bytes, size);
}

void json_begin(char bracket)
{
	begin_value(&bracket, 1);
	json_writer.comma = false;
}

void json_end(char bracket)
{
	json_put_raw(&bracket, 1);
	json_writer.comma = true;
}

static void end_key()
{
	json_put_raw(": ", 2);
	json_writer.comma = false;
}

void json_put_key(const char *key)
{
	json_put_text(key);
	end_key();
}

__attribute__((noinline)) static void put_number(uint64_t value, bool is_signed)
{
	char digits[DIGITS_MAX];

	begin_value(digits, format_number(digits, value, is_signed));
}

void json_put_int(int64_t value)
{
	put_number((uint64_t)value, true);
}

void json_put_uint(uint64_t value)
{
	put_number(value, false);
}

void json_put_bool(bool value)
{
	begin_value(value ? "true" : "false", value ? 4 : 5);
}

void json_put_decimal(uint64_t value, unsigned digits)
{
	char fraction[DIGITS_MAX];
	char *first = fraction + sizeof(fraction);

	for (unsigned i = 0; i < digits; i++, value /= 10)
		*--first = (char)('0' + value % 10);
	*--first = '.';
	json_put_uint(value);
	json_put_raw(first, digits + 1);
}

/* A unit of UTF-16 as an escape. */
static void put_escape(unsigned unit)
{
	unsigned meant = unit;
	char escape[6] = "\\u";
	size_t size = sizeof(escape);

	for (unsigned i = 6; i-- > 2; unit >>= 4)
		escape[i] = "0123456789ABCDEF"[unit & 15];
	for (unsigned i = 0; i < JSON_ESCAPES; i++) {
		if (meant == (uint8_t)json_escape_meanings[i]) {
			escape[1] = json_escape_letters[i];
			size = 2;
		}
	}
	json_put_raw(escape, size);
}

void json_put_characters(const char *bytes, size_t size)
{
	const char *end = bytes + size;

	while (bytes < end) {
		const char *from = bytes;
		struct character next;

		while (bytes < end && *bytes >= ' ' && *bytes < 0x7F && *bytes != '"' &&
			*bytes != '\\')
			bytes++;
		json_put_raw(from, (size_t)(bytes - from));
		if (bytes == end)
			return;
		next = decode_utf8(bytes, end);
		if (next.code < 0)
			next = (struct character){bytes + 1, REPLACEMENT};
		if (next.code >= 0x10000) {
			put_escape(0xD800 + ((unsigned)(next.code - 0x10000) >> 10));
			next.code = 0xDC00 | (next.code & 0x3FF);
		}
		put_escape((unsigned)next.code);
		bytes = next.at;
	}
}

void json_put_string(const char *bytes, size_t size)
{
	json_begin_string();
	json_put_characters(bytes, size);
	json_end_string();
}

void json_put_text(const char *text)
{
	json_put_string(text, strlen(text));
}

static void put_piece(void *to, const char *bytes, size_t size)
{
	(void)to;
	json_put_characters(bytes, size);
}

void json_put_vformat(const char *format, va_list values)
{
	json_begin_string();
	format_pieces(put_piece, NULL, format, values);
	json_end_string();
}

/* Encode size bytes where the buffer has room for all of them. */
static void put_groups(const uint8_t *bytes, size_t size)
{
	json_writer.used +=
		(uint32_t)base64_encode(json_writer.buffer + json_writer.used, bytes, size);
}

void json_put_base64(const void *data, size_t size)
{
	const uint8_t *bytes = data;

	while (size > 0) {
		size_t part;

		if (json_writer.capacity - json_writer.used < 4)
			json_writer_flush();
		part = (json_writer.capacity - json_writer.used) / 4 * 3;
		if (json_writer.carried == 0 && size >= 3) {
			if (part > size)
				part = size / 3 * 3;
			put_groups(bytes, part);
			bytes += part;
			size -= part;
			continue;
		}
		json_writer.carry[json_writer.carried++] = *bytes++;
		size--;
		if (json_writer.carried == 3) {
			put_groups(json_writer.carry, 3);
			json_writer.carried = 0;
		}
	}
}

void json_end_base64(void)
{
	if (json_writer.capacity - json_writer.used < 4)
		json_writer_flush();
	put_groups(json_writer.carry, json_writer.carried);
	json_writer.carried = 0;
	json_end_string();
}

void json_put_value(const struct json_token *value)
{
	char bracket = value->type == JSON_ARRAY ? '[' : '{';
	const struct json_token *item = value + 1;

	if (value->type < JSON_STRING) {
		begin_value(value->text, value->size);
	} else if (value->type < JSON_ARRAY) {
		json_put_string(value->text, value->size);
		if (value->type == JSON_KEY)
			end_key();
	} else {
		json_begin(bracket);
		while (item < value + value->span) {
			json_put_value(item);
			item += item->type == JSON_KEY ? 1 : item->span;
		}
		json_end((char)(bracket + 2));
	}
}

void json_member_int(const char *key, int64_t value)
{
	json_put_key(key);
	json_put_int(value);
}

void json_member_uint(const char *key, uint64_t value)
{
	json_put_key(key);
	json_put_uint(value);
}

void json_member_bool(const char *key, bool value)
{
	json_put_key(key);
	json_put_bool(value);
}

void json_member_text(const char *key, const char *value)
{
	json_put_key(key);
	json_put_text(value);
}
