#include "lines.h"

#include <errno.h>
#include <unistd.h>

ssize_t lines_read_all(int file, char *buffer, size_t size)
{
	size_t used = 0;
	ssize_t count;

	do {
		count = read(file, buffer + used, size - used);
		if (count > 0)
			used += (size_t)count;
	} while (count > 0 || (count < 0 && errno == EINTR));
	buffer[used < size ? used : size - 1] = '\0';
	return count < 0 ? -1 : (ssize_t)used;
}
