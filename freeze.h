/* Freezing and thawing the filesystems on disks, so that the host can copy these (fsfreeze(8)). */
#ifndef FREEZE_H
#define FREEZE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

/* Why the last of these failed. */
extern char freeze_error[PATH_MAX + 256];

/* Was an agent ended while filesystems were frozen, since the system was booted? Then they still
 * are. Call it before any file is opened for writing. */
#ifdef WITHOUT_FREEZE
static inline void freeze_resume(void)
{
}
#else
void freeze_resume(void);
#endif

/* Call the hook, and freeze the filesystems with a mount point that is wanted (NULL: every one),
 * those mounted last first. Counts those frozen; with none the state stays thawed. On failure with
 * state_frozen some are frozen: thaw them. */
bool freeze_begin(bool (*wanted)(const char *mount_point), uint64_t *count);

/* Thaw every filesystem, also those that others froze, and call the hook. Counts those thawed,
 * also if the hook fails. */
bool freeze_end(uint64_t *count);

#endif
