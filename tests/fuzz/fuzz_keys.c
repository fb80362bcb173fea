/* Any bytes as an authorized_keys file, its first line also as a key: the filter does what a
 * simple comparison of lines does, whatever the pieces, and reading gives whole lines.
 *
 * Covers: keys_text.c
 */
#include <string.h>

#include "keys_text.h"
#include "tests/fuzz/harness.h"

#define LONG 4096

struct output {
	size_t used;
	char bytes[1 << 20];
};

static struct output out, expected;
static int open_keys;

static void put(void *to, const char *bytes, size_t size)
{
	struct output *output = to;

	check(output->used + size <= sizeof(output->bytes));
	memcpy(output->bytes + output->used, bytes, size);
	output->used += size;
}

static void begun(void)
{
	check(open_keys++ == 0);
}

static void piece(const char *bytes, size_t size)
{
	check(open_keys == 1 && size > 0 && !memchr(bytes, '\n', size));
	put(&out, bytes, size);
}

static void ended(void)
{
	check(open_keys-- == 1);
}

static bool is_key(const struct json_token *keys, size_t count, const char *line, size_t size)
{
	for (size_t i = 0; i < count; i++) {
		if (keys[i].size == size && memcmp(keys[i].text, line, size) == 0)
			return true;
	}
	return false;
}

/* What the filter is to put, by whole lines; returns how many it drops. */
static size_t expect(const struct json_token *keys, size_t count, const char *text, size_t size)
{
	const char *end = text + size;
	size_t dropped = 0;

	expected.used = 0;
	while (text < end) {
		const char *stop = memchr(text, '\n', (size_t)(end - text));
		size_t length = (size_t)((stop ? stop : end) - text);

		if (is_key(keys, count, text, length)) {
			dropped++;
		} else {
			put(&expected, text, length);
			put(&expected, "\n", 1);
		}
		text += length + 1;
	}
	return dropped;
}

static void check_filter(
	const struct json_token *keys, size_t count, const char *text, size_t size, size_t step)
{
	struct keys_filter filter = {.keys = keys, .count = count, .put = put, .to = &out};
	struct keys_filter counting = {.keys = keys, .count = count};

	out.used = 0;
	for (size_t at = 0; at < size; at += step)
		keys_filter_bytes(&filter, text + at, size - at < step ? size - at : step);
	keys_filter_end(&filter);
	keys_filter_bytes(&counting, text, size);
	keys_filter_end(&counting);
	check(filter.dropped == expect(keys, count, text, size));
	check(counting.dropped == filter.dropped && out.used == expected.used &&
		memcmp(out.bytes, expected.bytes, out.used) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct keys_reader reader = {begun, piece, ended};
	char first[64] = "a";
	struct json_token keys[] = {{.text = (char[]){"aa"}, .size = 2}, {.text = first, .size = 1},
		{.text = (char[]){"aab"}, .size = 3}};
	FILE *file;

	if (size > sizeof(out.bytes) / 4)
		return 0;
	for (size_t i = 0; i < size && i < sizeof(first) - 1 && data[i] > '\n'; i++) {
		first[i] = (char)data[i];
		first[i + 1] = '\0';
		keys[1].size = (uint32_t)i + 1;
	}
	/* Long ones once, for the sake of speed. */
	for (size_t count = size < LONG ? 0 : 3; count <= 3; count++)
		check_filter(keys, count, (const char *)data, size, 1 + size % 5);
	file = fopen(file_of(data, size), "r");
	check(file);
	out.used = 0;
	keys_read(fileno(file), &reader);
	fclose(file);
	check(open_keys == 0 && out.used <= size);
	return 0;
}
