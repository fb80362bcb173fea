/* Base64: RFC 4648's vectors, every place of a vector's step, and what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base64.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* Decode a copy that ends where its memory ends, into decoded. */
static unsigned char decoded[1024];

static size_t decode(const char *text, size_t size)
{
	char *copy = malloc(size);
	size_t count;

	assert_non_null(copy);
	memcpy(copy, text, size);
	count = base64_decode(copy, size);
	if (count < BASE64_SHORT)
		memcpy(decoded, copy, count);
	free(copy);
	return count;
}

static void the_vectors_of_rfc_4648(void **state)
{
	static const char *const vectors[][2] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="},
		{"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="},
		{"foobar", "Zm9vYmFy"}};

	(void)state;
	for (size_t i = 0; i < LENGTH(vectors); i++) {
		const char *bytes = vectors[i][0];
		const char *text = vectors[i][1];
		char encoded[16];

		assert_int_equal(BASE64_SIZE(strlen(bytes)), strlen(text));
		assert_int_equal(base64_encode(encoded, bytes, strlen(bytes)), strlen(text));
		assert_memory_equal(encoded, text, strlen(text));
		assert_int_equal(decode(text, strlen(text)), strlen(bytes));
		assert_memory_equal(decoded, bytes, strlen(bytes));
	}
}

/* Fill with bytes that use every six bits at every place. */
static void fill(unsigned char *bytes, size_t size)
{
	uint32_t state = 1;

	for (size_t i = 0; i < size; i++) {
		state = state * 1103515245 + 12345;
		bytes[i] = (unsigned char)(state >> 16);
	}
}

static void at_once_is_as_group_by_group(void **state)
{
	static unsigned char bytes[600];

	(void)state;
	fill(bytes, sizeof(bytes));
	for (size_t size = 0; size <= sizeof(bytes); size++) {
		char whole[BASE64_SIZE(sizeof(bytes))];
		char groups[BASE64_SIZE(sizeof(bytes))];
		size_t count = 0;
		unsigned char *from = malloc(size);

		assert_non_null(from);
		memcpy(from, bytes, size);
		for (size_t used = 0; used < size; used += 3)
			count += base64_encode(
				groups + count, from + used, size - used < 3 ? size - used : 3);
		assert_int_equal(base64_encode(whole, from, size), count);
		assert_int_equal(count, BASE64_SIZE(size));
		assert_memory_equal(whole, groups, count);
		assert_int_equal(decode(whole, count), size);
		assert_memory_equal(decoded, bytes, size);
		free(from);
	}
}

/* A text of 64 groups whose bytes are all the same. */
static void every_byte_at_every_place(void **state)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char text[48];

	(void)state;
	for (size_t place = 0; place < sizeof(text); place++) {
		for (unsigned byte = 0; byte < 256; byte++) {
			const char *six = byte ? strchr(alphabet, (int)byte) : NULL;
			size_t expected = sizeof(text) / 4 * 3;
			size_t count;

			memset(text, 'A', sizeof(text));
			text[place] = (char)byte;
			if (byte == '\n' || byte == '\r')
				expected = BASE64_SHORT;
			else if (byte == '=' && place == sizeof(text) - 1)
				expected--;
			else if (byte == '=' && place == sizeof(text) - 2)
				expected = BASE64_BAD; /* an A follows */
			else if (!six)
				expected = BASE64_BAD;
			count = decode(text, sizeof(text));
			if (count != expected)
				fail_msg("byte %u at %zu: %zu, not %zu", byte, place, count,
					expected);
			if (six && byte != 'A') {
				unsigned value = (unsigned)(six - alphabet);
				size_t at = place / 4 * 3;
				unsigned bits = value << (18 - 6 * (place % 4));

				assert_int_equal(decoded[at], bits >> 16);
				assert_int_equal(decoded[at + 1], bits >> 8 & 0xFF);
				assert_int_equal(decoded[at + 2], bits & 0xFF);
			}
		}
	}
}

static void newlines_may_stand_anywhere(void **state)
{
	static unsigned char bytes[60];
	char text[BASE64_SIZE(sizeof(bytes))];

	(void)state;
	fill(bytes, sizeof(bytes));
	for (size_t size = sizeof(bytes) - 2; size <= sizeof(bytes); size++) {
		base64_encode(text, bytes, size);
		for (size_t at = 0; at <= sizeof(text); at++) {
			char broken[sizeof(text) + 2];

			memcpy(broken, text, at);
			memcpy(broken + at, "\r\n", 2);
			memcpy(broken + at + 2, text + at, sizeof(text) - at);
			assert_int_equal(decode(broken, sizeof(broken)), size);
			assert_memory_equal(decoded, bytes, size);
		}
	}
}

static void ends_are_whole(void **state)
{
	static const struct {
		const char *text;
		size_t expected;
	} texts[] = {
		{"=", BASE64_BAD}, {"A", BASE64_SHORT}, {"A=", BASE64_BAD}, {"AA", BASE64_SHORT},
		{"AA=", BASE64_SHORT}, {"AA==", 1}, {"AA\n=\r=\n", 1}, {"AA===", BASE64_BAD},
		{"AA=A", BASE64_BAD}, {"AA==A", BASE64_BAD}, {"AA==AAAA", BASE64_BAD},
		{"AAA", BASE64_SHORT}, {"AAA=", 2}, {"AAA==", BASE64_BAD},
		{"AAA=AAAAAAAAAAAAAAAAAAAA", BASE64_BAD}, {"AAAA=", BASE64_BAD}, {"AAAA", 3},
		{"AAAAA", BASE64_SHORT}, {"\n\r\n", 0}, {"AAAAAAAAAAAAAAAA=", BASE64_BAD},
		{"AAAAAAAAAAAAAAAAA", BASE64_SHORT}, {"AAAAAAAAAAAAAAA=", 11},
		{"AAAAAAAAAAAAAA==", 10}, {"AAAA AAAA", BASE64_BAD}, {"AAAA-AAA", BASE64_BAD},
		{"AAAA_AAA", BASE64_BAD}, {"AB==", 1}, /* bits that mean nothing are no fault */
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(texts); i++) {
		if (decode(texts[i].text, strlen(texts[i].text)) != texts[i].expected)
			fail_msg("%s is taken for something else", texts[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_vectors_of_rfc_4648),
		cmocka_unit_test(at_once_is_as_group_by_group),
		cmocka_unit_test(every_byte_at_every_place),
		cmocka_unit_test(newlines_may_stand_anywhere),
		cmocka_unit_test(ends_are_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
