/* Any bytes as a line of /etc/passwd and as a whole such file that is edited: a line gives an
 * account with a home within bounds, and an edit changes two fields of one line alone.
 *
 * Covers: passwd_line.c
 */
#include <string.h>

#include "passwd_line.h"
#include "tests/fuzz/harness.h"

#define SPACE (1 << 20)

static bool edit(struct text *text, char *buffer, size_t space, const char *const values[2],
	const char *bytes, size_t size)
{
	bool found;

	*text = text_in(buffer, space);
	text_put(text, bytes, size);
	text->cut = false;
	found = passwd_edit(text, "bob", values);
	check(text->used < space && buffer[text->used] == '\0');
	return found;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const values[] = {"HASH", "19000"}, *const none[2];
	static char first[SPACE], second[SPACE];
	static struct account account;
	char *line = malloc(size + 1);
	struct text once, again;
	bool found;

	if (size > SPACE / 2) {
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
	found = edit(&once, first, SPACE, values, (const char *)data, size);
	check(!once.cut);
	/* Nothing changes where there is nothing to change; doing it twice changes no more. */
	check(edit(&again, second, SPACE, none, (const char *)data, size) == found &&
		again.used == size && (size == 0 || memcmp(second, data, size) == 0));
	if (!found)
		check(once.used == size && (size == 0 || memcmp(first, data, size) == 0));
	check(edit(&again, second, SPACE, values, first, once.used) == found);
	check(once.used == again.used && memcmp(first, second, once.used) == 0);
	/* There may be no room. */
	edit(&again, second, size + 3, values, (const char *)data, size);
	return 0;
}
