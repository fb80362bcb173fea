/* The text files of accounts: passwd(5) and shadow(5). */
#ifndef PASSWD_H
#define PASSWD_H

#include "passwd_line.h"

/* Find the account called name in /etc/passwd; uses the scratch buffer. Returns NULL, or why it
 * cannot be found. */
const char *passwd_find(const char *name, struct account *account);

/* Make hash the password of the account called name, in /etc/shadow, or, where that does not know
 * it, in /etc/passwd, under the lock of lckpwdf(3), for which it may wait: to be called in a child
 * (child.h). Returns NULL, or why it cannot be done. */
const char *passwd_set_hash(const char *name, const char *hash);

#endif
