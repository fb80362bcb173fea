/* The text of an authorized_keys file (sshd(8)). */
#ifndef KEYS_TEXT_H
#define KEYS_TEXT_H

#include "json.h"
#include "text.h"

/* Hand over each key: lines without the blanks around them, but for empty ones and comments. */
void keys_read(const struct text *text, void (*put)(const char *key, size_t size));

/* Add key, a string that holds no newline and no NUL, as a line, or remove all lines that equal it.
 * All lines of text must have their newline. False if there is nothing to change. */
bool keys_add(struct text *text, const struct json_token *key);
bool keys_remove(struct text *text, const struct json_token *key);

#endif
