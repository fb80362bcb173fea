/* The JSON writer: what values look like, that replies are ASCII, and that it does not matter where
 * its buffer is full. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base64.h"
#include "tests/writer.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* What was written since writer_start(filled) is expected. */
static void assert_written(size_t filled, const char *expected)
{
	json_writer_flush();
	assert_int_equal(gathered_size, filled + strlen(expected));
	assert_memory_equal(gathered + filled, expected, strlen(expected));
}

static void put_everything(void)
{
	json_begin('{');
	json_member_int("int", -1);
	json_member_uint("uint", UINT64_MAX);
	json_member_bool("bool", true);
	json_member_text("text", "caf\xC3\xA9");
	json_put_key("list");
	json_begin('[');
	json_put_int(INT64_MIN);
	json_put_bool(false);
	json_begin('[');
	json_end(']');
	json_begin('{');
	json_end('}');
	json_put_hundredths(25);
	json_end(']');
	json_put_key("format");
	put_format("%s: %d \"%c\"", "it", 7, 'x');
	json_put_key("pieces");
	json_begin_string();
	json_put_characters("a\n", 2);
	json_put_characters("", 0);
	json_put_characters("b", 1);
	json_end_string();
	json_put_key("base64");
	json_begin_base64();
	json_put_base64("Man", 3);
	json_put_base64("M", 1);
	json_end_base64();
	json_end('}');
	json_put_raw("\n", 1);
}

static const char everything[] =
	"{\"int\": -1, \"uint\": 18446744073709551615, \"bool\": true, \"text\": \"caf\\u00E9\", "
	"\"list\": [-9223372036854775808, false, [], {}, 0.25], \"format\": \"it: 7 \\\"x\\\"\", "
	"\"pieces\": \"a\\nb\", \"base64\": \"TWFuTQ==\"}\n";

static void separators_stand_where_qemu_has_them(void **state)
{
	(void)state;
	writer_start(0);
	put_everything();
	assert_int_equal(flushes, 0);
	assert_written(0, everything);
}

static void the_buffer_may_be_full_anywhere(void **state)
{
	(void)state;
	for (size_t filled = WRITER_CAPACITY - sizeof(everything); filled <= WRITER_CAPACITY;
		filled++) {
		writer_start(filled);
		put_everything();
		assert_written(filled, everything);
	}
}

static void numbers_are_decimal(void **state)
{
	static const struct {
		uint64_t value;
		const char *expected;
	} hundredths[] = {
		{0, "0.00"},
		{5, "0.05"},
		{25, "0.25"},
		{100, "1.00"},
		{12345, "123.45"},
		{UINT64_MAX, "184467440737095516.15"},
	};
	static const struct {
		int64_t value;
		const char *expected;
	} integers[] = {{0, "0"}, {-1, "-1"}, {10, "10"}, {INT64_MAX, "9223372036854775807"},
		{INT64_MIN, "-9223372036854775808"}};

	(void)state;
	for (size_t i = 0; i < LENGTH(hundredths); i++) {
		writer_start(0);
		json_put_hundredths(hundredths[i].value);
		assert_written(0, hundredths[i].expected);
	}
	for (size_t i = 0; i < LENGTH(integers); i++) {
		writer_start(0);
		json_put_int(integers[i].value);
		assert_written(0, integers[i].expected);
	}
	writer_start(0);
	json_put_uint(UINT64_MAX);
	assert_written(0, "18446744073709551615");
}

static void strings_are_ascii(void **state)
{
	static const struct {
		const char *bytes;
		size_t size;
		const char *expected;
	} strings[] = {
		{"", 0, "\"\""},
		{"a/b 'c'~", 8, "\"a/b 'c'~\""},
		{"\"\\", 2, "\"\\\"\\\\\""},
		{"\b\f\n\r\t", 5, "\"\\b\\f\\n\\r\\t\""},
		{"\0\x01\x1F\x7F", 4, "\"\\u0000\\u0001\\u001F\\u007F\""},
		{"\xC2\x80\xC3\xA4\xE2\x82\xAC", 7, "\"\\u0080\\u00E4\\u20AC\""},
		{"\xEF\xBF\xBF\xEE\x80\x80", 6, "\"\\uFFFF\\uE000\""},
		{"\xF0\x90\x80\x80\xF0\x9F\x98\x80\xF4\x8F\xBF\xBF", 12,
			"\"\\uD800\\uDC00\\uD83D\\uDE00\\uDBFF\\uDFFF\""},
		/* What is no UTF-8, byte by byte. */
		{"\x80z", 2, "\"\\uFFFDz\""},
		{"\xFF\xFE", 2, "\"\\uFFFD\\uFFFD\""},
		{"\xC0\x80", 2, "\"\\uFFFD\\uFFFD\""},
		{"\xED\xA0\x80", 3, "\"\\uFFFD\\uFFFD\\uFFFD\""},
		{"\xF4\x90\x80\x80", 4, "\"\\uFFFD\\uFFFD\\uFFFD\\uFFFD\""},
		{"\xE2\x82", 2, "\"\\uFFFD\\uFFFD\""},
		{"\xE2\x82z", 3, "\"\\uFFFD\\uFFFDz\""},
		{"\xF0\x9F\x98", 3, "\"\\uFFFD\\uFFFD\\uFFFD\""},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(strings); i++) {
		/* A copy that ends where its memory ends. */
		char *copy = malloc(strings[i].size);

		memcpy(copy, strings[i].bytes, strings[i].size);
		writer_start(0);
		json_put_string(copy, strings[i].size);
		assert_written(0, strings[i].expected);
		free(copy);
	}
}

static void base64_in_pieces_is_as_at_once(void **state)
{
	static unsigned char bytes[200];
	char whole[2 + BASE64_SIZE(sizeof(bytes)) + 1] = "\"";

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(i * 37);
	for (size_t size = 0; size <= sizeof(bytes); size += size < 40 ? 1 : 32) {
		size_t encoded = base64_encode(whole + 1, bytes, size);

		memcpy(whole + 1 + encoded, "\"", 2);
		for (size_t part = 1; part <= size + 1; part++) {
			size_t filled = WRITER_CAPACITY - part % 64;

			writer_start(filled);
			json_begin_base64();
			for (size_t used = 0; used < size; used += part)
				json_put_base64(
					bytes + used, size - used < part ? size - used : part);
			json_end_base64();
			assert_written(filled, whole);
		}
	}
}

static void until_the_first_flush_there_is_a_way_back(void **state)
{
	(void)state;
	writer_start(0);
	json_begin('{');
	json_put_key("return");
	json_begin_base64();
	json_put_base64("M", 1);
	assert_true(json_writer_rewind());
	json_begin_base64();
	json_end_base64();
	assert_written(0, "\"\"");

	writer_start(WRITER_CAPACITY - 1);
	assert_true(json_writer_rewind());
	put_everything();
	assert_written(0, everything);
	assert_int_equal(flushes, 1);
	assert_false(json_writer_rewind());

	writer_start(WRITER_CAPACITY - 2);
	json_put_string("ab", 2);
	assert_false(json_writer_rewind());
	assert_written(WRITER_CAPACITY - 2, "\"ab\"");
}

static void what_nobody_wants_goes_nowhere(void **state)
{
	(void)state;
	writer_start(WRITER_CAPACITY - 1);
	flushes_wanted = 0;
	put_everything();
	for (unsigned i = 0; i < WRITER_CAPACITY; i++)
		json_put_bool(false);
	json_writer_flush();
	assert_int_equal(flushes, 1);
	assert_int_equal(gathered_size, WRITER_CAPACITY);
}

static void an_empty_buffer_is_not_flushed(void **state)
{
	(void)state;
	writer_start(0);
	json_writer_flush();
	assert_int_equal(flushes, 0);
	assert_true(json_writer_rewind());
	json_put_raw("", 0);
	json_writer_flush();
	assert_int_equal(flushes, 0);
	json_writer_release();
}

static void values_are_written_as_they_were_read(void **state)
{
	static const struct {
		const char *input;
		const char *expected;
	} values[] = {
		{"[]", "[]"},
		{"{'a' : [ 1.50,{} , [ ] ],'b':{'c':null}}",
			"{\"a\": [1.50, {}, []], \"b\": {\"c\": null}}"},
		{"['\\u0041\\/\xC3\xA4',true,false,-0e1]", "[\"A/\\u00E4\", true, false, -0e1]"},
		{"[[[[]]],[[1]],2]", "[[[[]]], [[1]], 2]"},
		{"'\\ud83d\\ude00'", "\"\\uD83D\\uDE00\""},
	};
	char text[128];
	struct json_token tokens[32];

	(void)state;
	for (size_t i = 0; i < LENGTH(values); i++) {
		struct json_reader reader;
		size_t room;

		json_reader_init(&reader, text, sizeof(text), tokens, LENGTH(tokens));
		memcpy(json_reader_space(&reader, &room), values[i].input, strlen(values[i].input));
		json_reader_fill(&reader, strlen(values[i].input));
		assert_int_equal(json_reader_next(&reader), JSON_VALUE);
		for (size_t filled = WRITER_CAPACITY - 60; filled < WRITER_CAPACITY; filled++) {
			writer_start(filled);
			json_put_value(tokens);
			assert_written(filled, values[i].expected);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(separators_stand_where_qemu_has_them),
		cmocka_unit_test(the_buffer_may_be_full_anywhere),
		cmocka_unit_test(numbers_are_decimal),
		cmocka_unit_test(strings_are_ascii),
		cmocka_unit_test(base64_in_pieces_is_as_at_once),
		cmocka_unit_test(until_the_first_flush_there_is_a_way_back),
		cmocka_unit_test(what_nobody_wants_goes_nowhere),
		cmocka_unit_test(an_empty_buffer_is_not_flushed),
		cmocka_unit_test(values_are_written_as_they_were_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
