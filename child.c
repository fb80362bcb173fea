#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "kernel_file.h"
#include "loop.h"
#include "spawn.h"

#define RUNNING (-2)

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

static pid_t start_work(const struct child *child, int store)
{
	pid_t pid = spawn_fork();

	if (pid == 0) {
		dup2(store, 3);
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

int child_run(const struct child *child)
{
	int store = spawn_open_store();
	pid_t pid = -1;
	ssize_t count;

	child->output[0] = '\0';
	if (store < 0)
		return -1;
	errno = EAGAIN;
	if (loop_child_room())
		pid = child->words ? start_program(child, store) : start_work(child, store);
	child_status = pid;
	if (pid > 0) {
		child_status = RUNNING;
		loop_child(pid, end_child, NULL);
		wait_for_end(pid, child->limit_ms);
		count = pread(store, child->output, child->output_size - 1, 0);
		while (count > 0 && child->words && child->output[count - 1] == '\n')
			count--;
		child->output[count < 0 ? 0 : count] = '\0';
	}
	close(store);
	return child_status;
}
