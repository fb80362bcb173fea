/* Character devices by the name that the kernel gives them, also where /dev lacks their node. */
#ifndef DEVICE_H
#define DEVICE_H

#include <stdbool.h>

#define DEVICE_VALUE_SIZE 256

/* Read an attribute, one line, of device in the folder of its class in sysfs. False, with errno, if
 * it cannot. */
bool device_attribute(const char *class_folder, const char *device, const char *attribute,
	char value[DEVICE_VALUE_SIZE]);

/* Open device, of which sysfs says what it is in the folder of its class, for reading and writing,
 * without waiting and without becoming a terminal's owner. If /dev has no node for it, one is
 * made there; where that cannot be, one elsewhere, for as long as opening takes. Returns the
 * descriptor, or -1 with errno (ENOENT if the kernel knows no such device). */
int device_open(const char *class_folder, const char *device);

/* ioctl(2), whose request is an int in some C libraries and a long in others. */
int device_ioctl(int file, unsigned long request, void *argument);

#endif
