/* Text files, read whole into fixed buffers. */
#ifndef LINES_H
#define LINES_H

#include <stddef.h>
#include <sys/types.h>

/* Read file from where it stands to its end into buffer (size bytes, at least 1), and put a NUL
 * behind it. Returns how many bytes were read, or size if there was more than fits (buffer then
 * holds the first size - 1 bytes), or -1 with errno. */
ssize_t lines_read_all(int file, char *buffer, size_t size);

#endif
