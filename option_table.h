/* The table of options: what each is called, takes and says in the help. */
#ifndef OPTION_TABLE_H
#define OPTION_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "commands.h"
#include "options.h"

/* The number of an option: its place in the table and in options.values. */
#define OPTION_NUMBER(field) \
	((unsigned)(offsetof(struct options, field) / sizeof(options.values[0])))
/* Those from here on are for the command line alone. */
#define OPTION_KEYS OPTION_NUMBER(config)

/* A row is a letter, which cannot be typed if it is below ' ', and the long name, with = and the
 * value's words or default behind it if there is one. A text follows it: the tab and the words that
 * help adds.
 *
 * Returns row number, counted from 0; "" behind the last. Those behind option 'h' are other names
 * for earlier rows with the same letter. */
const char *option_row(unsigned number);

/* Find an option's number, or -1: by letter; by the first size bytes of name, the whole of a long
 * name or, unless exact, the beginning of only one option's. */
int option_by_letter(char letter);
int option_by_name(const char *name, size_t size, bool exact);

/* A flag's words have a second round. */
extern const char option_flag_words[];
/* The words that the value is one of, separated by bars, or NULL for any text. */
const char *option_words(const char *row);
/* The default of a text. */
const char *option_default(const char *row);
/* The list of commands that it is, or NULL. */
struct command_list *option_list(const char *row);

#endif
