/* The lines of passwd(5) and shadow(5). */
#ifndef PASSWD_LINE_H
#define PASSWD_LINE_H

#include <limits.h>

#include "text.h"

struct account {
	uid_t uid;
	gid_t gid;
	bool is_shadowed; /* its password is in shadow(5) */
	char home[PATH_MAX];
};

/* Is line, of /etc/passwd, that of the account called name? */
bool passwd_parse_line(const char *line, const char *name, struct account *account);

/* In the text of such a file, in the first line of the account called name (without a colon),
 * fields 1 and 2 become values[0] and [1], if the line has them; NULL leaves one as it is. All else
 * is unchanged. False if there is no such line. */
bool passwd_edit(struct text *text, const char *name, const char *const values[2]);

#endif
