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
	at = strchr(at + 1, ':');
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

/* Go on to the next field of a line. */
static void begin_field(struct passwd_edit *edit)
{
	const char *value;

	if (edit->rest && *edit->rest == '\0')
		edit->here = edit->found = true;
	edit->rest = NULL;
	edit->put(edit->to, ":", 1);
	value = edit->here && edit->field < 2 ? edit->values[edit->field] : NULL;
	if (value)
		edit->put(edit->to, value, strlen(value));
	edit->field++;
}

void passwd_edit_bytes(struct passwd_edit *edit, const char *bytes, size_t size)
{
	for (; size > 0; size--, bytes++) {
		if (*bytes == ':') {
			begin_field(edit);
			continue;
		}
		if (*bytes == '\n') {
			edit->rest = edit->found ? NULL : edit->name;
			edit->field = 0;
			edit->here = false;
		} else if (edit->rest) {
			edit->rest =
				*edit->rest == *bytes && *bytes != '\0' ? edit->rest + 1 : NULL;
		}
		if (!edit->here || edit->field == 0 || edit->field > 2 ||
			!edit->values[edit->field - 1])
			edit->put(edit->to, bytes, 1);
	}
}
