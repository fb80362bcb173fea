#include "os_release.h"

#include <stdbool.h>
#include <string.h>

size_t os_release_unquote(char *value)
{
	char *to = value;
	char quote = '\0';

	for (const char *at = value; *at != '\0' && *at != '\n'; at++) {
		bool quoting = quote ? *at == quote : *at == '\'' || *at == '"';

		if (quoting) {
			quote ^= *at;
			continue;
		}
		if (!quote && *at > '\0' && *at <= ' ')
			break;
		/* Between double quotes a backslash is one unless it stands before these. */
		if (*at == '\\' && quote != '\'' && (unsigned char)at[1] > '\n' &&
			(!quote || strchr("$`\"\\", at[1])))
			at++;
		*to++ = *at;
	}
	return (size_t)(to - value);
}

char *os_release_find(char *text, const char *name)
{
	char *found = NULL;

	for (char *line = text; line; line = strchr(line, '\n')) {
		size_t i = 0;

		line += *line == '\n';
		while (name[i] != '\0' &&
			line[i] == (name[i] == '-' ? '_' : (name[i] & ~('a' - 'A'))))
			i++;
		if (name[i] == '\0' && line[i] == '=')
			found = line + i + 1;
	}
	return found;
}
