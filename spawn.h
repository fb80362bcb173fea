/* Starting programs: without fork's copying, and with nothing of ours left in them. */
#ifndef SPAWN_H
#define SPAWN_H

#include <sys/types.h>

struct spawn {
	const char *path;	  /* searched for in PATH if it has no slash */
	char *const *arguments;	  /* argv, ended by NULL */
	char *const *environment; /* ended by NULL; its PATH is searched, else the agent's */
	int files[3]; /* what become descriptors 0 to 2; each may stand twice, none is below 3 */
};

/* Allow ourselves as many descriptors as the system does; programs get the limit of before. */
void spawn_prepare(void);

/* Start the program in a session of its own, with default signals. Returns its process number, or
 * -1 with errno, that of execve(2) included. All other descriptors must be close-on-exec. */
pid_t spawn_start(const struct spawn *spawn);

/* A copy of ourselves, as fork(2), but for what the C library does there. */
pid_t spawn_fork(void);
/* Close all descriptors from first on. */
void spawn_close_from(int first);

/* Open /dev/null for reading and writing; where there is none, something as empty. -1 with errno
 * if nothing can be had. */
int spawn_open_null(void);

/* An unnamed file in memory (on disk where the kernel has none such), or -1 with errno. */
int spawn_open_store(void);

#endif
