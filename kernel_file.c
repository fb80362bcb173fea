#include "kernel_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/mount.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "text.h"

/* The file systems that we can mount for ourselves. */
static struct {
	char below[8];
	char type[8];
	int root; /* of our mount, or -1 */
} mounts[] = {{"/proc/", "proc", -1}, {"/sys/", "sysfs", -1}};

static int mount_detached(const char *type)
{
	int context = (int)syscall(SYS_fsopen, type, FSOPEN_CLOEXEC);
	int root;

	/* One failure makes those behind it fail. */
	syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	root = (int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC,
		MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	close(context);
	return root;
}

/* Is nothing in the folder, so that nothing is mounted there? A file system that does not count its
 * folders' links says 1. */
static bool is_empty(const char *folder)
{
	struct stat status;

	return fstatat(AT_FDCWD, folder, &status, 0) != 0 || status.st_nlink <= 2;
}

int kernel_file_open(const char *path, int flags)
{
	int file;

	flags |= O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
	file = open(path, flags);
	if (file >= 0 || errno != ENOENT)
		return file;
	for (unsigned i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		const char *rest = text_after(path, mounts[i].below);

		if (!rest || !is_empty(mounts[i].below))
			continue;
		if (mounts[i].root < 0)
			mounts[i].root = mount_detached(mounts[i].type);
		return openat(mounts[i].root, rest, flags);
	}
	errno = ENOENT;
	return -1;
}

ssize_t kernel_file_read(const char *path, int flags, char *buffer, size_t size)
{
	int file = kernel_file_open(path, flags);
	ssize_t count = -1;

	if (file >= 0) {
		/* read(2) would take from a FIFO. */
		count = pread(file, buffer, size, 0);
		close(file);
	}
	if (count == (ssize_t)size) {
		do
			count--;
		while (count > 0 && (buffer[count] & 0xC0) == 0x80);
	}
	buffer[count < 0 ? 0 : count] = '\0';
	return count;
}

bool kernel_file_read_line(const char *path, char *buffer, size_t size)
{
	ssize_t count = kernel_file_read(path, 0, buffer, size);

	buffer[strcspn(buffer, "\n")] = '\0';
	return count >= 0;
}

bool kernel_file_line(char *buffer, size_t size, const char *format, ...)
{
	char bytes[PATH_MAX];
	struct text path = text_in(bytes, sizeof(bytes));
	va_list values;

	va_start(values, format);
	text_vformat(&path, format, values);
	va_end(values);
	return kernel_file_read_line(bytes, buffer, size);
}

bool kernel_file_link(const char *path, char *buffer, size_t size)
{
	int file = kernel_file_open(path, O_PATH | O_NOFOLLOW);
	ssize_t count = file < 0 ? -1 : readlinkat(file, "", buffer, size - 1);

	if (file >= 0)
		close(file);
	buffer[count < 0 ? 0 : count] = '\0';
	return count >= 0;
}

void kernel_file_forget(void)
{
	mounts[0].root = mounts[1].root = -1;
}

bool kernel_file_write(const char *path, const char *text)
{
	int file = kernel_file_open(path, O_WRONLY);
	ssize_t size = (ssize_t)strlen(text);
	ssize_t count = file < 0 ? -1 : write(file, text, (size_t)size);
	int error = errno;

	if (file >= 0)
		close(file);
	errno = count < 0 ? error : EIO;
	return count == size;
}
