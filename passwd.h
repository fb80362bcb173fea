/* The text files of accounts: passwd(5) and shadow(5). */
#ifndef PASSWD_H
#define PASSWD_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct account {
	uid_t uid;
	gid_t gid;
	char home[PATH_MAX];
};

/* Is line, of /etc/passwd, that of the account called name? */
bool passwd_parse_line(const char *line, const char *name, struct account *account);

/* Find the account called name in /etc/passwd; uses the scratch buffer. Returns NULL, or why it
 * cannot be found. */
const char *passwd_find(const char *name, struct account *account);

/* The text of such a file as it goes through: in the first line of the account called name, fields
 * 1 and 2 become values[0] and [1]; NULL leaves one as it is. All else goes through unchanged. */
struct passwd_edit {
	const char *name;
	const char *values[2];
	void (*put)(void *to, const char *bytes, size_t size);
	void *to;
	const char *rest; /* of the name, while the line is its beginning; else NULL */
	unsigned field;
	bool here;  /* the line is the account's */
	bool found; /* it came */
};

void passwd_edit_bytes(struct passwd_edit *edit, const char *bytes, size_t size);

/* Make hash the password of the account called name, in /etc/shadow, or, where that does not know
 * it, in /etc/passwd, under the lock of lckpwdf(3), for which it may wait: to be called in a child
 * (child.h). Returns NULL, or why it cannot be done. */
const char *passwd_set_hash(const char *name, const char *hash);

#endif
