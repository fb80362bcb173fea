/* What the options print on stdout. Each function ends the process: 0, or 1 if not all could be
 * written. */
#ifndef OPTION_OUTPUT_H
#define OPTION_OUTPUT_H

_Noreturn void option_print_help(void);
_Noreturn void option_print_version(void);
_Noreturn void option_print_commands(void);
/* The options that are set, as a configuration file that gives the same. */
_Noreturn void option_print_dump(void);

#endif
