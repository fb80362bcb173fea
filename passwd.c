#include "passwd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include "date.h"
#include "lines.h"
#include "text_file.h"

/* As long as lckpwdf(3) of glibc tries. */
#define LOCK_TRIES 150
#define LOCK_TRY_MS 100

bool passwd_find(const char *name, struct account *account)
{
	struct lines lines;
	const char *line;

	if (!lines_open(&lines, "/etc/passwd", 0))
		return false;
	while ((line = lines_next(&lines)) && !passwd_parse_line(line, name, account)) {
	}
	lines_close(&lines);
	errno = PASSWD_NO_USER;
	return line;
}

/* Edit the file in folder, or add what it lacks. Returns 0 or errno. */
static int edit_file(
	int folder, const char *file, const char *name, const char *const values[2], bool may_add)
{
	struct text text;
	int old = text_file_read(folder, file, &text);

	if (old < 0)
		return errno == ENOENT ? PASSWD_NO_USER : errno;
	if (!passwd_edit(&text, name, values)) {
		if (!may_add)
			return PASSWD_NO_USER;
		/* As chpasswd(8) does. */
		text_end_line(&text);
		text_format(&text, "%s:%s:%s:0:99999:7:::\n", name, values[0], values[1]);
	}
	return text_file_replace(folder, file, &text, old) ? 0 : errno;
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

int passwd_set_hash(const char *name, const char *hash)
{
	int folder = open("/etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const char *values[2] = {hash};
	struct account account;
	bool is_shadowed = passwd_find(name, &account) && account.is_shadowed;
	struct timespec now;
	char day[DIGITS_MAX + 1];
	int error;

	if (!take_lock(folder))
		return errno;
	clock_gettime(CLOCK_REALTIME, &now);
	text_print(day, sizeof(day), "%lld", (long long)now.tv_sec / DAY_S);
	values[1] = day; /* of the last change */
	error = edit_file(folder, "shadow", name, values, is_shadowed);
	values[1] = NULL;
	return error == PASSWD_NO_USER ? edit_file(folder, "passwd", name, values, false) : error;
}
