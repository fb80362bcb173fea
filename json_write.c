#include <string.h>

#include "base64.h"
#include "json.h"
#include "json_grammar.h"
#include "pages.h"
#include "text.h"

#define REPLACEMENT 0xFFFD

void json_writer_init(struct json_writer *writer, char *buffer, size_t capacity,
	bool (*flush)(void *to, const char *bytes, size_t size), void *to)
{
	*writer = (struct json_writer){
		.buffer = buffer,
		.capacity = (uint32_t)capacity,
		.flush = flush,
		.to = to,
	};
}

void json_writer_reset(struct json_writer *writer)
{
	writer->used = 0;
	writer->flushed = false;
	writer->closed = false;
	writer->comma = false;
	writer->carried = 0;
}

bool json_writer_rewind(struct json_writer *writer)
{
	if (!writer->flushed)
		json_writer_reset(writer);
	return !writer->flushed;
}

void json_writer_flush(struct json_writer *writer)
{
	if (writer->used == 0)
		return;
	if (writer->touched < writer->used)
		writer->touched = writer->used;
	if (!writer->closed)
		writer->closed = !writer->flush(writer->to, writer->buffer, writer->used);
	writer->flushed = true;
	writer->used = 0;
}

void json_writer_release(struct json_writer *writer)
{
	pages_release(writer->buffer, writer->touched);
	writer->touched = 0;
}

void json_put_raw(struct json_writer *writer, const char *bytes, size_t size)
{
	while (size > 0) {
		size_t part = writer->capacity - writer->used;

		if (part > size)
			part = size;
		memcpy(writer->buffer + writer->used, bytes, part);
		writer->used += (uint32_t)part;
		bytes += part;
		size -= part;
		if (writer->used == writer->capacity)
			json_writer_flush(writer);
	}
}

/* Begin a value, with the comma before it. */
static void begin_value(struct json_writer *writer, const char *bytes, size_t size)
{
	if (writer->comma)
		json_put_raw(writer, ", ", 2);
	writer->comma = true;
	json_put_raw(writer, bytes, size);
}

void json_begin(struct json_writer *writer, char bracket)
{
	begin_value(writer, &bracket, 1);
	writer->comma = false;
}

void json_end(struct json_writer *writer, char bracket)
{
	json_put_raw(writer, &bracket, 1);
	writer->comma = true;
}

static void end_key(struct json_writer *writer)
{
	json_put_raw(writer, ": ", 2);
	writer->comma = false;
}

void json_put_key(struct json_writer *writer, const char *key)
{
	json_put_string(writer, key, strlen(key));
	end_key(writer);
}

static void put_number(struct json_writer *writer, uint64_t value, bool is_signed)
{
	char digits[DIGITS_MAX];

	begin_value(writer, digits, format_number(digits, value, is_signed));
}

void json_put_int(struct json_writer *writer, int64_t value)
{
	put_number(writer, (uint64_t)value, true);
}

void json_put_uint(struct json_writer *writer, uint64_t value)
{
	put_number(writer, value, false);
}

void json_put_bool(struct json_writer *writer, bool value)
{
	begin_value(writer, json_words[JSON_FALSE + value], value ? 4 : 5);
}

void json_put_fixed(struct json_writer *writer, uint64_t value, unsigned decimals)
{
	char digits[DIGITS_MAX + 2];
	char *end = digits + sizeof(digits);
	char *first = end;

	do {
		if ((size_t)(end - first) == decimals)
			*--first = '.';
		*--first = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0 || (size_t)(end - first) <= decimals + 1);
	begin_value(writer, first, (size_t)(end - first));
}

/* A unit of UTF-16 as an escape. */
static void put_escape(struct json_writer *writer, unsigned unit)
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
	json_put_raw(writer, escape, size);
}

void json_put_characters(struct json_writer *writer, const char *bytes, size_t size)
{
	const char *end = bytes + size;

	while (bytes < end) {
		const char *from = bytes;
		struct character next;

		while (bytes < end && *bytes >= ' ' && *bytes < 0x7F && *bytes != '"' &&
			*bytes != '\\')
			bytes++;
		json_put_raw(writer, from, (size_t)(bytes - from));
		if (bytes == end)
			return;
		next = decode_utf8(bytes, end);
		if (next.code < 0)
			next = (struct character){bytes + 1, REPLACEMENT};
		if (next.code >= 0x10000) {
			put_escape(writer, 0xD800 + ((unsigned)(next.code - 0x10000) >> 10));
			next.code = 0xDC00 | (next.code & 0x3FF);
		}
		put_escape(writer, (unsigned)next.code);
		bytes = next.at;
	}
}

void json_begin_string(struct json_writer *writer)
{
	begin_value(writer, "\"", 1);
}

void json_end_string(struct json_writer *writer)
{
	json_put_raw(writer, "\"", 1);
}

void json_put_string(struct json_writer *writer, const char *bytes, size_t size)
{
	json_begin_string(writer);
	json_put_characters(writer, bytes, size);
	json_end_string(writer);
}

static void put_piece(void *to, const char *bytes, size_t size)
{
	json_put_characters(to, bytes, size);
}

void json_put_vformat(struct json_writer *writer, const char *format, va_list values)
{
	json_begin_string(writer);
	format_pieces(put_piece, writer, format, values);
	json_end_string(writer);
}

/* Encode size bytes where the buffer has room for all of them. */
static void put_groups(struct json_writer *writer, const uint8_t *bytes, size_t size)
{
	writer->used += (uint32_t)base64_encode(writer->buffer + writer->used, bytes, size);
}

void json_put_base64(struct json_writer *writer, const void *data, size_t size)
{
	const uint8_t *bytes = data;

	while (size > 0) {
		size_t part;

		if (writer->capacity - writer->used < 4)
			json_writer_flush(writer);
		part = (writer->capacity - writer->used) / 4 * 3;
		if (writer->carried == 0 && size >= 3) {
			if (part > size)
				part = size / 3 * 3;
			put_groups(writer, bytes, part);
			bytes += part;
			size -= part;
			continue;
		}
		writer->carry[writer->carried++] = *bytes++;
		size--;
		if (writer->carried == 3) {
			put_groups(writer, writer->carry, 3);
			writer->carried = 0;
		}
	}
}

void json_end_base64(struct json_writer *writer)
{
	if (writer->capacity - writer->used < 4)
		json_writer_flush(writer);
	put_groups(writer, writer->carry, writer->carried);
	writer->carried = 0;
	json_end_string(writer);
}

void json_put_value(struct json_writer *writer, const struct json_reader *reader, uint32_t token)
{
	const struct json_token *value = &reader->tokens[token];
	const struct json_token *end = &reader->tokens[value->next];
	const struct json_token *container = value; /* the innermost open one, once open > 0 */
	unsigned open = 0;

	while (value < end) {
		const char *text = reader->text + value->at;
		size_t size = value->size;

		if (value->type >= JSON_ARRAY) {
			json_begin(writer, "[{"[value->type - JSON_ARRAY]);
			container = value;
			open++;
		} else if (value->type >= JSON_STRING) {
			json_put_string(writer, text, size);
			if (value->type == JSON_KEY)
				end_key(writer);
		} else {
			if (value->type != JSON_NUMBER) {
				text = json_words[value->type];
				size = strlen(text);
			}
			begin_value(writer, text, size);
		}
		value++;
		for (; open > 0 && &reader->tokens[container->next] == value; open--) {
			json_end(writer, "]}"[container->type - JSON_ARRAY]);
			container = &reader->tokens[container->at];
		}
	}
}

void json_member_int(struct json_writer *writer, const char *key, int64_t value)
{
	json_put_key(writer, key);
	json_put_int(writer, value);
}

void json_member_uint(struct json_writer *writer, const char *key, uint64_t value)
{
	json_put_key(writer, key);
	json_put_uint(writer, value);
}

void json_member_bool(struct json_writer *writer, const char *key, bool value)
{
	json_put_key(writer, key);
	json_put_bool(writer, value);
}

void json_member_text(struct json_writer *writer, const char *key, const char *value)
{
	json_put_key(writer, key);
	json_put_string(writer, value, strlen(value));
}
