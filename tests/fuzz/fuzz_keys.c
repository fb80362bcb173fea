/* Any bytes as an authorized_keys file, its first line also as a key: adding and removing do what a
 * simple comparison of lines does, and reading gives whole lines.
 *
 * Covers: keys_text.c
 */
#include <string.h>

#include "keys_text.h"
#include "tests/fuzz/harness.h"

#define SPACE (1 << 20)

static char expected[SPACE];

static void piece(const char *bytes, size_t size)
{
	check(size > 0 && !memchr(bytes, '\n', size) && *bytes != '#' && *bytes != ' ' &&
		bytes[size - 1] != ' ');
}

/* What text is without key; returns how many bytes that are. */
static size_t expect(const struct json_token *key, const char *text, size_t size)
{
	const char *end = text + size;
	size_t used = 0;

	while (text < end) {
		size_t length = (size_t)((char *)memchr(text, '\n', (size_t)(end - text)) - text);

		if (length != key->size || memcmp(text, key->text, length) != 0) {
			memcpy(expected + used, text, length + 1);
			used += length + 1;
		}
		text += length + 1;
	}
	return used;
}

static void check_key(struct text *text, const struct json_token *key)
{
	size_t before = text->used;
	size_t used = expect(key, text->bytes, before);

	check(keys_add(text, key) == (used == before));
	check(!keys_add(text, key));
	check(text->used == before + (used == before ? key->size + 1 : 0));
	check(keys_remove(text, key) && !keys_remove(text, key));
	check(text->used == used && memcmp(text->bytes, expected, used) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char buffer[SPACE];
	char first[64] = "a";
	struct json_token keys[] = {{.text = (char[]){"aa"}, .size = 2}, {.text = first, .size = 1},
		{.text = (char[]){"aab"}, .size = 3}};
	struct text text = text_in(buffer, SPACE);

	if (size > SPACE / 2)
		return 0;
	for (size_t i = 0; i < size && i < sizeof(first) - 1 && data[i] > '\n'; i++) {
		first[i] = (char)data[i];
		first[i + 1] = '\0';
		keys[1].size = (uint32_t)i + 1;
	}
	text_put(&text, (const char *)data, size);
	keys_read(&text, piece);
	text_put(&text, "\n", 1);
	for (size_t i = 0; i < 3; i++)
		check_key(&text, &keys[i]);
	return 0;
}
