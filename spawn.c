#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "loop.h"
#include "text.h"

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define CANNOT_EXECUTE 127

static struct rlimit file_limit;

void spawn_prepare(void)
{
	if (prlimit(0, RLIMIT_NOFILE, NULL, &file_limit) == 0) {
		const struct rlimit most = {file_limit.rlim_max, file_limit.rlim_max};

		(void)prlimit(0, RLIMIT_NOFILE, &most, NULL);
	}
}

static const char *search_path(char *const *environment)
{
	const char *path = NULL;

	for (; *environment && !path; environment++)
		path = text_after(*environment, "PATH=");
	if (!path)
		path = getenv("PATH");
	return path ? path : DEFAULT_PATH;
}

/* Try each folder of PATH; returns only when none has a program that can be executed. */
static void execute_found(const struct spawn *spawn, char candidate[PATH_MAX])
{
	const char *folder = search_path(spawn->environment);
	int error = ENOENT;

	for (;; folder++) {
		size_t size = strcspn(folder, ":");

		if (text_print(candidate, PATH_MAX, "%.*s%s%s", (int)size, folder,
			    size > 0 ? "/" : "", spawn->path)) {
			execve(candidate, spawn->arguments, spawn->environment);
			if (errno == EACCES)
				error = EACCES;
			else if (errno != ENOENT && errno != ENOTDIR)
				return;
		}
		folder += size;
		if (*folder == '\0')
			break;
	}
	errno = error;
}

/* What the child does. It runs in our memory while we wait, so it only calls the system. */
static void become_program(const struct spawn *spawn, char candidate[PATH_MAX])
{
	setsid();
	for (int fd = 0; fd < 3; fd++)
		dup2(spawn->files[fd], fd);
	loop_reset_signals();
	if (file_limit.rlim_max != 0)
		(void)prlimit(0, RLIMIT_NOFILE, &file_limit, NULL);
	if (strchr(spawn->path, '/'))
		execve(spawn->path, spawn->arguments, spawn->environment);
	else if (*spawn->path == '\0')
		errno = ENOENT;
	else
		execute_found(spawn, candidate);
}

pid_t spawn_start(const struct spawn *spawn)
{
	char candidate[PATH_MAX]; /* the child uses our stack while we wait */
	static volatile int error;
	pid_t pid;

	error = 0;
	pid = vfork();
	if (pid == 0) {
		become_program(spawn, candidate);
		error = errno;
		_exit(CANNOT_EXECUTE);
	}
	if (pid > 0 && error != 0) {
		/* Reaped with the others: nobody asked for it. */
		errno = error;
		return -1;
	}
	return pid;
}

/* The C library's part in it would be larger than this program's needs. */
pid_t spawn_fork(void)
{
#ifdef __s390__ /* clone(2): there the stack comes first */
	return (pid_t)syscall(SYS_clone, 0, SIGCHLD, 0, 0, 0);
#else
	return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
#endif
}

void spawn_close_from(int first)
{
	struct rlimit limit = {0};

	if (syscall(SYS_close_range, first, UINT32_MAX, 0) == 0)
		return;
	(void)prlimit(0, RLIMIT_NOFILE, NULL, &limit);
	for (; (unsigned)first < limit.rlim_cur; first++)
		close(first);
}

int spawn_open_store(void)
{
	static const char folders[][5] = {"/run", "/tmp", "/"};
	int file = memfd_create("tinyqga", MFD_CLOEXEC);

	for (unsigned i = 0; file < 0 && errno != EMFILE && errno != ENFILE && i < 3; i++)
		file = open(folders[i], O_TMPFILE | O_RDWR | O_CLOEXEC | O_EXCL, 0600);
	return file;
}

int spawn_open_null(void)
{
	int file = open("/dev/null", O_RDWR | O_CLOEXEC | O_NOCTTY);

	if (file < 0 && errno != EMFILE && errno != ENFILE)
		file = spawn_open_store();
	return file;
}
