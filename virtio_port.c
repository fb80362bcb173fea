#include "virtio_port.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "directory.h"
#include "kernel_file.h"
#include "state.h"
#include "text.h"

#define PORTS "/sys/class/virtio-ports"
#define NAME_SIZE (NAME_MAX + 1)

static int open_node(const char *path)
{
	return open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
}

/* Read an attribute of the port that the kernel calls device. */
static bool read_attribute(const char *device, const char *attribute, char value[NAME_SIZE])
{
	char path[PATH_MAX];

	return text_print(path, sizeof(path), PORTS "/%s/%s", device, attribute) &&
		kernel_file_read_line(path, value, NAME_SIZE);
}

/* The kernel's name (vport0p1) of the port that the host calls name. */
static bool find_device(const char *name, char device[NAME_SIZE])
{
	struct directory ports;
	const char *entry;
	bool found = false;

	if (!directory_open(&ports, PORTS))
		return false;
	while (!found && (entry = directory_next(&ports))) {
		char value[NAME_SIZE];

		found = read_attribute(entry, "name", value) && text_equals(value, name) &&
			text_print(device, NAME_SIZE, "%s", entry);
	}
	directory_close(&ports);
	return found;
}

static bool device_number(const char *device, dev_t *number)
{
	char value[NAME_SIZE];

	return read_attribute(device, "dev", value) && parse_device(value, number);
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

int virtio_port_open(const char *path)
{
	static const char folders[][5] = {"/dev", "/run", "/tmp", "/"};
	char device[NAME_SIZE];
	const char *name = text_after(path, VIRTIO_PORT_LINKS);
	int file = open_node(path);
	dev_t number;

	if (file >= 0 || (errno != ENOENT && errno != ENOTDIR))
		return file;
	if (name ? !find_device(name, device)
		 : !text_print(device, sizeof(device), "%s",
			   strrchr(path, '/') ? strrchr(path, '/') + 1 : path)) {
		errno = ENOENT;
		return -1;
	}
	if (!device_number(device, &number)) {
		errno = ENOENT;
		return -1;
	}
	if (!state_frozen)
		(void)mkdir(folders[0], 0755);
	for (unsigned i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		file = open_in(folders[i], device, number);
		if (file >= 0 || errno == EBUSY)
			return file;
	}
	return -1;
}
