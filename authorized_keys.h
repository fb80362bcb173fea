/* The keys in ~/.ssh/authorized_keys (sshd(8)) of an account whose owner may be hostile.
 *
 * All in .ssh is read and written with the owner's own rights, so that whatever stands there leads
 * nowhere where the owner could not go, and no symbolic link is followed there. The home itself
 * must belong to the owner; or to root, if no link leads to it and nobody else may write in it. */
#ifndef AUTHORIZED_KEYS_H
#define AUTHORIZED_KEYS_H

#include <stdbool.h>
#include <stddef.h>

#include "json.h"
#include "passwd.h"

/* Open the file for reading. Returns the descriptor, or -1 with errno. */
int keys_open(const struct account *account);

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

/* Add keys (an array of strings as keys_filter has them) to the file, which is made if it is not
 * there, each once and only if it is not there; or remove them. With reset, all others go before
 * that. To be called in a child (child.h) that ends then: it gives up its rights. Returns 0 or
 * errno. */
enum keys_change { KEYS_ADD, KEYS_RESET, KEYS_REMOVE };
int keys_change(
	const struct account *account, const struct json_token *keys, enum keys_change change);

#endif
