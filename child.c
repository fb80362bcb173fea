#include "child.h"

#include <errno.h>
#include <unistd.h>

#include "loop.h"
#include "spawn.h"

#define RUNNING (-2)

static int child_status; /* of the one that runs: turns of the loop start no other */

static void end_child(void *context, int status)
{
	(void)context;
	child_status = status;
}

int child_run(const char *const words[], char *output, size_t size)
{
	int store = spawn_open_store();
	/* At its end it is also as empty an input as any. */
	const struct spawn spawn = {words[0], (char *const *)words, environ, {store, store, store}};
	pid_t pid = loop_child_room() ? spawn_start(&spawn) : -1;
	ssize_t count;

	child_status = pid;
	if (pid > 0) {
		child_status = RUNNING;
		loop_child(pid, end_child, NULL);
		while (child_status == RUNNING)
			loop_turn(-1);
	}
	count = pread(store, output, size - 1, 0);
	while (count > 0 && output[count - 1] == '\n')
		count--;
	output[count < 0 ? 0 : count] = '\0';
	close(store);
	return child_status;
}
