#include "freeze.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "child.h"
#include "error_text.h"
#include "kernel_file.h"
#include "log.h"
#include "mounts.h"
#include "open_error.h"
#include "options.h"
#include "pages.h"
#include "state.h"
#include "text.h"

/* A database may take two minutes to come to rest; a hook that takes much longer never ends. */
#define HOOK_LIMIT_MS (300 * 1000)
#define BOOT_ID_SIZE 64

PAGES_SELDOM char freeze_error[PATH_MAX + 256];

/* ---- The state that outlives the agent ---- */

static char flag_path[PATH_MAX];

/* Of a disk's state folder, a flag of before the last boot means nothing. */
static bool read_boot_id(char id[BOOT_ID_SIZE])
{
	return kernel_file_read_line("/proc/sys/kernel/random/boot_id", id, BOOT_ID_SIZE);
}

void freeze_resume(void)
{
	char flag[BOOT_ID_SIZE];
	char id[BOOT_ID_SIZE];

	text_print(flag_path, sizeof(flag_path), "%s/" STATE_FROZEN_FILE, options.state_dir);
	state_frozen = kernel_file_read(flag_path, O_NOFOLLOW, flag, BOOT_ID_SIZE) > 0 &&
		read_boot_id(id) && text_equals(flag, id);
}

/* Where nothing can be kept, an agent that is started again has to be told to thaw. */
static void put_flag(void)
{
	char id[BOOT_ID_SIZE];
	int file;

	read_boot_id(id);
	file = open(flag_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
		0600);
	(void)write(file, id, strlen(id));
	close(file);
}

static void remove_flag(void)
{
	(void)unlink(flag_path);
}

/* ---- In the child ---- */

/* The mount points of the filesystems to freeze, opened one behind the other. */
static struct {
	int report;
	int first; /* 0: none */
	int last;
	bool failed;
	bool (*wanted)(const char *mount_point);
} targets;

static uint64_t counted;

static void open_target(const struct mount *mount)
{
	struct stat status;
	int file;

	if (targets.failed || mounts_noted(mount) ||
		(targets.wanted && !targets.wanted(mount->point)))
		return;
	file = kernel_file_open(mount->point, 0);
	if (file < 0) {
		targets.failed = true;
		child_fail(
			targets.report, "failed to open %s: %s", mount->point, error_text(errno));
		return;
	}
	/* Another filesystem may be mounted over it; then perhaps it is seen elsewhere. */
	if (!mount_is_btrfs(mount) && fstatat(file, "", &status, AT_EMPTY_PATH) == 0 &&
		status.st_dev != mount->device) {
		close(file);
		return;
	}
	mounts_note(mount);
	targets.last = file;
	if (targets.first == 0)
		targets.first = file;
}

static int fail_to_freeze(int report, int file)
{
	int error = errno;
	char path[32];
	char point[PATH_MAX];

	text_print(path, sizeof(path), "/proc/self/fd/%d", file);
	kernel_file_link(path, point, sizeof(point));
	return child_fail(report, "failed to freeze %s: %s", point, error_text(error));
}

static int fail_to_read(int report)
{
	return child_fail(report, OPEN_ERROR, MOUNTS_FILE, error_text(errno));
}

static int finish(int report)
{
	child_fail(report, "%llu", (unsigned long long)counted);
	return 0;
}

static int freeze(int report)
{
	/* Whoever follows an agent that was killed must not thaw while we still freeze. */
	(void)syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL);
	targets.report = report;
	if (!mounts_walk(open_target))
		return fail_to_read(report);
	if (targets.failed)
		return 1;
	/* From here to the thaw, nothing can be made or removed where it may be kept. */
	if (targets.first != 0)
		put_flag();
	/* One may lie in a file on another: that was mounted before, and is frozen after it. */
	for (int file = targets.last; file >= targets.first && file != 0; file--) {
		if (syscall(SYS_ioctl, file, FIFREEZE, 0) == 0)
			counted++;
		else if (errno != EOPNOTSUPP && errno != EBUSY)
			return fail_to_freeze(report, file);
	}
	if (counted == 0)
		remove_flag();
	return finish(report);
}

static void thaw_mount(const struct mount *mount)
{
	int file = kernel_file_open(mount->point, 0);
	bool thawed = false;

	while (syscall(SYS_ioctl, file, FITHAW, 0) == 0)
		thawed = true;
	counted += thawed;
	close(file);
}

static int thaw(int report)
{
	if (!mounts_walk(thaw_mount))
		return fail_to_read(report);
	remove_flag();
	return finish(report);
}

/* ---- In the agent ---- */

static bool run_hook(const char *argument)
{
	const char *const words[] = {options.fsfreeze_hook, argument, NULL};
	char output[1024];
	const struct child child = {.words = words,
		.output = output,
		.output_size = sizeof(output),
		.limit_ms = HOOK_LIMIT_MS};
	int status;

	if (*options.fsfreeze_hook == '\0')
		return true;
	status = child_run(&child);
	if (status == 0)
		return true;
	child_explain(&child, status);
	text_print(freeze_error, sizeof(freeze_error),
		"child process has failed to execute fsfreeze hook: %s", output);
	return false;
}

/* Run work, which reports how many filesystems it was for, or why it failed. */
static bool count_by(int (*work)(int report), uint64_t *count)
{
	const struct child child = {
		.work = work, .output = freeze_error, .output_size = sizeof(freeze_error)};
	int status = child_run(&child);

	child_explain(&child, status);
	return status == 0 && parse_unsigned(freeze_error, count);
}

static void set_thawed(void)
{
	state_frozen = false;
	log_reopen();
}

bool freeze_begin(bool (*wanted)(const char *mount_point), uint64_t *count)
{
	if (!run_hook("freeze"))
		return false;
	state_frozen = true;
	targets.wanted = wanted;
	if (!count_by(freeze, count))
		return false;
	if (*count == 0)
		set_thawed();
	return true;
}

bool freeze_end(uint64_t *count)
{
	*count = 0;
	if (!count_by(thaw, count))
		return false;
	set_thawed();
	return run_hook("thaw");
}
