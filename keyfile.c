#include "keyfile.h"

#include <string.h>

#include "text.h"

#define SPACE " \t\f\r\v"

/* What a backslash and a letter stand for, in pairs: letter, byte. */
static const char escapes[] = "s t\tn\nr\r\\\\";

/* The pair with byte at offset, or the end of escapes. */
static const char *find_escape(size_t offset, char byte)
{
	const char *pair = escapes;

	while (*pair && pair[offset] != byte)
		pair += 2;
	return pair;
}

char keyfile_escape(char byte)
{
	return *find_escape(1, byte);
}

bool keyfile_unescape(char *value)
{
	char *to = value;

	for (; *value; value++) {
		char byte = *value;

		if (byte == '\\') {
			const char *pair = find_escape(0, *++value);

			if (!*pair)
				return false;
			byte = pair[1];
		}
		*to++ = byte;
	}
	*to = '\0';
	return true;
}

void keyfile_trim(char *text)
{
	size_t size = strlen(text);

	while (size > 0 && strchr(SPACE, text[size - 1]))
		size--;
	text[size] = '\0';
}

static char *next_line(struct keyfile *file)
{
	char *line = file->text;
	char *end;
	size_t used;

	*file->end = '\n';
	end = memchr(line, '\n', (size_t)(file->end - line) + 1);
	*end = '\0';
	used = strlen(line);
	if (used != (size_t)(end - line))
		file->problem = "a byte is 0";
	if (used > 0 && line[used - 1] == '\r')
		line[used - 1] = '\0';
	file->text = end + 1;
	file->line++;
	return line + strspn(line, SPACE);
}

static void enter_group(struct keyfile *file, char *name)
{
	size_t size = strcspn(name, "[]");

	keyfile_trim(name);
	if (size == 0 || !text_equals(name + size, "]"))
		file->problem = "a group is [NAME]";
	name[size] = '\0';
	file->group = name;
}

static void split_setting(struct keyfile *file, char *line)
{
	char *value = strchr(line, '=');

	if (!file->group)
		file->problem = "a setting before the first [group]";
	else if (!value || value == line)
		file->problem = "neither KEY=VALUE nor [group] nor # comment";
	if (file->problem)
		return;
	*value++ = '\0';
	keyfile_trim(line);
	file->key = line;
	file->value = value + strspn(value, SPACE);
}

bool keyfile_next(struct keyfile *file)
{
	while (file->text < file->end) {
		char *line = next_line(file);
		bool is_setting = *line && *line != '#' && *line != '[';

		if (is_setting)
			split_setting(file, line);
		else if (*line == '[')
			enter_group(file, line + 1);
		if (file->problem)
			return false;
		if (is_setting)
			return true;
	}
	return false;
}
