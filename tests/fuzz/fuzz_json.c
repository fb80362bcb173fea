/* Any bytes as JSON. Read in pieces it is the same as read at once, also where the buffers are too
 * small for it. What a value is written as is ASCII, and is the same value when it is read again.
 * And any bytes as the text and the numbers of a value that is written.
 *
 * Covers: json.c json_grammar.c json_write.c
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base64.h"
#include "tests/fuzz/harness.h"
#include "tests/writer.h"

#define INPUT_MAX 8192

/* Room for any input, and hardly any. */
static const struct size {
	size_t text;
	uint32_t tokens;
} sizes[] = {{INPUT_MAX * 16, INPUT_MAX}, {48 + JSON_SLACK, 12}};
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

enum cut { AT_ONCE, IN_BYTES, IN_PIECES };

/* A reader over memory of exactly its size; each size has the same memory every time. */
static struct json_reader reader_of(unsigned size, bool again)
{
	static struct json_token *tokens[2][SIZES];
	static char *texts[2][SIZES];
	struct json_reader reader;

	if (!texts[again][size]) {
		texts[again][size] = malloc(sizes[size].text);
		tokens[again][size] = malloc(sizes[size].tokens * sizeof(struct json_token));
		check(texts[again][size] && tokens[again][size]);
	}
	json_reader_init(&reader, texts[again][size], sizes[size].text, tokens[again][size],
		sizes[size].tokens);
	return reader;
}

/* Read data, cut as it says; a piece in IN_PIECES has as many bytes as its own first byte says. */
static void feed(struct json_reader *reader, const uint8_t *data, size_t size, enum cut cut,
	void (*seen)(const struct json_reader *reader, enum json_event event))
{
	while (size > 0) {
		size_t part = cut == AT_ONCE ? size : cut == IN_BYTES ? 1 : 1 + *data % 19;
		enum json_event event;
		size_t room;
		char *space = json_reader_space(reader, &room);

		check(room > 0);
		if (part > room)
			part = room;
		if (part > size)
			part = size;
		memcpy(space, data, part);
		json_reader_fill(reader, part);
		data += part;
		size -= part;
		while ((event = json_reader_next(reader)) != JSON_MORE)
			seen(reader, event);
	}
}

/* ---- What was read ---- */

static void check_number(const struct json_token *token)
{
	bool is_number = token->type == JSON_NUMBER;
	char text[32] = "";
	int64_t integer = 0;
	uint64_t natural = 0;
	bool is_integer = json_int(token, &integer);
	bool is_natural = json_uint(token, &natural);

	if (is_number && token->size < sizeof(text))
		memcpy(text, token->text, token->size);
	errno = 0;
	check(!is_integer || integer == strtoll(text, NULL, 10));
	is_number = *text && strspn(text, "-0123456789") == token->size;
	check(is_integer == (is_number && (strtoll(text, NULL, 10), errno == 0)));
	errno = 0;
	check(!is_natural || natural == strtoull(text, NULL, 10));
	is_number = is_number && *text != '-';
	check(is_natural == (is_number && (strtoull(text, NULL, 10), errno == 0)));
}

/* Every key is found, and nothing else; of large objects only the first keys are tried. */
static void check_members(struct json_token *object)
{
	struct json_token *key = object + 1;

	check(!json_member(object, "\xFF", 1));
	if (object->type != JSON_OBJECT)
		return;
	for (unsigned tried = 0; key < object + object->span && tried < 40; tried++) {
		check(key->type == JSON_KEY);
		check(json_member(object, key->text, key->size) == key + 1);
		check(key->type == JSON_NULL);
		key->type = JSON_KEY;
		key += 1 + key[1].span;
	}
}

static void check_texts(const struct json_token *token)
{
	if (token->type == JSON_STRING || token->type == JSON_KEY)
		check(token->text[token->size] == '\0');
}

static char written[sizeof(gathered)];
static size_t written_size;
static unsigned values_again;

static void check_again(const struct json_reader *reader, enum json_event event)
{
	check(event == JSON_VALUE);
	values_again++;
	writer_start(0);
	json_put_value(reader->tokens);
	json_writer_flush();
	check(gathered_size == written_size && memcmp(gathered, written, written_size) == 0);
}

/* What was just written must be a value's text behind filled spaces; it is left in written, and
 * the reader that has read it again is returned. */
static struct json_reader read_again(size_t filled)
{
	struct json_reader reader = reader_of(0, true);

	json_writer_flush();
	check(gathered_size > filled);
	written_size = gathered_size - filled;
	memcpy(written, gathered + filled, written_size);
	for (size_t i = 0; i < written_size; i++)
		check(written[i] >= ' ' && written[i] < 0x7F);
	values_again = 0;
	feed(&reader, (const uint8_t *)written, written_size, AT_ONCE, check_again);
	/* A number or a word at the end is only seen to be complete by what follows it. */
	if (values_again == 0)
		feed(&reader, (const uint8_t *)"\n", 1, AT_ONCE, check_again);
	check(values_again == 1);
	return reader;
}

static void check_value(const struct json_reader *reader)
{
	struct json_token *tokens = reader->tokens;
	uint32_t end = tokens[0].span;
	struct json_reader again;

	/* So that the buffer is full somewhere in the value. */
	writer_start(WRITER_CAPACITY - 1 - end % 64);
	json_put_value(reader->tokens);
	again = read_again(WRITER_CAPACITY - 1 - end % 64);
	check(again.tokens[0].span == end);
	for (uint32_t token = 0; token < end; token++) {
		const struct json_token *same = &again.tokens[token];

		check(tokens[token].type == same->type);
		if (tokens[token].type < JSON_ARRAY)
			check(tokens[token].size == same->size &&
				memcmp(tokens[token].text, same->text, same->size) == 0);
		check_number(&tokens[token]);
		check_texts(&tokens[token]);
	}
	for (uint32_t token = 0; token < end; token++)
		check_members(&tokens[token]);
}

/* The events of an input: values as they are written, errors as they are said. */
static struct trace {
	char bytes[INPUT_MAX * 48];
	size_t size;
} traces[3];
static struct trace *trace;

static void append(const char *bytes, size_t size)
{
	check(size <= sizeof(trace->bytes) - trace->size);
	memcpy(trace->bytes + trace->size, bytes, size);
	trace->size += size;
}

static void note(const struct json_reader *reader, enum json_event event)
{
	if (event == JSON_VALUE) {
		check_value(reader);
		append(written, written_size);
	} else {
		append(reader->error, strlen(reader->error));
		append(reader->limit ? "!" : ".", 1);
	}
	append("\n", 1);
}

static unsigned pings;

static void count_pings(const struct json_reader *reader, enum json_event event)
{
	check(event == JSON_VALUE && reader->tokens[0].type == JSON_OBJECT);
	pings++;
}

/* Whatever came, after a reset the next request is read. */
static void check_reset(struct json_reader *reader, enum cut cut)
{
	static const uint8_t request[] = "\xFF{'a':1}";

	pings = 0;
	if (cut == IN_BYTES)
		json_reader_reset(reader);
	feed(reader, request + (cut == IN_BYTES), sizeof(request) - 1 - (cut == IN_BYTES), cut,
		count_pings);
	check(pings == 1);
	(void)json_reader_next(reader);
	check(!json_reader_busy(reader));
	json_reader_release(reader);
}

static void check_reading(const uint8_t *data, size_t size)
{
	for (unsigned i = 0; i < SIZES; i++) {
		for (enum cut cut = AT_ONCE; cut <= IN_PIECES; cut++) {
			struct json_reader reader = reader_of(i, false);

			trace = &traces[cut];
			trace->size = 0;
			feed(&reader, data, size, cut, note);
			json_reader_release(&reader);
			check_reset(&reader, cut);
			check(trace->size == traces[0].size &&
				memcmp(trace->bytes, traces[0].bytes, trace->size) == 0);
		}
	}
}

/* ---- What is written ---- */

static struct json_token *find(const struct json_reader *reader, const char *name)
{
	struct json_token *token = json_member(reader->tokens, name, strlen(name));

	check(token != NULL);
	return token;
}

static void check_text(const struct json_reader *reader, const char *name, const char *expected,
	size_t expected_size)
{
	const struct json_token *token = find(reader, name);

	check(token->size == expected_size && memcmp(token->text, expected, expected_size) == 0);
}

static void check_writing(const uint8_t *data, size_t size)
{
	size_t filled = WRITER_CAPACITY - 1 - size % 128;
	uint64_t number = 0;
	int64_t integer;
	uint64_t natural;
	bool is_ascii = true;
	char *copy = malloc(size + 1);
	char text[64];
	const struct json_token *base64;
	struct json_reader reader;

	check(copy != NULL);
	for (size_t i = 0; i < size; i++)
		is_ascii = is_ascii && data[i] < 0x80;
	memcpy(copy, data, size);
	copy[size] = '\0';
	memcpy(&number, data, size < sizeof(number) ? size : sizeof(number));

	writer_start(filled);
	json_begin('{');
	json_put_key("string");
	json_put_string((const char *)data, size);
	json_put_key("format");
	put_format("%s", copy);
	json_put_key("base64");
	json_begin_base64();
	for (size_t used = 0, part; used < size; used += part) {
		part = 1 + data[used] % 65;
		if (part > size - used)
			part = size - used;
		json_put_base64(data + used, part);
	}
	json_end_base64();
	json_member_int("integer", (int64_t)number);
	json_member_uint("natural", number);
	json_member_bool("odd", number & 1);
	json_member_text("text", copy);
	json_put_key("hundredths");
	json_put_hundredths(number);
	json_end('}');
	reader = read_again(filled);

	check(json_int(find(&reader, "integer"), &integer));
	check(json_uint(find(&reader, "natural"), &natural));
	check((uint64_t)integer == number && natural == number);
	check(find(&reader, "odd")->type == (number & 1 ? JSON_TRUE : JSON_FALSE));
	snprintf(text, sizeof(text), "%llu.%02u", (unsigned long long)(number / 100),
		(unsigned)(number % 100));
	check_text(&reader, "hundredths", text, strlen(text));
	if (is_ascii) {
		check_text(&reader, "string", copy, size);
		check_text(&reader, "format", copy, strlen(copy));
		check_text(&reader, "text", copy, strlen(copy));
	}
	base64 = find(&reader, "base64");
	check(base64_decode(base64->text, base64->size) == size);
	check(memcmp(base64->text, copy, size) == 0);
	free(copy);
}

/* Until the first flush there is a way back; once nobody wants the rest, nothing is flushed. */
static void check_giving_up(const uint8_t *data, size_t size)
{
	writer_start(0);
	flushes_wanted = 0;
	json_begin('[');
	json_put_string((const char *)data, size);
	if (json_writer_rewind()) {
		check(flushes == 0);
		json_put_bool(false);
		json_writer_flush();
		check(gathered_size == 5 && memcmp(gathered, "false", 5) == 0);
	}
	check(flushes == 1);
	json_put_string((const char *)data, size);
	json_writer_flush();
	json_writer_flush();
	check(flushes == 1);
	json_writer_release();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > INPUT_MAX)
		return -1;
	check_reading(data, size);
	check_writing(data, size);
	check_giving_up(data, size);
	return 0;
}
