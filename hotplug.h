/* What can be switched off in a running machine, processors and blocks of memory: sysfs has a
 * folder for each, and in that a file that says whether it is on, and switches it. */
#ifndef HOTPLUG_H
#define HOTPLUG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A kind of them. */
struct hotplug {
	char name[8];	   /* folders are called /sys/devices/system/NAME/NAMEnumber */
	char file[8];	   /* in such a folder */
	char states[2][8]; /* what off and on are in it */
};

enum hotplug_outcome {
	HOTPLUG_DONE,
	HOTPLUG_FAILED,
	HOTPLUG_MISSING, /* there is no such folder */
	HOTPLUG_FIXED,	 /* it is on and has no file: nothing can switch it off */
};

/* Tell the number of each in ascending order. False, with errno, if there is no folder of that
 * kind. */
bool hotplug_each(const struct hotplug *kind, void (*tell)(uint64_t number));

/* Read the first line of the file name, size bytes at most. False, with errno, if it cannot. */
bool hotplug_read(
	const struct hotplug *kind, int64_t number, const char *name, char *line, size_t size);

/* Is one on? Where the file is missing it is, and *fixed. */
bool hotplug_is_on(const struct hotplug *kind, int64_t number, bool *fixed);

/* Switch one on or off, if it is not. The kernel may take long, and the loop turns meanwhile. Sets
 * errno unless HOTPLUG_DONE. */
enum hotplug_outcome hotplug_switch(const struct hotplug *kind, int64_t number, bool on);

#endif
