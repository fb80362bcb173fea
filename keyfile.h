/* The syntax of GLib's key files: [groups] of KEY=VALUE lines, blank lines and # comments. */
#ifndef KEYFILE_H
#define KEYFILE_H

#include <stdbool.h>
#include <stddef.h>

/* A file being read, in place: what is found stands in it. */
struct keyfile {
	char *text;	     /* what is left to read */
	char *end;	     /* a byte that may be written, behind the last */
	unsigned line;	     /* of what was found, from 1 */
	const char *group;   /* the one that key is in; NULL before the first */
	char *key;	     /* never empty */
	char *value;	     /* without the space before it; still escaped */
	const char *problem; /* why reading stopped; NULL at the end */
};

/* Find the next setting. Returns false at the end, or with problem set if the file is wrong. */
bool keyfile_next(struct keyfile *file);

/* Undo the escapes \s \t \n \r \\ of a value. Returns false if there is another. */
bool keyfile_unescape(char *value);

/* The letter that stands for byte behind a backslash, or 0 if byte needs none. A space or tab
 * needs one only where the value begins. */
char keyfile_escape(char byte);

/* Cut the white space at the end of text. */
void keyfile_trim(char *text);

#endif
