/* Who is logged in: the records of utmp(5), as glibc writes them. */
#ifndef UTMP_H
#define UTMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The layout depends on the architecture: where programs of 32 bits cannot run, times are long. */
#if defined(__aarch64__) || defined(__loongarch64)
#define UTMP_SIZE 400
#define UTMP_TIME_AT 344
#define UTMP_TIME_TYPE int64_t
#else
#define UTMP_SIZE 384
#define UTMP_TIME_AT 340
#define UTMP_TIME_TYPE uint32_t
#endif
#define UTMP_USER_AT 44
#define UTMP_USER_SIZE 32
#define UTMP_USER_PROCESS 7

struct utmp {
	int file;
	off_t at;
	char record[UTMP_SIZE];
};

struct login {
	const char *user;
	size_t user_size;
	uint64_t time_us;
};

/* Open /run/utmp, or /var/run/utmp; where there is neither, it is as if it were empty. */
void utmp_open(struct utmp *utmp);

/* The next user, with the earliest of its logins; each comes once. False at the end. It uses the
 * scratch buffer. */
bool utmp_next(struct utmp *utmp, struct login *login);

void utmp_close(struct utmp *utmp);

/* The login that a record of UTMP_SIZE bytes, aligned or not, tells of; false if it tells of none.
 */
bool utmp_login(const char *record, struct login *login);

#endif
