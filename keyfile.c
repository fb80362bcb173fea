#include "keyfile.h"

#include <stdint.h>
#include <string.h>

/* What a backslash and a letter stand for, in pairs: letter, byte. The first are escaped only where
 * the value begins. */
static const char escapes[] = "s t\tn\nr\r\\\\";
static const char *const after_spaces = escapes + 4;

/* The pair with byte at offset, or the end of escapes. */
static const char *find_escape(const char *pair, size_t offset, char byte)
{
	while (*pair && pair[offset] != byte)
		pair += 2;
	return pair;
}

void keyfile_write_value(const char *text, size_t size, void (*put)(const char *bytes, size_t size))
{
	const char *first = escapes;

	for (; size > 0; text++, size--) {
		const char *pair = find_escape(first, 1, *text);

		if (*pair)
			put("\\", 1);
		put(*pair ? pair : text, 1);
		if (pair >= after_spaces)
			first = after_spaces;
	}
}

bool keyfile_unescape(char *value)
{
	char *to = value;

	for (; *value; value++) {
		if (*value == '\\') {
			const char *pair = find_escape(escapes, 0, *++value);

			if (!*pair)
				return false;
			*value = pair[1];
		}
		*to++ = *value;
	}
	*to = '\0';
	return true;
}

char *keyfile_skip_space(const char *text)
{
	return (char *)(uintptr_t)text + strspn(text, KEYFILE_SPACE);
}
