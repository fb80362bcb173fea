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
#include "text_file.h"

#define FOLDER ".ssh"
#define FILE_NAME "authorized_keys"
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
	return home < 0 ? -1 : openat(home, FOLDER, FOLDER_FLAGS | O_NOFOLLOW);
}

/* Is it the owner's, or root's with no name elsewhere, so that the owner could read it? */
static bool is_sound(int file, const struct account *account)
{
	struct stat status;

	if (fstatat(file, "", &status, AT_EMPTY_PATH) != 0)
		return false;
	errno = EPERM;
	return status.st_uid == account->uid || (status.st_uid == 0 && status.st_nlink == 1);
}

bool keys_get(const struct account *account, struct text *text)
{
	uid_t owner;
	int home = open_home(account, &owner);
	int folder = open_folder(home);
	int file = folder < 0 ? -1 : text_file_read(folder, FILE_NAME, text);
	bool good = file >= 0 && is_sound(file, account);
	int error = errno;

	close(home);
	close(folder);
	close(file);
	errno = error;
	return good;
}

/* ---- Changing ---- */

static int change_file(int folder, const struct json_token *keys, enum keys_change change)
{
	struct text text;
	bool changed = change != KEYS_REMOVE;

	if (text_file_read(folder, FILE_NAME, &text) < 0 && errno != ENOENT)
		return errno;
	if (change == KEYS_RESET)
		text.used = 0;
	text_end_line(&text);
	for (const struct json_token *key = keys + 1; key < keys + keys->span; key++)
		changed |= (change == KEYS_REMOVE ? keys_remove : keys_add)(&text, key);
	return !changed || text_file_replace(folder, FILE_NAME, &text, -1) ? 0 : errno;
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
	/* It tells what it was before; -1 changes nothing. */
	if ((uid_t)setfsuid((uid_t)-1) != account->uid)
		return EPERM;
	return change_file(folder, keys, change);
}
