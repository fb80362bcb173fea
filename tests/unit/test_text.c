/* Texts in bounded buffers, the formatter, numbers, and characters in UTF-8. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static void what_does_not_fit_is_cut(void **state)
{
	static const char long_text[] = "0123456789";

	(void)state;
	for (size_t size = 1; size < 16; size++) {
		char *buffer = malloc(size); /* so that no byte behind it is written */
		struct text text = text_in(buffer, size);
		size_t whole = size - 1 < 10 ? size - 1 : 10;

		assert_string_equal(text.bytes, "");
		text_put(&text, long_text, 0);
		for (unsigned i = 0; i < 10; i++) {
			text_put(&text, long_text + i, 1);
			assert_int_equal(text.cut, i >= whole);
		}
		assert_int_equal(text.used, whole);
		assert_memory_equal(text.bytes, long_text, whole);
		assert_int_equal(text.bytes[whole], '\0');
		text_format(&text, "%s-%d", "", 5);
		assert_int_equal(text.used, whole + 2 < size ? whole + 2 : size - 1);
		assert_int_equal(text_print(buffer, size, "%s", long_text), size > 10);
		assert_int_equal(strlen(buffer), whole);
		free(buffer);
	}
}

static char told[256];
static size_t told_size;

static void gather_piece(void *to, const char *bytes, size_t size)
{
	assert_ptr_equal(to, told);
	assert_int_not_equal(size, 0);
	memcpy(told + told_size, bytes, size);
	told_size += size;
	told[told_size] = '\0';
}

__attribute__((format(printf, 2, 3))) static void assert_formatted(
	const char *expected, const char *format, ...)
{
	char libc[256];
	char buffer[256];
	struct text text = text_in(buffer, sizeof(buffer));
	va_list values;

	va_start(values, format);
	vsnprintf(libc, sizeof(libc), format, values);
	va_end(values);
	va_start(values, format);
	text_vformat(&text, format, values);
	va_end(values);
	told_size = 0;
	told[0] = '\0';
	va_start(values, format);
	format_pieces(gather_piece, told, format, values);
	va_end(values);
	assert_string_equal(expected, libc);
	assert_string_equal(buffer, libc);
	assert_string_equal(told, libc);
}

static void formats_are_as_in_printf(void **state)
{
	(void)state;
	assert_formatted("plain", "plain");
	assert_formatted("", "%s", "");
	assert_formatted("<a><bc>", "<%s><%s>", "a", "bc");
	assert_formatted("ab|cd", "%.*s|%s", 2, "abz", "cd");
	assert_formatted("|", "%.*s|", 0, "abc");
	assert_formatted("x%", "%c%c", 'x', '%');
	assert_formatted("0 -1 1", "%d %d %d", 0, -1, 1);
	assert_formatted("-2147483648 4294967295", "%d %u", INT_MIN, UINT_MAX);
	assert_formatted("-9223372036854775808", "%lld", LLONG_MIN);
	assert_formatted("18446744073709551615 7", "%llu %d", ULLONG_MAX, 7);
	assert_formatted("1a22b333", "%da%ub%lld", 1, 22u, 333ll);
}

static void numbers_are_written(void **state)
{
	static const struct {
		uint64_t value;
		bool is_signed;
		const char *expected;
	} numbers[] = {
		{0, false, "0"},
		{0, true, "0"},
		{9, false, "9"},
		{10, true, "10"},
		{(uint64_t)-1, true, "-1"},
		{(uint64_t)-1, false, "18446744073709551615"},
		{INT64_MAX, true, "9223372036854775807"},
		{(uint64_t)INT64_MIN, true, "-9223372036854775808"},
		{(uint64_t)INT64_MIN, false, "9223372036854775808"},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(numbers); i++) {
		char digits[DIGITS_MAX + 1];
		size_t size = format_number(digits, numbers[i].value, numbers[i].is_signed);

		digits[size] = '\0';
		assert_string_equal(digits, numbers[i].expected);
	}
}

static void digits_are_read(void **state)
{
	static const struct {
		const char *text;
		int used; /* -1: none */
		uint64_t value;
	} numbers[] = {
		{"0", 1, 0},
		{"007", 3, 7},
		{"12x", 2, 12},
		{"18446744073709551615", 20, UINT64_MAX},
		{"0018446744073709551615", 22, UINT64_MAX},
		{"18446744073709551616", -1, 0},
		{"18446744073709551620", -1, 0},
		{"100000000000000000000", -1, 0},
		{"", -1, 0},
		{"x", -1, 0},
		{"-1", -1, 0},
		{"+1", -1, 0},
		{" 1", -1, 0},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(numbers); i++) {
		size_t size = strlen(numbers[i].text);
		char *copy = malloc(size); /* without an end */
		uint64_t values[2] = {0};
		const char *ends[2];

		memcpy(copy, numbers[i].text, size);
		ends[0] = parse_digits(copy, copy + size, &values[0]);
		ends[1] = parse_unsigned(numbers[i].text, &values[1]);
		if (numbers[i].used < 0) {
			assert_null(ends[0]);
			assert_null(ends[1]);
		} else {
			assert_ptr_equal(ends[0], copy + numbers[i].used);
			assert_ptr_equal(ends[1], numbers[i].text + numbers[i].used);
			assert_int_equal(values[0], numbers[i].value);
			assert_int_equal(values[1], numbers[i].value);
		}
		free(copy);
	}
}

/* Encode a character that may be none, in size bytes. */
static void encode(char *to, uint32_t code, unsigned size)
{
	static const uint8_t leads[] = {0, 0, 0xC0, 0xE0, 0xF0};

	for (unsigned i = size; i-- > 1; code >>= 6)
		to[i] = (char)(0x80 | (code & 0x3F));
	to[0] = (char)(leads[size] | code);
}

/* Every number of up to 21 bits, in every size that it fits: only the shortest is a character, and
 * a surrogate is none. */
static void characters_are_read(void **state)
{
	static const uint32_t ends[] = {0, 0x80, 0x800, 0x10000, 0x110000};

	(void)state;
	for (uint32_t code = 0; code < 0x200000; code++) {
		for (unsigned size = code < 0x80 ? 1
				: code < 0x800	 ? 2
				: code < 0x10000 ? 3
						 : 4;
			size <= 4; size++) {
			char bytes[4];
			struct character character;
			bool good = code >= ends[size - 1] && code < ends[size] &&
				(code < 0xD800 || code > 0xDFFF);

			encode(bytes, code, size);
			character = decode_utf8(bytes, bytes + size);
			if (character.code != (good ? (int32_t)code : -1))
				fail_msg("%x in %u bytes is %d", code, size, (int)character.code);
			assert_true(!good || character.at == bytes + size);
		}
	}
}

/* Where a character that was cut off might go on, that is told from one that is wrong. */
static void a_cut_is_told_from_a_fault(void **state)
{
	static const struct {
		const char *bytes;
		size_t size;
		size_t at; /* size: more may follow */
	} texts[] = {
		{"\xC3", 1, 1},
		{"\xE2\x82", 2, 2},
		{"\xF0\x9F\x98", 3, 3},
		{"\xC3z", 2, 1},
		{"\xE2\x82z", 3, 2},
		{"\xE0\x9F", 2, 1},
		{"\xED\xA0", 2, 1},
		{"\xF0\x8F", 2, 1},
		{"\xF4\x90", 2, 1},
		{"\x80", 1, 0},
		{"\xC1", 1, 0},
		{"\xF5", 1, 0},
		{"\xFF", 1, 0},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(texts); i++) {
		char *copy = malloc(texts[i].size);
		struct character character;

		memcpy(copy, texts[i].bytes, texts[i].size);
		character = decode_utf8(copy, copy + texts[i].size);
		assert_int_equal(character.code, -1);
		assert_int_equal(character.at - copy, texts[i].at);
		free(copy);
	}
}

static void texts_are_compared_whole(void **state)
{
	static const struct {
		const char *bytes;
		size_t size;
		const char *other;
		bool same;
	} pairs[] = {
		{"", 0, "", true},
		{"abc", 3, "abc", true},
		{"abc", 2, "ab", true},
		{"abc", 2, "abc", false},
		{"abc", 3, "ab", false},
		{"abc", 3, "abd", false},
		{"a\0b", 3, "a", false},
		{"a", 1, "", false},
		{"", 0, "a", false},
	};
	static const char text[] = "--name=x";

	(void)state;
	for (size_t i = 0; i < LENGTH(pairs); i++)
		assert_int_equal(
			text_is(pairs[i].bytes, pairs[i].size, pairs[i].other), pairs[i].same);
	assert_true(text_equals("a", "a"));
	assert_false(text_equals("a", "ab"));
	assert_false(text_equals("ab", "a"));
	assert_ptr_equal(text_after(text, "--name="), text + 7);
	assert_ptr_equal(text_after(text, ""), text);
	assert_ptr_equal(text_after(text, text), text + 8);
	assert_null(text_after(text, "--names"));
	assert_null(text_after(text, "--name=xy"));
	assert_null(text_after("", "a"));
}

static void hexadecimal_digits(void **state)
{
	static const struct {
		const char *text;
		int size; /* of the digits, or -1 where there is no number */
		uint64_t value;
	} cases[] = {{"", -1, 0}, {"g", -1, 0}, {"0", 1, 0}, {"8000000\n", 7, 0x8000000},
		{"aF09/", 4, 0xAF09}, {"1:", 1, 1}, {"1@", 1, 1}, {"1G", 1, 1}, {"1`", 1, 1},
		{"1\x10", 1, 1}, {"1\xB1", 1, 1}, {"FFFFFFFFFFFFFFFF", 16, UINT64_MAX},
		{"10000000000000000", -1, 0}, {"00000000000000001", 17, 1}};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		const char *text = cases[i].text;
		uint64_t value = 0;
		const char *end = parse_hex(text, NULL, &value);

		assert_ptr_equal(end, cases[i].size < 0 ? NULL : text + cases[i].size);
		assert_true(value == cases[i].value);
	}
	for (unsigned size = 0; size < 4; size++) {
		static const char text[] = "123";
		uint64_t value = 0;

		assert_ptr_equal(parse_hex(text, text + size, &value), size ? text + size : NULL);
		assert_int_equal(value, size ? 0x123 >> (12 - 4 * size) : 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hexadecimal_digits),
		cmocka_unit_test(what_does_not_fit_is_cut),
		cmocka_unit_test(formats_are_as_in_printf),
		cmocka_unit_test(numbers_are_written),
		cmocka_unit_test(digits_are_read),
		cmocka_unit_test(characters_are_read),
		cmocka_unit_test(a_cut_is_told_from_a_fault),
		cmocka_unit_test(texts_are_compared_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
