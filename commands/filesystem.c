/* The filesystems on disks: what they hold, and bringing them to rest. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "block.h"
#include "child.h"
#include "commands.h"
#include "error_text.h"
#include "freeze.h"
#include "kernel_file.h"
#include "mounts.h"
#include "open_error.h"
#include "state.h"
#include "text.h"

static bool is_first(const struct mount *mount)
{
	if (mounts_noted(mount))
		return false;
	mounts_note(mount);
	return true;
}

/* Write the array of what visit writes. */
static bool put_rows(struct request *request, void (*visit)(const struct mount *mount))
{
	json_begin('[');
	if (!mounts_walk(visit)) {
		reply_open_error(request, MOUNTS_FILE);
		return false;
	}
	json_end(']');
	return true;
}

/* ---- What they hold ---- */

static dev_t block_device(const struct mount *mount)
{
	struct stat status;

	if (major(mount->device) == 0 && fstatat(AT_FDCWD, mount->source, &status, 0) == 0 &&
		S_ISBLK(status.st_mode))
		return status.st_rdev;
	return mount->device;
}

/* Is it what its mount point shows, with no other filesystem mounted over it? */
static bool is_seen(const struct mount *mount)
{
	struct stat status;

	return mount_is_btrfs(mount) ||
		(fstatat(AT_FDCWD, mount->point, &status, 0) == 0 &&
			status.st_dev == mount->device);
}

static void put_usage(const struct mount *mount)
{
	struct statfs usage;
	uint64_t unit;
	uint64_t used;

	if (!is_seen(mount) || statfs(mount->point, &usage) != 0)
		return;
	unit = (uint64_t)(usage.f_frsize ? usage.f_frsize : usage.f_bsize);
	used = usage.f_blocks - usage.f_bfree;
	json_member_uint("used-bytes", used * unit);
	json_member_uint("total-bytes", (used + usage.f_bavail) * unit);
	json_member_uint("total-bytes-privileged", usage.f_blocks * unit);
}

static void put_filesystem(const struct mount *mount)
{
	dev_t device;
	char number[32];

	if (!is_first(mount))
		return;
	device = block_device(mount);
	text_print(number, sizeof(number), "%u:%u", major(device), minor(device));
	json_begin('{');
	json_member_text("name", block_find(BLOCK_NUMBERS, number) ? block.name : number);
	json_member_text("mountpoint", mount->point);
	json_member_text("type", mount->type);
	put_usage(mount);
	json_put_key("disk");
	block_put_addresses(number);
	json_end('}');
}

static void get_fsinfo(struct request *request)
{
	(void)put_rows(request, put_filesystem);
}

/* ---- Giving unused blocks back ---- */

static const struct mount *trimmed;
static uint64_t trimmed_minimum;

static int trim(int report)
{
	struct fstrim_range range = {.len = UINT64_MAX, .minlen = trimmed_minimum};
	int file = kernel_file_open(trimmed->point, 0);

	if (file < 0)
		return child_fail(report, "failed to open: %s", error_text(errno));
	if (!is_seen(trimmed))
		return child_fail(report, "failed to open: another is mounted over it");
	if (syscall(SYS_ioctl, file, FITRIM, &range) == 0) {
		(void)write(report, &range, sizeof(range));
		return 0;
	}
	if (errno == ENOTTY || errno == EOPNOTSUPP)
		return child_fail(report, "trim not supported");
	return child_fail(report, "failed to trim: %s", error_text(errno));
}

/* In a child of its own, because it may take minutes. */
static void trim_filesystem(const struct mount *mount)
{
	union {
		struct fstrim_range range;
		char text[256];
	} output;
	const struct child child = {
		.work = trim, .output = output.text, .output_size = sizeof(output)};
	int status;

	if (!is_first(mount))
		return;
	trimmed = mount;
	status = child_run(&child);
	json_begin('{');
	json_member_text("path", mount->point);
	if (status == 0) {
		json_member_uint("trimmed", output.range.len);
		json_member_uint("minimum", output.range.minlen);
	} else {
		child_explain(&child, status);
		json_member_text("error", output.text);
	}
	json_end('}');
}

static void fstrim(struct request *request)
{
	trimmed_minimum = (uint64_t)request_int(request, 0, 0);
	json_begin('{');
	json_put_key("paths");
	if (put_rows(request, trim_filesystem))
		json_end('}');
}

/* ---- Bringing them to rest ---- */

static void get_status(struct request *request)
{
	(void)request;
	json_put_text(state_frozen ? "frozen" : "thawed");
}

static void put_count(struct request *request, bool good, uint64_t count)
{
	if (good)
		json_put_uint(count);
	else
		reply_error(request, "%s", freeze_error);
}

static void freeze_wanted(struct request *request, bool (*wanted)(const char *mount_point))
{
	uint64_t count;
	bool good = freeze_begin(wanted, &count);

	put_count(request, good, count);
	if (!good && state_frozen)
		(void)freeze_end(&count);
}

static void freeze_all(struct request *request)
{
	freeze_wanted(request, NULL);
}

static const struct json_token *listed;

static bool is_listed(const char *mount_point)
{
	for (const struct json_token *item = listed + 1; item < listed + listed->span;
		item += item->span) {
		if (text_equals(mount_point, item->text))
			return true;
	}
	return false;
}

static void freeze_list(struct request *request)
{
	listed = request->arguments[0];
	freeze_wanted(request, listed ? is_listed : NULL);
}

static void thaw(struct request *request)
{
	uint64_t count;
	bool good = freeze_end(&count);

	put_count(request, good, count);
}

COMMANDS = {
	{"guest-get-fsinfo", "", 0, get_fsinfo},
	{"guest-fsfreeze-status", "", COMMAND_FROZEN, get_status},
	{"guest-fsfreeze-freeze", "", 0, freeze_all},
	{"guest-fsfreeze-freeze-list", "mountpoints:[s]?", 0, freeze_list},
	{"guest-fsfreeze-thaw", "", COMMAND_FROZEN, thaw},
	{"guest-fstrim", "minimum:i?", 0, fstrim},
};
