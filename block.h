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

struct block {
	char path[BLOCK_PATH_SIZE]; /* its folder in sysfs: /sys/devices/.../vda */
	const char *name;	    /* in path, the kernel's: vda, cciss!c0d0 */
};

/* Find the device that a link in a folder of sysfs stands for: vda in /sys/block, 254:0 in
 * /sys/dev/block. False if there is none. */
bool block_find(struct block *block, const char *folder, const char *link);

/* Does it exist in the kernel alone, as loop, md and dm devices do? */
bool block_is_virtual(const struct block *block);

/* Read an attribute of the device, or what is below its folder. False if it is absent or empty. */
bool block_attribute(const struct block *block, const char *name, char value[BLOCK_ATTRIBUTE_SIZE]);

/* Open the folder that has the names of the devices which a disk is made of. False, with errno, if
 * there is none. */
bool block_open_slaves(const struct block *block, struct directory *slaves);

/* The path of the node that devtmpfs makes for a device of this name. */
void block_node(const char *name, char node[BLOCK_NODE_SIZE]);
/* Write it as a JSON string. */
void block_put_node(const char *name);

/* Write the ADDRESS of a device that is not virtual, a JSON object: where its disk is attached. */
void block_put_address(const struct block *block);

/* Write a JSON array: the ADDRESS of each device that a device lies on, itself or, where it is
 * virtual, those that it is made of; empty where there are none. */
void block_put_addresses(unsigned major, unsigned minor);

/* Read numbers from text as format says: d is a decimal one, x a hexadecimal one, all else stands
 * for itself. Returns what follows, or NULL if text is otherwise. */
const char *block_scan(const char *text, const char *format, unsigned *numbers);

#endif
