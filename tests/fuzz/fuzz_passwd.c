/* Any bytes as a line of /etc/passwd and as a whole such file that is edited: a line gives an
 * account with a home within bounds, an edit changes two fields of one line alone, and pieces of
 * any size give what the whole gives.
 *
 * Covers: passwd_line.c
 */
#include <string.h>

#include "passwd_line.h"
#include "tests/fuzz/harness.h"

struct output {
	size_t used;
	char bytes[1 << 20];
};

static void put(void *to, const char *bytes, size_t size)
{
	struct output *output = to;

	check(output->used + size <= sizeof(output->bytes));
	memcpy(output->bytes + output->used, bytes, size);
	output->used += size;
}

static bool edit(struct output *output, const char *value, const char *day, const uint8_t *data,
	size_t size, size_t piece)
{
	struct passwd_edit edit = {.name = "bob", .values = {value, day}, .put = put, .to = output};

	output->used = 0;
	edit.rest = edit.name;
	for (size_t at = 0; at < size; at += piece)
		passwd_edit_bytes(
			&edit, (const char *)data + at, size - at < piece ? size - at : piece);
	return edit.found;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct output whole, pieces;
	static struct account account;
	char *line = malloc(size + 1);
	bool found;

	if (size > sizeof(whole.bytes) / 2) {
		free(line);
		return 0;
	}
	if (size > 0)
		memcpy(line, data, size);
	line[size] = '\0';
	if (passwd_parse_line(line, "bob", &account))
		check(strlen(account.home) < sizeof(account.home) && memcmp(line, "bob:", 4) == 0 &&
			account.uid != UINT32_MAX);
	check(!passwd_parse_line(line, "b:b", &account));
	free(line);
	found = edit(&whole, "HASH", "19000", data, size, size + 1);
	check(edit(&pieces, "HASH", "19000", data, size, 1 + size % 7) == found);
	check(whole.used == pieces.used && memcmp(whole.bytes, pieces.bytes, whole.used) == 0);
	/* Nothing changes where there is nothing to change; doing it twice changes no more. */
	check(edit(&pieces, NULL, NULL, data, size, 3) == found && pieces.used == size &&
		(size == 0 || memcmp(pieces.bytes, data, size) == 0));
	if (!found)
		check(whole.used == size && (size == 0 || memcmp(whole.bytes, data, size) == 0));
	check(edit(&pieces, "HASH", "19000", (uint8_t *)whole.bytes, whole.used, 5) == found);
	check(whole.used == pieces.used && memcmp(whole.bytes, pieces.bytes, whole.used) == 0);
	return 0;
}
