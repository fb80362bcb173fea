/* The text of an authorized_keys file (sshd(8)), of any length. */
#ifndef KEYS_TEXT_H
#define KEYS_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "json.h"

/* Hand over each key of the file, from where it stands: lines without the blanks around them, but
 * for empty ones and comments. begun and ended surround the pieces of one. A line that is longer
 * than the scratch buffer, which is used, comes in several. */
struct keys_reader {
	void (*begun)(void);
	void (*put)(const char *bytes, size_t size);
	void (*ended)(void);
};
void keys_read(int file, const struct keys_reader *reader);

/* The text of such a file as it goes through, without the lines that equal one of keys (count
 * string tokens that hold no newline and no NUL). The last line is ended by a newline. */
struct keys_filter {
	const struct json_token *keys;
	size_t count;
	void (*put)(void *to, const char *bytes, size_t size); /* NULL: only count them */
	void *to;
	size_t key;	/* one that the line is the beginning of, if it is of any */
	size_t held;	/* so many bytes of the line, which were not put yet */
	size_t dropped; /* lines that were left out */
	bool copying;	/* the line is no key */
};
void keys_filter_bytes(struct keys_filter *filter, const char *bytes, size_t size);
void keys_filter_end(struct keys_filter *filter);

#endif
