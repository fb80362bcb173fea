/* The keys in ~/.ssh/authorized_keys (sshd(8)) of an account whose owner may be hostile.
 *
 * All in .ssh is read and written with the owner's own rights, so that whatever stands there leads
 * nowhere where the owner could not go, and no symbolic link is followed there. The home itself
 * must belong to the owner; or to root, if no link leads to it and nobody else may write in it. */
#ifndef AUTHORIZED_KEYS_H
#define AUTHORIZED_KEYS_H

#include "json.h"
#include "passwd_line.h"

/* Read the file, into the scratch buffer. False, with errno, if it cannot. */
bool keys_get(const struct account *account, struct text *text);

/* Add keys (an array of strings as keys_add has them) to the file, which is made if it is not
 * there, each once and only if it is not there; or remove them. With reset, all others go before
 * that. To be called in a child (child.h) that ends then: it gives up its rights. Returns 0 or
 * errno. */
enum keys_change { KEYS_ADD, KEYS_RESET, KEYS_REMOVE };
int keys_change(
	const struct account *account, const struct json_token *keys, enum keys_change change);

#endif
