#include "passwd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include "date.h"
#include "error_text.h"
#include "lines.h"
#include "replacement.h"
#include "scratch.h"
#include "text.h"

/* As long as lckpwdf(3) of glibc tries. */
#define LOCK_TRIES 150
#define LOCK_TRY_MS 100

static const char no_user[] = "no such user";

const char *passwd_find(const char *name, struct account *account)
{
	struct lines lines;
	const char *line;

	if (!lines_open(&lines, "/etc/passwd", 0))
		return error_text(errno);
	while ((line = lines_next(&lines)) && !passwd_parse_line(line, name, account)) {
	}
	lines_close(&lines);
	return line ? NULL : no_user;
}

static void put_replacement(void *to, const char *bytes, size_t size)
{
	replacement_put(to, bytes, size);
}

/* Copy the old file through edit into the new one. */
static bool copy_edited(struct replacement *file, struct passwd_edit *edit)
{
	off_t at = 0;
	ssize_t count;

	edit->put = put_replacement;
	edit->to = file;
	edit->rest = edit->name;
	while ((count = pread(file->old, scratch, SCRATCH_SIZE, at)) > 0) {
		passwd_edit_bytes(edit, scratch, (size_t)count);
		at += count;
	}
	return count == 0;
}

/* Edit the file name in folder. Returns NULL, or why not. */
static const char *edit_file(int folder, const char *name, struct passwd_edit *edit)
{
	static struct replacement file;
	bool good;

	if (!replacement_begin(&file, folder, name))
		return error_text(errno);
	if (file.old < 0) {
		(void)replacement_end(&file, false);
		return no_user;
	}
	good = replacement_keep_owner(&file) && copy_edited(&file, edit);
	if (good && !edit->found) {
		(void)replacement_end(&file, false);
		return no_user;
	}
	return replacement_end(&file, good) ? NULL : error_text(errno);
}

static bool take_lock(int folder)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int file = openat(folder, ".pwd.lock", O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	for (int tries = 0; file >= 0 && fcntl(file, F_SETLK, &lock) != 0; tries++) {
		if ((errno != EAGAIN && errno != EACCES) || tries == LOCK_TRIES)
			return false;
		(void)poll(NULL, 0, LOCK_TRY_MS);
	}
	return file >= 0;
}

const char *passwd_set_hash(const char *name, const char *hash)
{
	int folder = open("/etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct passwd_edit edit = {.name = name, .values = {hash}};
	struct timespec now;
	char day[DIGITS_MAX + 1];
	const char *fault;

	if (folder < 0 || !take_lock(folder))
		return error_text(errno);
	clock_gettime(CLOCK_REALTIME, &now);
	text_print(day, sizeof(day), "%lld", (long long)now.tv_sec / DAY_S);
	edit.values[1] = day; /* of the last change */
	fault = edit_file(folder, "shadow", &edit);
	edit.values[1] = NULL;
	return fault == no_user ? edit_file(folder, "passwd", &edit) : fault;
}
