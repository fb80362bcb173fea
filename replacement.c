#include "replacement.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "text.h"

#define LABEL "security.selinux"
#define LABEL_SIZE 256

#define FLAGS (O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)

bool replacement_begin(struct replacement *replacement, int folder, const char *name)
{
	struct stat status;

	replacement->folder = folder;
	replacement->name = name;
	replacement->used = 0;
	replacement->failed = false;
	replacement->old = openat(folder, name, O_RDONLY | FLAGS);
	if (replacement->old < 0 && errno != ENOENT)
		return false;
	if (replacement->old >= 0 &&
		(fstatat(replacement->old, "", &status, AT_EMPTY_PATH) != 0 ||
			!S_ISREG(status.st_mode))) {
		close(replacement->old);
		errno = EINVAL;
		return false;
	}
	text_print(replacement->temporary, sizeof(replacement->temporary), ".%s.tinyqga", name);
	/* One may be left of an agent that was killed. */
	(void)unlinkat(folder, replacement->temporary, 0);
	replacement->file =
		openat(folder, replacement->temporary, O_RDWR | O_CREAT | O_EXCL | FLAGS, 0600);
	if (replacement->file < 0 && replacement->old >= 0)
		close(replacement->old);
	return replacement->file >= 0;
}

bool replacement_keep_owner(const struct replacement *replacement)
{
	struct stat status;
	char label[LABEL_SIZE];
	ssize_t size = fgetxattr(replacement->old, LABEL, label, sizeof(label));

	return fstatat(replacement->old, "", &status, AT_EMPTY_PATH) == 0 &&
		fchown(replacement->file, status.st_uid, status.st_gid) == 0 &&
		fchmod(replacement->file, status.st_mode & 07777) == 0 &&
		(size <= 0 || fsetxattr(replacement->file, LABEL, label, (size_t)size, 0) == 0 ||
			errno == EOPNOTSUPP);
}

bool replacement_flush(struct replacement *replacement)
{
	const char *bytes = replacement->buffer;

	while (replacement->used > 0 && !replacement->failed) {
		ssize_t count = write(replacement->file, bytes, replacement->used);

		replacement->failed = count <= 0;
		bytes += count;
		replacement->used -= (size_t)count;
	}
	replacement->used = 0;
	return !replacement->failed;
}

void replacement_put(struct replacement *replacement, const char *bytes, size_t size)
{
	while (size > 0) {
		size_t part = sizeof(replacement->buffer) - replacement->used;

		if (part > size)
			part = size;
		memcpy(replacement->buffer + replacement->used, bytes, part);
		replacement->used += part;
		bytes += part;
		size -= part;
		if (replacement->used == sizeof(replacement->buffer))
			replacement_flush(replacement);
	}
}

bool replacement_end(struct replacement *replacement, bool good)
{
	int folder = replacement->folder;
	const char *temporary = replacement->temporary;
	int error;

	good = good && replacement_flush(replacement) && fsync(replacement->file) == 0 &&
		syscall(SYS_renameat2, folder, temporary, folder, replacement->name, 0) == 0;
	error = errno;
	if (!good)
		(void)unlinkat(folder, temporary, 0);
	close(replacement->file);
	if (replacement->old >= 0)
		close(replacement->old);
	errno = error;
	return good;
}
