/* The lines and words of text files of any length, as /proc has them. */
#ifndef LINES_H
#define LINES_H

#include <stdbool.h>
#include <stddef.h>

/* A file being read. Its text goes through the scratch buffer, so one is read at a time. */
struct lines {
	int file;
	size_t at;
	size_t filled;
	bool cut; /* the line was longer than the scratch buffer: its rest was left out */
};

/* Open path, also below a /proc or /sys that is not mounted, with flags (open(2)) beside those for
 * reading. False, with errno, if it cannot. */
bool lines_open(struct lines *lines, const char *path, int flags);

/* The next line, without its newline and ended by a NUL, or NULL at the end. It may be changed in
 * place, and is there until the next call. A NUL in the file ends its line early. */
char *lines_next(struct lines *lines);

void lines_close(struct lines *lines);

/* Call visit for each line of the file at path. False, with errno, if it cannot be opened. */
bool lines_each(const char *path, void (*visit)(char *line));

/* Cut the next word off the text at *rest, which then is what follows; blanks (spaces and tabs)
 * stand between words. The word is ended by a NUL; behind the last it is "". */
char *lines_word(char **rest);

#endif
