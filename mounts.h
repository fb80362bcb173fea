/* The mounts of filesystems that lie on disks, as /proc/self/mountinfo has them
 * (proc_pid_mountinfo(5)). */
#ifndef MOUNTS_H
#define MOUNTS_H

#include <stdbool.h>
#include <sys/types.h>

#define MOUNTS_FILE "/proc/self/mountinfo"

struct mount {
	dev_t device; /* of btrfs none that there is, but the same for each mount of it */
	char *point;
	char *type;
	char *source;
};

/* Take a line apart, in place. False if it is none of a mount. */
bool mount_parse(char *line, struct mount *mount);

/* Has it no block device's number, because it may lie on several? */
bool mount_is_btrfs(const struct mount *mount);

/* Call visit for each mount of a filesystem on a block device and of btrfs, in the order of the
 * table. What visit calls must leave the scratch buffer alone. False, with errno, if the table
 * cannot be read. */
bool mounts_walk(void (*visit)(const struct mount *mount));

/* In a walk: was a mount of the same filesystem noted? */
bool mounts_noted(const struct mount *mount);
void mounts_note(const struct mount *mount);

#endif
