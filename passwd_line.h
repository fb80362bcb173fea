/* The lines of passwd(5) and shadow(5). */
#ifndef PASSWD_LINE_H
#define PASSWD_LINE_H

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

/* The text of such a file as it goes through: in the first line of the account called name, fields
 * 1 and 2 become values[0] and [1]; NULL leaves one as it is. All else goes through unchanged. */
struct passwd_edit {
	const char *name;
	const char *values[2];
	void (*put)(void *to, const char *bytes, size_t size);
	void *to;
	const char
		*rest; /* of the name, while the line is its beginning, else NULL; at first name */
	unsigned field;
	bool here;  /* the line is the account's */
	bool found; /* it came */
};

void passwd_edit_bytes(struct passwd_edit *edit, const char *bytes, size_t size);

#endif
