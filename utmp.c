#include "utmp.h"

#include <string.h>
#include <unistd.h>

#include "kernel_file.h"
#include "scratch.h"

#define SECOND_US 1000000
#define BLOCK_SIZE (SCRATCH_SIZE / UTMP_SIZE * UTMP_SIZE)

void utmp_open(struct utmp *utmp)
{
	utmp->at = 0;
	utmp->file = kernel_file_open("/run/utmp", 0);
	if (utmp->file < 0)
		utmp->file = kernel_file_open("/var/run/utmp", 0);
}

void utmp_close(struct utmp *utmp)
{
	close(utmp->file);
	scratch_release(BLOCK_SIZE);
}

bool utmp_login(const char *record, struct login *login)
{
	UTMP_TIME_TYPE time[2]; /* seconds and microseconds */
	int16_t type;

	memcpy(&type, record, sizeof(type));
	memcpy(time, record + UTMP_TIME_AT, sizeof(time));
	login->user = record + UTMP_USER_AT;
	login->user_size = 0;
	while (login->user_size < UTMP_USER_SIZE && login->user[login->user_size] != '\0')
		login->user_size++;
	login->time_us = (uint64_t)time[0] * SECOND_US + (uint64_t)time[1] % SECOND_US;
	return type == UTMP_USER_PROCESS && login->user_size > 0;
}

/* Take the earliest time of the user's logins. False if one stands before the offset own. */
static bool find_others(const struct utmp *utmp, off_t own, struct login *login)
{
	struct login other;
	ssize_t count;

	for (off_t at = 0; (count = pread(utmp->file, scratch, BLOCK_SIZE, at)) >= UTMP_SIZE;) {
		for (char *record = scratch; count >= UTMP_SIZE;
			record += UTMP_SIZE, at += UTMP_SIZE, count -= UTMP_SIZE) {
			if (!utmp_login(record, &other) || other.user_size != login->user_size ||
				memcmp(other.user, login->user, login->user_size) != 0)
				continue;
			if (at < own)
				return false;
			if (other.time_us < login->time_us)
				login->time_us = other.time_us;
		}
	}
	return true;
}

bool utmp_next(struct utmp *utmp, struct login *login)
{
	while (pread(utmp->file, utmp->record, UTMP_SIZE, utmp->at) == UTMP_SIZE) {
		off_t own = utmp->at;

		utmp->at += UTMP_SIZE;
		if (utmp_login(utmp->record, login) && find_others(utmp, own, login))
			return true;
	}
	return false;
}
