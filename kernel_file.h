/* The small files of /proc, /sys, /etc and /run. What is below /proc and /sys is found also where
 * these are not mounted: then through a mount of our own that is attached nowhere (fsopen(2),
 * Linux 5.2, needs CAP_SYS_ADMIN), made when it is first asked for and kept. */
#ifndef KERNEL_FILE_H
#define KERNEL_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* open(2) path with flags, close-on-exec, without becoming a terminal's owner or
 * waiting for a FIFO. Returns the descriptor, or -1 with errno. */
int kernel_file_open(const char *path, int flags);

/* Read the beginning of path, opened with flags, into buffer (size bytes, at least 1), and put a
 * NUL behind it. What is longer than size - 1 bytes is cut there, at a whole UTF-8 character.
 * Returns how many bytes there are; or -1 with errno (ESPIPE for a FIFO), and buffer is empty. */
ssize_t kernel_file_read(const char *path, int flags, char *buffer, size_t size);

/* The same for the first line of path, without its newline. False, with errno, if it cannot. */
bool kernel_file_read_line(const char *path, char *buffer, size_t size);

/* The same for the file whose path a format of text.h makes (at most PATH_MAX bytes). */
bool kernel_file_line(char *buffer, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Where the symbolic link path points to, cut to size - 1 bytes and ended by a NUL; "" and false,
 * with errno, if it cannot be read. */
bool kernel_file_link(const char *path, char *buffer, size_t size);

/* Write text into the existing file path, in one write as sysfs wants it. False, with errno, if the
 * kernel did not take all of it. */
bool kernel_file_write(const char *path, const char *text);

/* Our own mounts are gone, since all descriptors were closed. */
void kernel_file_forget(void);

#endif
