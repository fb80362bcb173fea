#include "directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel_file.h"

bool directory_open(struct directory *directory, const char *path)
{
	directory->at = 0;
	directory->filled = 0;
	directory->file = kernel_file_open(path, O_DIRECTORY);
	return directory->file >= 0;
}

const char *directory_next(struct directory *directory)
{
	const struct dirent *entry;

	do {
		if (directory->at == directory->filled) {
			int count = (int)syscall(SYS_getdents64, directory->file, directory->buffer,
				sizeof(directory->buffer));

			if (count <= 0)
				return NULL;
			directory->at = 0;
			directory->filled = (unsigned)count;
		}
		/* struct dirent is what getdents64(2) writes, in musl and in 64-bit glibc. */
		entry = (const struct dirent *)(directory->buffer + directory->at);
		directory->at += entry->d_reclen;
	} while (entry->d_name[0] == '.');
	return entry->d_name;
}

void directory_close(struct directory *directory)
{
	close(directory->file);
}
