#include "authorized_keys.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/openat2.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "keys_text.h"
#include "replacement.h"
#include "scratch.h"

#define FOLDER ".ssh"
#define FILE_NAME "authorized_keys"
/* What a quota might not keep the owner from. */
#define FILE_MAX (64 << 20)
#define FOLDER_FLAGS (O_RDONLY | O_DIRECTORY | O_CLOEXEC)

/* ---- Opening ---- */

/* Returns the home, and who may change what is in it. */
static int open_home(const struct account *account, uid_t *owner)
{
	struct open_how how = {.flags = FOLDER_FLAGS, .resolve = RESOLVE_NO_SYMLINKS};
	int home = (int)syscall(SYS_openat2, AT_FDCWD, account->home, &how, sizeof(how));
	bool has_link = home < 0;
	struct stat status;

	if (has_link)
		home = open(account->home, FOLDER_FLAGS);
	if (home < 0 || fstatat(home, "", &status, AT_EMPTY_PATH) != 0)
		return -1;
	*owner = status.st_uid;
	if (status.st_uid == account->uid ||
		(status.st_uid == 0 && !has_link && !(status.st_mode & (S_IWGRP | S_IWOTH))))
		return home;
	close(home);
	errno = EPERM;
	return -1;
}

static int open_folder(int home)
{
	return openat(home, FOLDER, FOLDER_FLAGS | O_NOFOLLOW);
}

/* One that the owner could read is the owner's, or root's with no name elsewhere. */
static bool is_sound(int file, const struct account *account)
{
	struct stat status;

	if (fstatat(file, "", &status, AT_EMPTY_PATH) != 0)
		return false;
	errno = EPERM;
	if (!S_ISREG(status.st_mode) ||
		(status.st_uid != account->uid && (status.st_uid != 0 || status.st_nlink > 1)))
		return false;
	errno = EFBIG;
	return status.st_size <= FILE_MAX;
}

int keys_open(const struct account *account)
{
	uid_t owner;
	int home = open_home(account, &owner);
	int folder = open_folder(home);
	int file = openat(
		folder, FILE_NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	bool sound = file >= 0 && is_sound(file, account);
	int error = errno;

	close(home);
	close(folder);
	if (sound)
		return file;
	close(file);
	errno = error;
	return -1;
}

/* ---- Changing ---- */

static bool filter_file(int file, struct keys_filter *filter)
{
	off_t at = 0;
	ssize_t count;

	while ((count = pread(file, scratch, SCRATCH_SIZE, at)) > 0 && at < FILE_MAX) {
		keys_filter_bytes(filter, scratch, (size_t)count);
		at += count;
	}
	keys_filter_end(filter);
	if (count > 0)
		errno = EFBIG;
	return count == 0;
}

static void put_replacement(void *to, const char *bytes, size_t size)
{
	replacement_put(to, bytes, size);
}

/* Append those keys that are not there yet. */
static bool add_keys(struct replacement *file, const struct json_token *keys, size_t count)
{
	bool good = replacement_flush(file);

	for (size_t i = 0; good && i < count; i++) {
		struct keys_filter found = {.keys = &keys[i], .count = 1};

		good = filter_file(file->file, &found);
		if (found.dropped == 0) {
			replacement_put(file, keys[i].text, keys[i].size);
			replacement_put(file, "\n", 1);
			good = good && replacement_flush(file);
		}
	}
	return good;
}

static int change_file(int folder, const struct json_token *keys, enum keys_change change)
{
	static struct replacement file;
	struct keys_filter filter = {.put = put_replacement, .to = &file};
	bool good = true;

	if (!replacement_begin(&file, folder, FILE_NAME))
		return errno;
	if (change == KEYS_REMOVE) {
		filter.keys = keys + 1;
		filter.count = keys->span - 1;
	}
	if (file.old >= 0 && change != KEYS_RESET)
		good = filter_file(file.old, &filter);
	if (change != KEYS_REMOVE)
		good = good && add_keys(&file, keys + 1, keys->span - 1);
	else if (filter.dropped == 0 && good) {
		(void)replacement_end(&file, false);
		return 0;
	}
	return replacement_end(&file, good) ? 0 : errno;
}

int keys_change(
	const struct account *account, const struct json_token *keys, enum keys_change change)
{
	uid_t owner;
	int home = open_home(account, &owner);
	int folder;

	if (home < 0)
		return change == KEYS_REMOVE && errno == ENOENT ? 0 : errno;
	(void)setgroups(0, NULL);
	if (owner == account->uid) {
		(void)setfsgid(account->gid);
		(void)setfsuid(account->uid);
	}
	if (change != KEYS_REMOVE && mkdirat(home, FOLDER, 0700) == 0 && owner != account->uid &&
		fchownat(home, FOLDER, account->uid, account->gid, AT_SYMLINK_NOFOLLOW) != 0)
		return errno;
	folder = open_folder(home);
	if (folder < 0)
		return change == KEYS_REMOVE && errno == ENOENT ? 0 : errno;
	(void)setfsgid(account->gid);
	(void)setfsuid(account->uid);
	return change_file(folder, keys, change);
}
