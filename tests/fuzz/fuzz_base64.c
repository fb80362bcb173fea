/* Any bytes as base64 and as what is to be encoded: decoding and encoding do what a plain reading
 * of RFC 4648 does, all at once (by vectors) as well as by single groups (without), and what is
 * encoded decodes to the same.
 *
 * Covers: base64.c
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base64.h"
#include "tests/fuzz/harness.h"
#include "tests/writer.h"

#define INPUT_MAX 8192

/* A copy that ends where its memory ends. */
static char *copy_of(const void *bytes, size_t size)
{
	char *copy = malloc(size);

	check(copy || size == 0);
	if (size > 0)
		memcpy(copy, bytes, size);
	return copy;
}

static int six_of(char byte)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *found = byte ? strchr(alphabet, byte) : NULL;

	return found ? (int)(found - alphabet) : -1;
}

/* Decode as slowly as can be. */
static size_t decode_plainly(char *to, const char *text, size_t size)
{
	size_t characters = 0;
	size_t padding = 0;
	size_t bits_used = 0;
	unsigned bits = 0;
	size_t used = 0;

	for (size_t i = 0; i < size; i++) {
		int six = six_of(text[i]);

		if (text[i] == '\r' || text[i] == '\n')
			continue;
		if (text[i] == '=' ? characters % 4 < 2 : six < 0 || padding > 0)
			return BASE64_BAD;
		characters++;
		padding += text[i] == '=';
		if (six < 0)
			continue;
		bits = (bits << 6 | (unsigned)six) & 0xFFFF;
		bits_used += 6;
		if (bits_used >= 8) {
			bits_used -= 8;
			to[used++] = (char)(bits >> bits_used);
		}
	}
	return characters % 4 == 0 ? used : BASE64_SHORT;
}

static void check_decoding(const uint8_t *data, size_t size)
{
	char *plain = copy_of(data, size);
	char *text = copy_of(data, size);
	size_t plain_size = decode_plainly(plain, (const char *)data, size);
	size_t decoded = base64_decode(text, size);

	check(decoded == plain_size);
	if (decoded < BASE64_SHORT) {
		check(decoded <= size / 4 * 3);
		check(memcmp(text, plain, decoded) == 0);
	}
	free(text);
	free(plain);
}

static void check_encoding(const uint8_t *data, size_t size)
{
	size_t encoded_size = BASE64_SIZE(size);
	char *from = copy_of(data, size);
	char *encoded = malloc(encoded_size);
	char *grouped = malloc(encoded_size);
	size_t grouped_size = 0;

	check((encoded && grouped) || size == 0);
	check(base64_encode(encoded, from, size) == encoded_size);
	for (size_t used = 0; used < size; used += 3)
		grouped_size += base64_encode(
			grouped + grouped_size, from + used, size - used < 3 ? size - used : 3);
	check(grouped_size == encoded_size);
	check(size == 0 || memcmp(encoded, grouped, encoded_size) == 0);

	for (size_t i = 0; i < encoded_size; i++)
		check(six_of(encoded[i]) >= 0 || (encoded[i] == '=' && i + 2 >= encoded_size));
	for (size_t used = 0; used < encoded_size; used += 4) {
		size_t part = size - used / 4 * 3 < 3 ? size - used / 4 * 3 : 3;

		check(base64_decode(grouped + used, 4) == part);
		check(memcmp(grouped + used, from + used / 4 * 3, part) == 0);
	}

	/* A piece has as many bytes as its own first byte says. */
	writer_start(WRITER_CAPACITY - 1 - size % 64);
	json_begin_base64();
	for (size_t used = 0, part; used < size; used += part) {
		part = 1 + data[used] % 65;
		if (part > size - used)
			part = size - used;
		json_put_base64(from + used, part);
	}
	json_end_base64();
	json_writer_flush();
	check(gathered_size == WRITER_CAPACITY - 1 - size % 64 + encoded_size + 2);
	check(size == 0 ||
		memcmp(gathered + gathered_size - 1 - encoded_size, encoded, encoded_size) == 0);

	check(base64_decode(encoded, encoded_size) == size);
	check(size == 0 || memcmp(encoded, from, size) == 0);
	free(grouped);
	free(encoded);
	free(from);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > INPUT_MAX)
		return -1;
	check_decoding(data, size);
	check_encoding(data, size);
	return 0;
}
