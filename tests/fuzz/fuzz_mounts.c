/* Any bytes as a line of the table of mounts: its texts are within the line, whatever it says.
 *
 * Covers: mounts.c
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "mounts.h"
#include "tests/fuzz/harness.h"

static void note(const struct mount *mount)
{
	if (!mounts_noted(mount))
		mounts_note(mount);
	check(mounts_noted(mount));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *line = malloc(size + 1);
	struct mount mount;

	/* Begins a table, so that what was noted of the last is forgotten. */
	check(mounts_walk(note));
	if (size > 0)
		memcpy(line, data, size);
	line[size] = '\0';
	if (mount_parse(line, &mount)) {
		check(*mount.type != '\0');
		check(strlen(mount.point) + strlen(mount.type) + strlen(mount.source) <= size);
		check(!mount_is_btrfs(&mount) || strlen(mount.type) == 5);
		note(&mount);
	}
	free(line);
	return 0;
}
