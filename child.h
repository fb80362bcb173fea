/* Programs that a command waits for, and work of its own that may take long. Both run in a session
 * of their own while the loop turns; what they say is kept. */
#ifndef CHILD_H
#define CHILD_H

#include <stddef.h>

/* More does not fit into a pipe that nobody reads. */
#define CHILD_INPUT_MAX 65536

struct child {
	/* The program, a path, and its words, ended by NULL; or NULL: work is called. */
	const char *const *words;
	/* In a copy of the agent whose descriptors from 3 on are closed, but for report, a pipe
	 * for what it has to say. Returns the exit status. It may block for as long as it wants. */
	int (*work)(int report);
	const char *input; /* of a program's stdin, input_size bytes, at most CHILD_INPUT_MAX */
	size_t input_size;
	/* The beginning of what a program says on stdout and stderr, without newlines at its end,
	 * or of what work reported (then at most 65536 bytes); ends in a NUL. output_size is at
	 * least 1. */
	char *output;
	size_t output_size;
	int limit_ms; /* then it and all of its process group is killed; 0: never */
};

/* Run it to its end, with the agent's environment. Returns the status as wait(2) has it, SIGKILL's
 * where the limit was exceeded; or -1 with errno if it could not be started. */
int child_run(const struct child *child);

/* For work: report a text, and be the status of failure. */
int child_fail(int report, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* It failed with that status: output says why, or, where it said nothing, how it ended. */
void child_explain(const struct child *child, int status);

#endif
