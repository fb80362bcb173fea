/* The table of options: what each is called, takes, sets and says in the help. */
#ifndef OPTION_TABLE_H
#define OPTION_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OPTION_HOOK_DEFAULT "/etc/qemu/fsfreeze-hook"
#define OPTION_PID_FILE_DEFAULT "/var/run/qemu-ga.pid"
#define OPTION_STATE_DIR_DEFAULT "/var/run"
#define OPTION_HEALTH_DIR_DEFAULT "/run/health"
#define OPTION_CONFIG_DEFAULT "/etc/qemu/qemu-ga.conf"

/* What an option takes and sets. Those up to OPTION_ACTION take no value on the command line. */
enum option_kind {
	OPTION_FLAG,
	OPTION_ACTION, /* something to do, not to set; so is OPTION_CONFIG */
	OPTION_HOOK,   /* a text that may be left out */
	OPTION_TEXT,
	OPTION_METHOD,
	OPTION_PEERS,
	OPTION_NAMES, /* of commands, separated by commas */
	OPTION_CONFIG,
};

/* The letters of those that have none; they cannot be typed, and sort below ' '. */
enum { OPTION_HEALTH_DIR = 1, OPTION_VSOCK_PEERS };

#define OPTION_NAME_MAX 13 /* fsfreeze-hook */

/* A second row with a letter is another name for the first. */
struct option_row {
	char letter;
	char name[OPTION_NAME_MAX + 1];
	uint8_t key_size; /* how much of name is the key in the file; 0: not there */
	uint8_t kind;
	uint16_t field; /* offset in struct options */
};

/* The rows, in the order of the help and of the dump, ended by one without a name. */
extern const struct option_row option_rows[];
/* The helps of the rows, in the same order, each ended by a NUL. */
extern const char option_helps[];

bool option_is_other_name(const struct option_row *row);
bool option_is_text(const struct option_row *row);
/* What row sets in options: a const char * of a text, a char[] of names, an enum channel_method,
 * a bool. */
void *option_field(const struct option_row *row);

/* Find a row; NULL if there is none. */
const struct option_row *option_by_letter(char letter);
const struct option_row *option_by_key(const char *key);
/* By the first size bytes of name, a long name or the beginning of only one; sets ambiguous if of
 * several. */
const struct option_row *option_by_name(const char *name, size_t size, bool *ambiguous);

/* The words for the values 0, 1, … of a flag, a method or a choice of peers, separated by bars.
 * A flag's have a second round. */
const char *option_words(const struct option_row *row);

#endif
