/* What can be switched off in a running machine, processors and blocks of memory: sysfs has a
 * folder for each, /sys/devices/system/KIND/KINDnumber, and in that a file that says whether it is
 * on, and switches it. */
#ifndef HOTPLUG_H
#define HOTPLUG_H

#include <stdbool.h>
#include <stdint.h>

#include "json.h"

#define HOTPLUG_PATH_SIZE 96 /* of our own names and a number */

/* What was looked at last: where something failed. */
extern char hotplug_path[HOTPLUG_PATH_SIZE];

struct hotplug {
	char kind[8];
	char id[12];	    /* what the protocol calls its number */
	char file[8];	    /* in its folder */
	char states[2][8];  /* what off and on are in that file */
	char removable[12]; /* the file with 0 where it must stay on, or "" */
};

enum hotplug_outcome {
	HOTPLUG_DONE,
	HOTPLUG_FAILED,
	HOTPLUG_MISSING, /* there is no such folder */
	HOTPLUG_FIXED,	 /* it has no file, so it is on and stays so */
};

/* Write all as an array, in ascending order. False, with errno, if that kind has no folder. */
bool hotplug_put(const struct hotplug *hotplug);

/* Switch one on or off, as item of a request says, unless it is so already; *number is its number.
 * The kernel may take long, and the loop turns meanwhile. Sets errno unless HOTPLUG_DONE. */
enum hotplug_outcome hotplug_switch(
	const struct hotplug *hotplug, struct json_token *item, uint64_t *number);

#endif
