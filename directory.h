/* The entries of a directory, without the memory that opendir(3) takes. */
#ifndef DIRECTORY_H
#define DIRECTORY_H

#include <stdbool.h>

#define DIRECTORY_BUFFER_SIZE 2048 /* several entries of the longest name, and the stack's */

struct directory {
	int file;
	unsigned at;
	unsigned filled;
	_Alignas(8) char buffer[DIRECTORY_BUFFER_SIZE];
};

/* Open path, also below a /proc or /sys that is not mounted. False, with errno, if it cannot. */
bool directory_open(struct directory *directory, const char *path);

/* The name of the next entry, in the kernel's order and without those that begin with a dot, or
 * NULL at the end. It is there until the next call. */
const char *directory_next(struct directory *directory);

void directory_close(struct directory *directory);

#endif
