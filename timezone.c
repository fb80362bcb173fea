#include "timezone.h"

#include <stdlib.h>
#include <string.h>

#include "kernel_file.h"
#include "pages.h"
#include "scratch.h"
#include "text.h"

#define ZONEINFO "/usr/share/zoneinfo/"
#define ZONE_NAME_SIZE 256
#define ZONE_FILE_SIZE 16384 /* four times the largest of the tz database */

#define HEADER_SIZE 44 /* before each of a file's two blocks of data */
#define VERSION_AT 4
#define COUNTS_AT 20
#define TYPE_SIZE 6
#define TYPE_NAME_AT 5

/* What a header counts, in its order. */
enum { UT_COUNT, STANDARD_COUNT, LEAP_COUNT, TIME_COUNT, TYPE_COUNT, NAME_BYTES, COUNTS };

static int64_t big_endian(const char *bytes, unsigned size)
{
	uint64_t value = (uint64_t)(signed char)*bytes;

	while (--size)
		value = value << 8 | (unsigned char)*++bytes;
	return (int64_t)value;
}

bool zone_file_at(const char *file, ssize_t size, int64_t now_s, struct zone *zone)
{
	int64_t counts[COUNTS];
	int64_t times, indexes, types, names;
	int64_t end = 0;
	int64_t i = 0;
	unsigned type = 0;
	unsigned time_size = 4;

	/* The second block has longer times, and the same once more. */
	for (;; time_size = 8) {
		times = end + HEADER_SIZE;
		if (times > size || !text_after(file + end, "TZif"))
			return false;
		for (unsigned n = 0; n < COUNTS; n++)
			counts[n] = (uint32_t)big_endian(file + end + COUNTS_AT + 4 * n, 4);
		indexes = times + counts[TIME_COUNT] * time_size;
		types = indexes + counts[TIME_COUNT];
		names = types + counts[TYPE_COUNT] * TYPE_SIZE;
		end = names + counts[NAME_BYTES] + counts[LEAP_COUNT] * (time_size + 4) +
			counts[STANDARD_COUNT] + counts[UT_COUNT];
		if (end > size)
			return false;
		if (time_size == 8 || file[VERSION_AT] == '\0')
			break;
	}
	while (i < counts[TIME_COUNT] &&
		big_endian(file + times + i * time_size, time_size) <= now_s)
		i++;
	/* Behind the last transition a rule holds, if there is one. */
	if (i == counts[TIME_COUNT] && time_size == 8 && file[end] != '\0' && file[end + 1] > '\n')
		return zone_rule_at(file + end + 1, now_s, zone);
	if (i > 0)
		type = (unsigned char)file[indexes + i - 1];
	if (type >= counts[TYPE_COUNT])
		return false;
	types += type * TYPE_SIZE;
	names += (unsigned char)file[types + TYPE_NAME_AT];
	if (names >= end)
		return false;
	zone->offset_s = (int32_t)big_endian(file + types, 4);
	zone->name = file + names;
	zone->name_size = strlen(zone->name);
	return true;
}

static bool zone_path_at(const char *path, int64_t now_s, struct zone *zone)
{
	ssize_t size = kernel_file_read(path, 0, scratch, ZONE_FILE_SIZE);

	scratch_release(ZONE_FILE_SIZE);
	return zone_file_at(scratch, size, now_s, zone);
}

/* What the value of TZ means: a rule, or the name of a file. */
static bool zone_named_at(const char *name, int64_t now_s, struct zone *zone)
{
	char path[ZONE_NAME_SIZE];

	name += *name == ':';
	if (zone_rule_at(name, now_s, zone))
		return true;
	text_print(path, sizeof(path), "%s%s", *name == '/' ? "" : ZONEINFO, name);
	return zone_path_at(path, now_s, zone);
}

void zone_at(int64_t now_s, struct zone *zone)
{
	static PAGES_SELDOM char listed[ZONE_NAME_SIZE];
	const char *name = getenv("TZ");

	if (!name) {
		if (zone_path_at("/etc/localtime", now_s, zone))
			return;
		if (!kernel_file_read_line("/etc/TZ", listed, sizeof(listed)))
			kernel_file_read_line("/etc/timezone", listed, sizeof(listed));
		name = listed;
	}
	if (!zone_named_at(name, now_s, zone))
		*zone = (struct zone){.name = "UTC", .name_size = 3};
}

bool zone_adjtime_is_local(const char *text)
{
	for (int line = 1; line < 3; line++) {
		text = strchr(text, '\n');
		if (!text)
			return false;
		text++;
	}
	return text_after(text, "LOCAL");
}
