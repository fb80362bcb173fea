/* The JSON reader: what is a value and what an error, where reading goes on after an error, and
 * that it does not matter how the input is cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "tests/writer.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

#define TEXT_SIZE (64 << 10)
#define TOKENS_MAX 10000

static _Alignas(PAGES_ALIGNMENT) char text[TEXT_SIZE];
static _Alignas(PAGES_ALIGNMENT) struct json_token tokens[TOKENS_MAX];
static struct json_reader reader;

static void start(size_t text_size, uint32_t token_count)
{
	json_reader_init(&reader, text, text_size, tokens, token_count);
}

/* What was read: a line a value, as it is written, or an error: ! but for those of limits. */
static char trace[TEXT_SIZE];
static size_t traced;
static uint32_t last_limit; /* that the last error named */

static void note(const char *bytes, size_t size)
{
	assert_true(traced + size < sizeof(trace));
	memcpy(trace + traced, bytes, size);
	traced += size;
	trace[traced] = '\0';
}

static void note_event(enum json_event event)
{
	writer_start(0);
	if (event == JSON_BAD)
		last_limit = reader.limit;
	if (event == JSON_VALUE)
		json_put_value(tokens);
	else if (strstr(reader.error, "parse error"))
		json_put_raw("!", 1);
	else
		json_put_raw(reader.error, strlen(reader.error));
	json_put_raw("\n", 1);
	json_writer_flush();
	note(gathered, gathered_size);
}

/* Feed bytes: as many as part says at first and then, so that BYTE_BY_BYTE is 1, 1. */
static void feed(const char *bytes, size_t size, size_t first, size_t then)
{
	size_t part = first;

	while (size > 0) {
		enum json_event event;
		size_t room;
		char *space = json_reader_space(&reader, &room);

		assert_true(room > 0);
		if (part > room)
			part = room;
		if (part > size)
			part = size;
		memcpy(space, bytes, part);
		json_reader_fill(&reader, part);
		bytes += part;
		size -= part;
		part = then;
		while ((event = json_reader_next(&reader)) != JSON_MORE)
			note_event(event);
	}
}

static void clear_trace(void)
{
	traced = 0;
	trace[0] = '\0';
}

/* Read input at once, byte by byte and cut in two everywhere: each gives the same. */
static void assert_read(const char *input, size_t size, const char *expected)
{
	for (size_t first = 0; first <= size; first++) {
		start(TEXT_SIZE, TOKENS_MAX);
		clear_trace();
		feed(input, size, first ? first : 1, first ? size : 1);
		if (strcmp(trace, expected) != 0)
			fail_msg("%s\ncut at %zu gives\n%s not\n%s", input, first, trace, expected);
	}
}

#define READS(input, expected)                     \
	{                                          \
		input, sizeof(input) - 1, expected \
	}

struct reading {
	const char *input;
	size_t size;
	const char *expected;
};

static void assert_readings(const struct reading *readings, size_t count)
{
	for (size_t i = 0; i < count; i++)
		assert_read(readings[i].input, readings[i].size, readings[i].expected);
}

static void values_are_read(void **state)
{
	static const struct reading readings[] = {
		READS("{}", "{}\n"),
		READS("[]", "[]\n"),
		READS(" \t\r\n[ ] ", "[]\n"),
		READS("{\"a\":{\"b\":[1,[2],{}]},\"c\":null}",
			"{\"a\": {\"b\": [1, [2], {}]}, \"c\": null}\n"),
		READS("[true,false,null]", "[true, false, null]\n"),
		READS("true false null ", "true\nfalse\nnull\n"),
		READS("0 -0 10 -1.50 1e5 1E+05 2.0e-7 ", "0\n-0\n10\n-1.50\n1e5\n1E+05\n2.0e-7\n"),
		READS("[0,-0]", "[0, -0]\n"),
		READS("'a' \"b\" 'c\"' \"d'\"", "\"a\"\n\"b\"\n\"c\\\"\"\n\"d'\"\n"),
		READS("{'a':'b'}{\"\":\"\"}", "{\"a\": \"b\"}\n{\"\": \"\"}\n"),
		READS("1 2", "1\n"),
		READS("[[[[]]],[[]]]", "[[[[]]], [[]]]\n"),
	};

	(void)state;
	assert_readings(readings, LENGTH(readings));
}

static void escapes_are_undone(void **state)
{
	static const struct {
		const char *input;
		const char *bytes;
		size_t size;
	} strings[] = {
		{"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\'\"", "\"\\/\b\f\n\r\t'", 9},
		{"\"\\u0041\\u00e4\\u20AC\"", "A\xC3\xA4\xE2\x82\xAC", 6},
		{"\"\\uD83D\\uDE00\\ud83d\\ude00\"", "\xF0\x9F\x98\x80\xF0\x9F\x98\x80", 8},
		{"\"\\u0000a\\u0000\"", "\0a\0", 3},
		{"\"\\uFFFE\xEF\xBF\xBF\x7F\"", "\xEF\xBF\xBE\xEF\xBF\xBF\x7F", 7},
		{"'\xF0\x90\x80\x80\xF4\x8F\xBF\xBF'", "\xF0\x90\x80\x80\xF4\x8F\xBF\xBF", 8},
		{"'\xED\x9F\xBF\xEE\x80\x80\xE0\xA0\x80\xC2\x80'",
			"\xED\x9F\xBF\xEE\x80\x80\xE0\xA0\x80\xC2\x80", 11},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(strings); i++) {
		for (size_t step = 1; step < 20; step++) {
			start(TEXT_SIZE, TOKENS_MAX);
			feed(strings[i].input, strlen(strings[i].input), step, step);
			assert_int_equal(tokens->size, strings[i].size);
			assert_memory_equal(tokens->text, strings[i].bytes, tokens->size);
			assert_int_equal(tokens->text[tokens->size], '\0');
		}
	}
}

/* Each is one error, and behind a newline the next request is read. */
static void what_is_no_json_is_one_error(void **state)
{
	static const char *const inputs[] = {"{]", "[}", "{\"a\"}", "{\"a\":}", "{\"a\":1,}",
		"[1,]", "[,1]", "{,}", "[1 2]", "{\"a\":1 \"b\":2}", "{1:2}", "{null:1}", "[1:2]",
		"{\"a\":1:2}", "{\"a\",\"b\"}", "{\"a\":1,\"a\":2}", "{\"a\":1,\"\\u0061\":2}",
		"[nul]", "[nulll]", "[True]", "[01]", "[-]", "[-01]", "[1.]", "[.5]", "[1e]",
		"[1e+]", "[+1]", "[1.e5]", "[0x10]", "[1-2]", "[1.2.3]", "[\"\\x\"]",
		"[\"\\u12g4\"]", "[\"\\uD83D\"]", "[\"\\uDE00\"]", "[\"\\uD83D\\u0041\"]",
		"[\"\\uD83D\\n\"]", "[\"\\uD83Dx\"]", "[\"a\x01\"]", "[\"a\x1F\"]", "[\"a\tb\"]",
		"[\"a\nb\"]", "[\"\x80\"]", "[\"\xC0\x80\"]", "[\"\xC1\xBF\"]",
		"[\"\xE0\x9F\xBF\"]", "[\"\xED\xA0\x80\"]", "[\"\xF0\x8F\xBF\xBF\"]",
		"[\"\xF4\x90\x80\x80\"]", "[\"\xF5\x80\x80\x80\"]", "[\"\xE2\x82\"]", "[\"\xC3(\"]",
		"[#]", "[\x01]", "[\x7F]", "[\xC3\xA4]", "]", "}", ",", ":", "x"};
	char input[64];

	(void)state;
	for (size_t i = 0; i < LENGTH(inputs); i++) {
		snprintf(input, sizeof(input), "%s\n{\"ok\":[]}", inputs[i]);
		assert_read(input, strlen(input), "!\n{\"ok\": []}\n");
	}
}

static void reading_goes_on_after_an_error(void **state)
{
	static const struct reading readings[] = {
		/* A wrong order is over where its brackets are closed, whichever closes which. */
		READS("{\"a\" 1}{}", "!\n{}\n"),
		READS("[[1,]] {}", "!\n{}\n"),
		READS("[[1,} {}] {}", "!\n{}\n"),
		READS("[1,]\n]{}", "!\n{}\n"),
		READS("{[\n{\"a\":1}\n]}\n{}", "!\n{}\n"),
		READS("[1,] x 1 true ] } \"{}", "!\n{}\n"),
		/* Brackets in strings are none. */
		READS("[, \"]}\" '{\\'' ] {}", "!\n{}\n"),
		/* Bad text is over there, too, or at a newline, also in a string. */
		READS("{\"execute\":\"guest-pi\n{\"execute\":\"x\"}", "!\n{\"execute\": \"x\"}\n"),
		READS("{\"execute\":\"a\\q\"}{\"execute\":\"x\"}", "!\n{\"execute\": \"x\"}\n"),
		READS("[[#\n{}", "!\n{}\n"),
		READS("[[#] {}] {}", "!\n{}\n"),
		READS("[\"\\q {} \n{}", "!\n{}\n"),
		READS("[, \"\\q\n{}", "!\n{}\n"),
		READS("[, #\n{}", "!\n{}\n"),
		/* What is no JSON at all. */
		READS("GET / HTTP/1.1\r\nHost: x\r\n{}", "!\n{}\n"),
		READS("]]]{}", "!\n{}\n"),
		READS("1 ] {}]{}", "1\n!\n{}\n!\n{}\n"),
	};

	(void)state;
	assert_readings(readings, LENGTH(readings));
}

static void a_reset_drops_what_is_half_read(void **state)
{
	static const char *const halves[] = {"{", "[1,", "[\"a", "[\"a\\", "[\"a\\u00",
		"[\"\xE2\x82", "tru", "-", "12", "{\"a\":", "[[#", "[1,] x", "[, \"", "{\"a\" ["};
	char input[64];

	(void)state;
	for (size_t i = 0; i < LENGTH(halves); i++) {
		size_t size;

		size = (size_t)snprintf(input, sizeof(input), "%s\xFF{\"ok\":1}", halves[i]);
		start(TEXT_SIZE, TOKENS_MAX);
		clear_trace();
		feed(halves[i], strlen(halves[i]), size, size);
		assert_read(input, size, trace[0] ? "!\n{\"ok\": 1}\n" : "{\"ok\": 1}\n");

		clear_trace();
		start(TEXT_SIZE, TOKENS_MAX);
		feed(halves[i], strlen(halves[i]), 1, 1);
		json_reader_reset(&reader);
		assert_false(json_reader_busy(&reader));
		clear_trace();
		feed("{\"ok\":1}", 8, 8, 8);
		assert_string_equal(trace, "{\"ok\": 1}\n");
	}
}

static void assert_limit(const char *input, size_t size, const char *expected)
{
	static const size_t steps[] = {1, 7, TEXT_SIZE};

	for (size_t i = 0; i < LENGTH(steps); i++) {
		clear_trace();
		feed(input, size, steps[i], steps[i]);
		assert_string_equal(trace, expected);
	}
}

static void nesting_is_limited(void **state)
{
	static char input[2 * JSON_DEPTH_MAX + 4];
	unsigned depth = JSON_DEPTH_MAX;

	(void)state;
	start(TEXT_SIZE, TOKENS_MAX);
	memset(input, '[', depth);
	memset(input + depth, ']', depth);
	clear_trace();
	feed(input, 2 * depth, 1, 1);
	assert_int_equal(traced, 2 * depth + 1);
	depth++;
	memset(input, '[', depth);
	memset(input + depth, ']', depth);
	input[2 * depth] = '1';
	input[2 * depth + 1] = ' ';
	memcpy(input + 2 * depth, "{}", 2);
	assert_limit(input, 2 * depth + 2, "JSON nesting depth limit exceeded\n{}\n");
}

static void tokens_are_limited(void **state)
{
	static char input[JSON_KEYS_MAX * 12];
	size_t size = 1;

	(void)state;
	start(TEXT_SIZE, 5);
	assert_limit("[1,2,3,4]{}", 11, "[1, 2, 3, 4]\n{}\n");
	assert_limit("[1,2,3,4,5,[6]]{}", 17, "JSON token count limit exceeded\n{}\n");
	start(TEXT_SIZE, TOKENS_MAX);
	input[0] = '{';
	for (unsigned key = 0; key <= JSON_KEYS_MAX; key++)
		size += (size_t)snprintf(input + size, sizeof(input) - size, "'%u':0,", key);
	memcpy(input + size - 1, "}{}", 3);
	assert_limit(input, size + 2, "JSON token count limit exceeded\n{}\n");
}

static void a_request_is_limited_without_its_white_space(void **state)
{
	static char input[1000];
	(void)state;
	start(64 + JSON_SLACK, 16);
	memset(input, ' ', sizeof(input));
	input[0] = '[';
	memcpy(input + 500, "'a','b'", 7);
	memcpy(input + sizeof(input) - 3, "]{}", 3);
	assert_limit(input, sizeof(input), "[\"a\", \"b\"]\n{}\n");
	memset(input + 1, 'x', 200);
	input[1] = input[200] = '"';
	assert_limit(
		input, sizeof(input), "JSON token size limit exceeded: at most %u bytes\n{}\n");
	assert_int_equal(last_limit, 64);
}

static void integers_have_64_bits(void **state)
{
	static const struct {
		const char *text;
		bool is_int;
		bool is_uint;
		uint64_t value;
	} numbers[] = {
		{"0", true, true, 0},
		{"-0", true, false, 0},
		{"-1", true, false, UINT64_MAX},
		{"9223372036854775807", true, true, INT64_MAX},
		{"9223372036854775808", false, true, (uint64_t)INT64_MAX + 1},
		{"-9223372036854775808", true, false, (uint64_t)INT64_MAX + 1},
		{"-9223372036854775809", false, false, 0},
		{"18446744073709551615", false, true, UINT64_MAX},
		{"18446744073709551616", false, false, 0},
		{"100000000000000000000000", false, false, 0},
		{"1.0", false, false, 0},
		{"1e2", false, false, 0},
		{"1E2", false, false, 0},
		{"'1'", false, false, 0},
		{"true", false, false, 0},
		{"[1]", false, false, 0},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(numbers); i++) {
		int64_t integer = 0;
		uint64_t natural = 0;

		start(TEXT_SIZE, TOKENS_MAX);
		feed(numbers[i].text, strlen(numbers[i].text), TEXT_SIZE, 1);
		feed("\n", 1, 1, 1);
		if (json_int(tokens, &integer) != numbers[i].is_int ||
			json_uint(tokens, &natural) != numbers[i].is_uint)
			fail_msg("%s is taken for something else", numbers[i].text);
		assert_true(!numbers[i].is_int || (uint64_t)integer == numbers[i].value);
		assert_true(!numbers[i].is_uint || natural == numbers[i].value);
	}
}

static void members_are_found(void **state)
{
	static const char input[] = "{'a':{'b':1},'':2,'a\\u0000':3,'b':[{'a':4}],'\xC3\xA4':5}";
	static const struct {
		const char *name;
		size_t size;
		const char *value;
	} members[] = {{"a", 1, "{\"b\": 1}\n"}, {"", 0, "2\n"}, {"a\0", 2, "3\n"},
		{"b", 1, "[{\"a\": 4}]\n"}, {"\xC3\xA4", 2, "5\n"}};

	(void)state;
	start(TEXT_SIZE, TOKENS_MAX);
	feed(input, sizeof(input) - 1, sizeof(input), 1);
	for (size_t i = 0; i < LENGTH(members); i++) {
		struct json_token *token = json_member(tokens, members[i].name, members[i].size);

		assert_non_null(token);
		assert_int_equal(token[-1].type, JSON_NULL);
		writer_start(0);
		json_put_value(token);
		json_put_raw("\n", 2);
		json_writer_flush();
		assert_string_equal(gathered, members[i].value);
	}
	assert_null(json_member(tokens, "c", 1));
	assert_null(json_member(tokens, "ab", 2));
}

static void memory_goes_back_between_values(void **state)
{
	(void)state;
	start(TEXT_SIZE, TOKENS_MAX);
	clear_trace();
	feed("[1,2", 4, 4, 4);
	assert_true(json_reader_busy(&reader));
	json_reader_release(&reader);
	feed(",3]", 3, 3, 3);
	assert_false(json_reader_busy(&reader));
	json_reader_release(&reader);
	pages_give_back();
	feed("[4]", 3, 3, 3);
	assert_string_equal(trace, "[1, 2, 3]\n[4]\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_read),
		cmocka_unit_test(escapes_are_undone),
		cmocka_unit_test(what_is_no_json_is_one_error),
		cmocka_unit_test(reading_goes_on_after_an_error),
		cmocka_unit_test(a_reset_drops_what_is_half_read),
		cmocka_unit_test(nesting_is_limited),
		cmocka_unit_test(tokens_are_limited),
		cmocka_unit_test(a_request_is_limited_without_its_white_space),
		cmocka_unit_test(integers_have_64_bits),
		cmocka_unit_test(members_are_found),
		cmocka_unit_test(memory_goes_back_between_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
