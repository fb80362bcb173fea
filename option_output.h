/* What the options say: complaints on stderr, help, version and configuration on stdout. */
#ifndef OPTION_OUTPUT_H
#define OPTION_OUTPUT_H

#include <stdbool.h>

/* Where a setting stands in the configuration file. */
struct place {
	const char *file;
	unsigned line;
};

/* Say on stderr what is wrong; without a place it is the command line. Returns false, for its
 * caller to return. */
bool option_complain(const struct place *place, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* After a complaint about the command line. */
void option_hint_at_help(void);

/* Print on stdout. Each returns 0, or the status to exit with: not all could be written. */
int option_print_help(void);
int option_print_version(void);
int option_print_commands(void);
/* The options that are set, as a configuration file that gives the same. */
int option_print_dump(void);

#endif
