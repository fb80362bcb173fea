#include "device.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel_file.h"
#include "state.h"
#include "text.h"

static int open_node(const char *path)
{
	return open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
}

bool device_attribute(const char *class_folder, const char *device, const char *attribute,
	char value[DEVICE_VALUE_SIZE])
{
	char path[PATH_MAX];

	return text_print(path, sizeof(path), "%s/%s/%s", class_folder, device, attribute) &&
		kernel_file_read_line(path, value, DEVICE_VALUE_SIZE);
}

static bool device_number(const char *class_folder, const char *device, dev_t *number)
{
	char value[DEVICE_VALUE_SIZE];

	return device_attribute(class_folder, device, "dev", value) && parse_device(value, number);
}

/* Does the folder lie on a filesystem that nobody can freeze? */
static bool is_in_memory(const char *folder)
{
	struct statfs status = {0};

	(void)statfs(folder, &status);
	return status.f_type == TMPFS_MAGIC || status.f_type == RAMFS_MAGIC;
}

/* Open the node of device in folder, and make it if it is not there. What stands elsewhere than
 * in /dev may be anyone's, and what we make there is removed again. */
static int open_in(const char *folder, const char *device, dev_t number)
{
	bool permanent = text_equals(folder, "/dev");
	bool may_write = !state_frozen || is_in_memory(folder);
	struct stat status;
	char path[PATH_MAX];
	int file;

	text_print(path, sizeof(path), "%s/%s", folder, device);
	/* A node that we made stays when its port goes, and the kernel may go on taking it for what
	 * it was: it is made anew, and known by a bit that devtmpfs does not set. */
	if (may_write && permanent && fstatat(AT_FDCWD, path, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
		(status.st_rdev != number || status.st_mode & S_ISVTX))
		(void)unlink(path);
	if (may_write && mknod(path, S_IFCHR | S_ISVTX | 0600, number) != 0 &&
		(errno != EEXIST || !permanent))
		return -1;
	file = open_node(path);
	if (may_write && !permanent)
		(void)unlink(path);
	return file;
}

int device_open(const char *class_folder, const char *device)
{
	static const char folders[][5] = {"/dev", "/run", "/tmp", "/"};
	dev_t number;

	if (!device_number(class_folder, device, &number)) {
		errno = ENOENT;
		return -1;
	}
	if (!state_frozen)
		(void)mkdir(folders[0], 0755);
	for (unsigned i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		int file = open_in(folders[i], device, number);

		if (file >= 0 || errno == EBUSY)
			return file;
	}
	return -1;
}

int device_ioctl(int file, unsigned long request, void *argument)
{
	return (int)syscall(SYS_ioctl, file, request, argument);
}
