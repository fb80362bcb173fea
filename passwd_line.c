#include "passwd_line.h"

#include <stdint.h>
#include <string.h>

#include "text.h"

bool passwd_parse_line(const char *line, const char *name, struct account *account)
{
	const char *at = text_after(line, name);
	uint64_t ids[2];

	if (!at || *at != ':' || strchr(name, ':'))
		return false;
	account->is_shadowed = text_after(++at, "x:");
	at = strchr(at, ':');
	for (int i = 0; i < 2; i++) {
		at = at ? parse_unsigned(at + 1, &ids[i]) : NULL;
		if (!at || *at != ':' || ids[i] >= UINT32_MAX)
			return false;
	}
	at = strchr(at + 1, ':');
	if (!at)
		return false;
	account->uid = (uid_t)ids[0];
	account->gid = (gid_t)ids[1];
	at++;
	return text_print(account->home, sizeof(account->home), "%.*s", (int)strcspn(at, ":"), at);
}

/* Put value in the place of old bytes at at, which thus move what follows. */
static void put_value(struct text *text, char *at, size_t old, const char *value)
{
	size_t size = strlen(value);
	size_t rest = (size_t)(text->bytes + text->used - at) - old;

	text->cut = text->used - old + size >= text->size;
	if (text->cut)
		return;
	memmove(at + size, at + old, rest + 1);
	memcpy(at, value, size);
	text->used += size - old;
}

bool passwd_edit(struct text *text, const char *name, const char *const values[2])
{
	char *at = text->bytes;
	const char *rest;

	while (!(rest = text_after(at, name)) || *rest != ':') {
		at = memchr(at, '\n', (size_t)(text->bytes + text->used - at));
		if (!at)
			return false;
		at++;
	}
	at += rest - at;
	for (int i = 0; i < 2 && *at == ':' && !text->cut; i++) {
		at++;
		if (values[i])
			put_value(text, at, strcspn(at, ":\n"), values[i]);
		at += strcspn(at, ":\n");
	}
	return true;
}
