#include "virtio_port.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "device.h"
#include "directory.h"
#include "text.h"

#define PORTS "/sys/class/virtio-ports"
#define NAME_SIZE (NAME_MAX + 1)

/* The kernel's name (vport0p1) of the port that the host calls name. */
static bool find_device(const char *name, char device[NAME_SIZE])
{
	struct directory ports;
	const char *entry;
	bool found = false;

	if (!directory_open(&ports, PORTS))
		return false;
	while (!found && (entry = directory_next(&ports))) {
		char value[DEVICE_VALUE_SIZE];

		found = device_attribute(PORTS, entry, "name", value) && text_equals(value, name) &&
			text_print(device, NAME_SIZE, "%s", entry);
	}
	directory_close(&ports);
	return found;
}

int virtio_port_open(const char *path)
{
	char device[NAME_SIZE];
	const char *name = text_after(path, VIRTIO_PORT_LINKS);
	int file = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);

	if (file >= 0 || (errno != ENOENT && errno != ENOTDIR))
		return file;
	if (name ? !find_device(name, device)
		 : !text_print(device, sizeof(device), "%s",
			   strrchr(path, '/') ? strrchr(path, '/') + 1 : path)) {
		errno = ENOENT;
		return -1;
	}
	return device_open(PORTS, device);
}
