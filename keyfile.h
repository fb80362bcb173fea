/* The syntax of GLib's key files: [groups] of KEY=VALUE lines, blank lines and # comments. */
#ifndef KEYFILE_H
#define KEYFILE_H

#include <stdbool.h>
#include <stddef.h>

#define KEYFILE_SPACE " \t\f\r\v"

/* The rest of text behind the white space that it begins with. */
char *keyfile_skip_space(const char *text);

/* Undo the escapes \s \t \n \r \\ of a value. Returns false if there is another. */
bool keyfile_unescape(char *value);

/* Hand size bytes of text to put, in pieces, as a value: escaped where they need it. */
void keyfile_write_value(
	const char *text, size_t size, void (*put)(const char *bytes, size_t size));

#endif
