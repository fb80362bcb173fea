/* What sysfs says of block devices. */
#ifndef BLOCK_H
#define BLOCK_H

#include <stdbool.h>
#include <stddef.h>

#include "directory.h"

/* Of a path below /sys/devices; the deepest today, through USB hubs, have some 200. */
#define BLOCK_PATH_SIZE 1024
#define BLOCK_NODE_SIZE 272 /* "/dev/" and the longest name of a file */

#define BLOCK_ATTRIBUTE_SIZE 128 /* longer ones are cut */

/* The device that was found last, which all that takes none is about. */
extern struct block {
	const char *name;	    /* in path, the kernel's: vda, cciss!c0d0 */
	char path[BLOCK_PATH_SIZE]; /* its folder in sysfs: /sys/devices/.../vda */
} block;

/* Folders of sysfs with a link for each device: by their names, and by their MAJOR:MINOR. */
#define BLOCK_NAMES "/sys/block"
#define BLOCK_NUMBERS "/sys/dev/block"

/* Find the device that a link in a folder of sysfs stands for. False if there is none. */
bool block_find(const char *folder, const char *link);

/* Does it exist in the kernel alone, as loop, md and dm devices do? */
bool block_is_virtual(void);

/* Read an attribute of the device, or what is below its folder. False if it is absent or empty. */
bool block_attribute(const char *name, char value[BLOCK_ATTRIBUTE_SIZE]);

/* Open its folder in sysfs, or one there: "" or "slaves", which has the names of the devices that a
 * disk is made of. False, with errno, if there is none. */
bool block_open_folder(struct directory *folder, const char *name);

/* Write the path of the node that devtmpfs makes for a device of this name, as a JSON string. */
void block_put_node(const char *name);

/* Ask the device's driver by ioctl(2). False if it does not answer. */
bool block_ask(unsigned request, void *argument);

/* Write the ADDRESS of a device that is not virtual, a JSON object: where its disk is attached. */
void block_put_address(void);

/* Write a JSON array: the ADDRESS of each device that a device lies on, itself or, where it is
 * virtual, those that it is made of; empty where there are none. */
void block_put_addresses(const char *number);

/* Read numbers from text as format says: d is a decimal one, x a hexadecimal one, all else stands
 * for itself. Returns what follows, or NULL if text is NULL or otherwise. */
const char *block_scan(const char *text, const char *format, unsigned *numbers);

#endif
