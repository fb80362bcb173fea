/* The text files of accounts: passwd(5) and shadow(5). */
#ifndef PASSWD_H
#define PASSWD_H

#include <errno.h>

#include "passwd_line.h"

/* The errno that says so here. */
#define PASSWD_NO_USER ESRCH

/* Find the account called name in /etc/passwd; uses the scratch buffer. False, with errno, if it
 * cannot be found. */
bool passwd_find(const char *name, struct account *account);

/* Make hash the password of the account called name, in /etc/shadow, or, where that does not know
 * it, in /etc/passwd, under the lock of lckpwdf(3), for which it may wait: to be called in a child
 * (child.h) that ends then. Returns 0 or errno. */
int passwd_set_hash(const char *name, const char *hash);

#endif
