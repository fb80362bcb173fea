#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "children.h"
#include "error_text.h"
#include "kernel_file.h"
#include "loop.h"
#include "spawn.h"
#include "text.h"

#define RUNNING (-2)
#define REPORT_SIZE (PATH_MAX + 256) /* a sentence about a path */

static int child_status; /* of the one that runs: turns of the loop start no other */

static void end_child(void *context, int status)
{
	(void)context;
	child_status = status;
}

/* A pipe with the child's input in it. Returns its reading end, or -1 with errno. */
static int fill_pipe(const struct child *child)
{
	int ends[2];
	ssize_t count;

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
		return -1;
	count = write(ends[1], child->input, child->input_size);
	close(ends[1]);
	/* The program is not used to a stdin that does not block. */
	(void)fcntl(ends[0], F_SETFL, O_RDONLY);
	if (count == (ssize_t)child->input_size)
		return ends[0];
	close(ends[0]);
	errno = E2BIG;
	return -1;
}

static pid_t start_program(const struct child *child, int store)
{
	struct spawn spawn = {child->words[0], (char *const *)child->words, environ,
		/* At its end the store is as empty an input as any. */
		{store, store, store}};
	pid_t pid;

	if (child->input && (spawn.files[0] = fill_pipe(child)) < 0)
		return -1;
	pid = spawn_start(&spawn);
	if (child->input) {
		int error = errno;

		close(spawn.files[0]);
		errno = error;
	}
	return pid;
}

static pid_t start_work(const struct child *child, int report)
{
	pid_t pid = spawn_fork();

	if (pid == 0) {
		dup2(report, 3);
		spawn_close_from(4);
		kernel_file_forget();
		setsid();
		loop_reset_signals();
		_exit(child->work(3));
	}
	return pid;
}

static void wait_for_end(pid_t pid, int limit_ms)
{
	int64_t end_ms = loop_now_ms() + limit_ms;

	while (child_status == RUNNING) {
		int64_t left_ms = limit_ms > 0 ? end_ms - loop_now_ms() : -1;

		if (limit_ms > 0 && left_ms <= 0) {
			(void)kill(-pid, SIGKILL);
			limit_ms = 0;
			left_ms = -1;
		}
		loop_turn((int)left_ms);
	}
}

/* Where its output goes (1), and comes from (0). What a program says may be long, and goes to a
 * file; but that may be on a disk, which our own work must be able to freeze. */
static bool open_output(const struct child *child, int ends[2])
{
	if (!child->words)
		return pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0;
	ends[0] = ends[1] = spawn_open_store();
	return ends[0] >= 0;
}

static void close_output(const int ends[2])
{
	close(ends[0]);
	if (ends[1] != ends[0])
		close(ends[1]);
}

int child_run(const struct child *child)
{
	int ends[2];
	pid_t pid = -1;
	ssize_t count;

	child->output[0] = '\0';
	if (!open_output(child, ends))
		return -1;
	errno = EAGAIN;
	if (children_room())
		pid = child->words ? start_program(child, ends[1]) : start_work(child, ends[1]);
	child_status = pid;
	if (pid > 0) {
		child_status = RUNNING;
		children_add(pid, end_child, NULL);
		wait_for_end(pid, child->limit_ms);
		count = child->words ? pread(ends[0], child->output, child->output_size - 1, 0)
				     : read(ends[0], child->output, child->output_size - 1);
		while (count > 0 && child->words && child->output[count - 1] == '\n')
			count--;
		child->output[count < 0 ? 0 : count] = '\0';
	}
	close_output(ends);
	return child_status;
}

int child_fail(int report, const char *format, ...)
{
	char bytes[REPORT_SIZE];
	struct text text = text_in(bytes, sizeof(bytes));
	va_list values;

	va_start(values, format);
	text_vformat(&text, format, values);
	va_end(values);
	(void)write(report, bytes, text.used);
	return EXIT_FAILURE;
}

void child_explain(const struct child *child, int status)
{
	if (child->output[0] != '\0')
		return;
	if (status < 0)
		text_print(child->output, child->output_size, "%s", error_text(errno));
	else
		text_print(child->output, child->output_size,
			WIFSIGNALED(status) ? "killed by signal %d" : "exit status %d",
			WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}
