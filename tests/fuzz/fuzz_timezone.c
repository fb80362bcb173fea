/* Any bytes as a time zone file, as a rule and as /etc/adjtime: each is taken or refused, within
 * bounds. Their first ones as a day, which has a date.
 *
 * Covers: timezone.c timezone_rule.c date.c
 */
#include <string.h>

#include "date.h"
#include "tests/fuzz/harness.h"
#include "timezone.h"

static void check_zone(const struct zone *zone, const char *text, size_t size)
{
	check(zone->name >= text && zone->name_size <= size &&
		(size_t)(zone->name - text) <= size - zone->name_size);
}

/* The file as the one that TZ names, and as the machine's; no name is ever made of the input. */
static void check_named(const uint8_t *data, size_t size)
{
	struct zone zone;

	setenv("TZ", file_of(data, size), 1);
	zone_at(1700000000, &zone);
	check(!memchr(zone.name, '\0', zone.name_size));
	unsetenv("TZ");
	zone_at(1700000000, &zone);
	setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
	zone_at(1700000000, &zone);
	check(zone.offset_s == 3600 && zone.name_size == 3);
}

static void check_date(const uint8_t *data, size_t size)
{
	int day = 0;
	struct date date;

	memcpy(&day, data, size < sizeof(day) - 1 ? size : sizeof(day) - 1);
	day %= 2900000; /* not beyond the year 9999 */
	date = date_of_day(day);
	check(date.month >= 1 && date.month <= 12 && date.day >= 1 && date.day <= 31);
	check(date_first_day(date.year, date.month) + date.day - 1 == day);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int64_t instants[] = {
		ZONE_NOW_MIN, -5000000000, -1, 0, 1700000000, 4102444800, ZONE_NOW_MAX};
	struct zone zone;
	char *text = malloc(size + 1);

	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	for (size_t i = 0; i < sizeof(instants) / sizeof(instants[0]); i++) {
		if (zone_file_at(text, (ssize_t)size, instants[i], &zone))
			check_zone(&zone, text, size);
		if (zone_rule_at(text, instants[i], &zone))
			check_zone(&zone, text, size);
	}
	if (zone_adjtime_is_local(text))
		check(strstr(text, "\nLOCAL"));
	free(text);
	check_date(data, size);
	check_named(data, size);
	return 0;
}
