#include "keys_text.h"

#include <string.h>

#include "keyfile.h"

void keys_read(const struct text *text, void (*put)(const char *key, size_t size))
{
	const char *end = text->bytes + text->used;
	const char *stop;

	for (const char *at = text->bytes; at < end; at = stop + 1) {
		const char *last;

		stop = memchr(at, '\n', (size_t)(end - at));
		if (!stop)
			stop = end;
		at = keyfile_skip_space(at);
		last = stop;
		while (last > at && strchr(KEYFILE_SPACE, last[-1]))
			last--;
		if (last > at && *at != '#')
			put(at, (size_t)(last - at));
	}
}

/* The line, from at on, that equals key, or NULL. */
static char *find_line(const struct text *text, char *at, const struct json_token *key)
{
	char *end = text->bytes + text->used;

	while (at < end) {
		char *stop = memchr(at, '\n', (size_t)(end - at));

		if (text_is(at, (size_t)(stop - at), key->text))
			return at;
		at = stop + 1;
	}
	return NULL;
}

bool keys_add(struct text *text, const struct json_token *key)
{
	if (find_line(text, text->bytes, key))
		return false;
	text_put(text, key->text, key->size);
	text_put(text, "\n", 1);
	return true;
}

bool keys_remove(struct text *text, const struct json_token *key)
{
	size_t size = key->size + 1;
	bool found = false;

	for (char *at = text->bytes; (at = find_line(text, at, key)); found = true) {
		text->used -= size;
		memmove(at, at + size, (size_t)(text->bytes + text->used - at));
	}
	return found;
}
