/* The time zone in force, from the files of the tz database (RFC 9636) and the rules of POSIX's TZ
 * variable, as these have it and without libc, whose functions allocate. */
#ifndef TIMEZONE_H
#define TIMEZONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The years 1 and 9999: between them the functions here are defined. */
#define ZONE_NOW_MIN (-62135596800)
#define ZONE_NOW_MAX 253402300799

struct zone {
	int32_t offset_s; /* east of UTC, summer time included */
	const char *name; /* within what the zone was read from, or static */
	size_t name_size;
};

/* The zone at now_s (seconds of Unix time) where the agent runs: what the variable TZ says, else
 * /etc/localtime, else the rule or the name of a zone in /etc/TZ or /etc/timezone; UTC where there
 * is none of these, or it cannot be used. The name is there until the next call. */
void zone_at(int64_t now_s, struct zone *zone);

/* The zone at now_s under the rule that text begins with, such as EST5EDT,M3.2.0,M11.1.0
 * (POSIX.1-2024, with the hours of -167 to 167 of RFC 9636). False if there is none; but of one
 * that is wrong, what is right may be taken. */
bool zone_rule_at(const char *text, int64_t now_s, struct zone *zone);

/* The zone at now_s by a TZif file, versions 1 to 4, of size bytes and a NUL behind them (below 0:
 * none). Leap seconds are not counted: now_s is compared with the transitions as the file has
 * them. False if the file is corrupt or none. */
bool zone_file_at(const char *file, ssize_t size, int64_t now_s, struct zone *zone);

/* Does the text of /etc/adjtime (adjtime_config(5)) say that the RTC is in local time? */
bool zone_adjtime_is_local(const char *text);

#endif
