/* The time zone reader, against glibc's own and against files made by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "timezone.h"

#define ZONEINFO "/usr/share/zoneinfo"

#define YEAR_S 31556952

static unsigned compared;

static bool is_called(const struct zone *zone, const char *name)
{
	return zone->name_size == strlen(name) && memcmp(zone->name, name, zone->name_size) == 0;
}

/* Compare with glibc for TZ=name, at instants over the years first to last. */
static void compare(const char *name, int first, int last)
{
	setenv("TZ", name, 1);
	tzset();
	for (int year = first; year <= last; year++) {
		for (int step = 0; step < 12; step++) {
			time_t now =
				(time_t)(year - 1970) * YEAR_S + step * (YEAR_S / 12) + step * 997;
			struct zone zone;
			struct tm tm;

			localtime_r(&now, &tm);
			zone_at(now, &zone);
			if (zone.offset_s != tm.tm_gmtoff || !is_called(&zone, tm.tm_zone))
				fail_msg("%s at %lld: %d %.*s, glibc %ld %s", name, (long long)now,
					zone.offset_s, (int)zone.name_size, zone.name, tm.tm_gmtoff,
					tm.tm_zone);
			compared++;
		}
	}
	unsetenv("TZ");
}

static int compare_file(const char *path, const struct stat *stat, int type, struct FTW *walk)
{
	char magic[4] = "";
	int file;

	(void)stat;
	(void)walk;
	/* right/ counts leap seconds, which glibc takes out before it asks the rule. */
	if (type != FTW_F || strstr(path, "/right/"))
		return 0;
	file = open(path, O_RDONLY);
	if (read(file, magic, 4) == 4 && memcmp(magic, "TZif", 4) == 0)
		compare(path, 1971, 2060);
	close(file);
	return 0;
}

static void every_zone_of_the_database_is_as_in_glibc(void **state)
{
	(void)state;
	if (access(ZONEINFO "/Europe/Berlin", R_OK) != 0)
		skip();
	compared = 0;
	nftw(ZONEINFO, compare_file, 16, FTW_PHYS);
	assert_true(compared > 100000);
	compare("Europe/Berlin", 2020, 2022);
	compare(":Europe/Berlin", 2020, 2022);
	/* A rule comes before a file of that name. */
	compare("EST5EDT", 2007, 2030);
}

static void rules_are_as_in_glibc(void **state)
{
	static const char *const rules[] = {
		"UTC0",
		"EST5EDT,M3.2.0,M11.1.0",
		"CET-1CEST,M3.5.0,M10.5.0/3",
		"AEST-10AEDT,M10.1.0,M4.1.0/3",
		"<+0530>-5:30",
		"<-03>3<-02>,M3.5.0/-2,M10.5.0/-1",
		"<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",
		"IST-2IDT,M3.4.4/26,M10.5.0",
		"EET-2EEST,M3.5.4/24,M10.5.5/1",
		"XXX+3:15:07YYY,J60/1:02:03,J300",
		"XXX-14YYY-15,59,299/0",
		"XXX3YYY,0,120",
		"NZST-12NZDT,M9.5.0,M4.1.0/3",
		"ABC4DEF,M3.2.0/0,M11.1.0/0",
		"LONGSTANDARDNAME-1",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		compare(rules[i], 1971, 2100);
}

static void assert_zone(const char *rule, int64_t now_s, int32_t offset_s, const char *name)
{
	struct zone zone;

	assert_true(zone_rule_at(rule, now_s, &zone));
	assert_int_equal(zone.offset_s, offset_s);
	assert_true(is_called(&zone, name));
}

static void clocks_change_at_the_second(void **state)
{
	(void)state;
	assert_zone("CET-1CEST,M3.5.0,M10.5.0/3", 1711846799, 3600, "CET");
	assert_zone("CET-1CEST,M3.5.0,M10.5.0/3", 1711846800, 7200, "CEST");
	assert_zone("CET-1CEST,M3.5.0,M10.5.0/3", 1729990799, 7200, "CEST");
	assert_zone("CET-1CEST,M3.5.0,M10.5.0/3", 1729990800, 3600, "CET");
}

static void a_change_may_be_in_the_neighbour_year(void **state)
{
	(void)state;
	/* 2024-12-31 22:59:59 UTC is a second before the year, and the summer, begins there. */
	assert_zone("XXX-1YYY,0/0,59", 1735685999, 3600, "XXX");
	assert_zone("XXX-1YYY,0/0,59", 1735686000, 7200, "YYY");
	/* Summer that lasts over the year's end, which glibc decides by the year in UTC. */
	assert_zone("XXX3YYY,J365/30,J30", 1735722000 - 1, -10800, "XXX");
	assert_zone("XXX3YYY,J365/30,J30", 1735722000, -7200, "YYY");
}

static void summer_may_have_no_end(void **state)
{
	(void)state;
	for (int64_t now = 1700000000; now < 1800000000; now += 3599)
		assert_zone("XXX3EDT4,0/0,J365/23", now, -14400, "EDT");
}

static void january_of_every_year_is_found(void **state)
{
	(void)state;
	for (int64_t now = ZONE_NOW_MIN + 366 * 86400; now < ZONE_NOW_MAX; now += 86400 * 7)
		assert_zone("XXX0YYY0,0/0,J365/24", now, 0, "YYY");
}

static void what_is_no_rule_is_refused(void **state)
{
	static const char *const rules[] = {"", ":", "AB3", "ABC", "ABC+", "<ABC3", "<A>3",
		"ABC3DE", "Etc/GMT+5", "Europe/Berlin", "/etc", "ABC99999999999999999999999",
		"A\xC3\xA4"
		"B3"};
	struct zone zone;

	(void)state;
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		if (zone_rule_at(rules[i], 1700000000, &zone))
			fail_msg("%s is taken", rules[i]);
	}
}

static void of_a_wrong_rule_something_may_be_taken(void **state)
{
	static const char *const rules[] = {"ABC3DEF,", "ABC3DEF,M3.2.0", "ABC3DEF,M13.1.0,M11.1.0",
		"ABC3DEF,M999999.999999.999999/999999,J999999/-999999:99999:9999",
		"ABC3DEF,M0.0.0,M,J", "ABC999:999:999DEF-9999", "ABC1:2:3:4:5", "ABC3DEF,J0,3x",
		"ABC3 x"};
	struct zone zone;

	(void)state;
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		for (int64_t now = ZONE_NOW_MIN; now < ZONE_NOW_MAX; now += 999999999)
			assert_true(zone_rule_at(rules[i], now, &zone));
	}
}

/* A file that is put together piece by piece. */
static char made[512];
static size_t made_size;

static void put(const void *bytes, size_t size)
{
	assert_true(made_size + size < sizeof(made));
	memcpy(made + made_size, bytes, size);
	made_size += size;
	made[made_size] = '\0';
}

static void put_number(int64_t value, int size)
{
	while (size-- > 0) {
		unsigned char byte = (unsigned char)((uint64_t)value >> (8 * size));

		put(&byte, 1);
	}
}

static void put_header(char version, const uint32_t counts[6])
{
	char reserved[15] = "";

	put("TZif", 4);
	put(&version, 1);
	put(reserved, sizeof(reserved));
	for (int i = 0; i < 6; i++)
		put_number(counts[i], 4);
}

static void begin_file(void)
{
	made_size = 0;
}

/* Two transitions between two types, and leap seconds that must be stepped over. */
static void put_block(int time_size, int64_t first, int64_t second)
{
	put_number(first, time_size);
	put_number(second, time_size);
	put("\1\0", 2);
	put_number(-3600, 4);
	put("\0\0", 2);
	put_number(7200, 4);
	put("\1\4", 2);
	put("AAA\0BBB", 8);
	put_number(78796800, time_size);
	put_number(1, 4);
	put("\0\1\0\1", 4);
}

static const uint32_t block_counts[6] = {2, 2, 1, 2, 2, 8};

static void assert_made(int64_t now_s, int32_t offset_s, const char *name)
{
	struct zone zone;

	assert_true(zone_file_at(made, (ssize_t)made_size, now_s, &zone));
	assert_int_equal(zone.offset_s, offset_s);
	assert_true(is_called(&zone, name));
}

static void version_1_has_no_rule(void **state)
{
	(void)state;
	begin_file();
	put_header('\0', block_counts);
	put_block(4, -1000, 1000);
	assert_made(-1001, -3600, "AAA");
	assert_made(-1000, 7200, "BBB");
	assert_made(999, 7200, "BBB");
	assert_made(1000, -3600, "AAA");
	assert_made(4000000000, -3600, "AAA");
}

static void make_version_2(const char *footer)
{
	begin_file();
	put_header('4', block_counts);
	put_block(4, 0, 0);
	put_header('4', block_counts);
	put_block(8, -5000000000, 5000000000);
	put(footer, strlen(footer));
}

static void the_second_block_and_the_rule_count(void **state)
{
	(void)state;
	make_version_2("\nCCC-5\n");
	assert_made(-5000000001, -3600, "AAA");
	assert_made(0, 7200, "BBB");
	assert_made(5000000000, 18000, "CCC");
	make_version_2("\n\n");
	assert_made(6000000000, -3600, "AAA");
}

static void a_slim_file_may_have_a_rule_alone(void **state)
{
	static const uint32_t nothing[6] = {0};
	static const uint32_t counts[6] = {0, 0, 0, 0, 1, 4};

	(void)state;
	begin_file();
	put_header('2', nothing);
	put_header('2', counts);
	put("\0\0\0\0\0\0XXX", 10);
	put("\nCET-1\n", 7);
	assert_made(1700000000, 3600, "CET");
}

static void a_file_that_is_cut_anywhere_is_none(void **state)
{
	struct zone zone;
	ssize_t whole;

	(void)state;
	make_version_2("\nCCC-5\n");
	whole = (ssize_t)made_size - 7;
	while (made_size-- > 0) {
		made[made_size] = '\0';
		if ((ssize_t)made_size < whole)
			assert_false(zone_file_at(made, (ssize_t)made_size, 6000000000, &zone));
		else
			zone_file_at(made, (ssize_t)made_size, 6000000000, &zone);
	}
	assert_false(zone_file_at(made, -1, 6000000000, &zone));
}

static void foreign_numbers_are_refused(void **state)
{
	static const struct {
		size_t at;
		const char *bytes;
		size_t size;
	} faults[] = {
		{0, "TZig", 4}, {32, "\xFF\xFF\xFF\xFF", 4}, /* transitions */
		{36, "\0\0\0\0", 4},			     /* types */
		{44 + 8 + 1, "\2", 1},			     /* an index */
		{44 + 8 + 2 + 5, "\xFF", 1},		     /* the place of a name */
	};
	struct zone zone;

	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		begin_file();
		put_header('\0', block_counts);
		put_block(4, -1000, 1000);
		assert_true(zone_file_at(made, (ssize_t)made_size, 2000, &zone));
		memcpy(made + faults[i].at, faults[i].bytes, faults[i].size);
		if (zone_file_at(made, (ssize_t)made_size, 2000, &zone))
			fail_msg("fault %zu is taken", i);
	}
}

static void without_a_usable_name_it_is_utc(void **state)
{
	static const char *const names[] = {"", ":", "No/Such", "/etc", "/dev/null", "../.."};
	struct zone zone;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		setenv("TZ", names[i], 1);
		zone_at(1700000000, &zone);
		assert_int_equal(zone.offset_s, 0);
		assert_true(is_called(&zone, "UTC"));
	}
	unsetenv("TZ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_zone_of_the_database_is_as_in_glibc),
		cmocka_unit_test(rules_are_as_in_glibc),
		cmocka_unit_test(clocks_change_at_the_second),
		cmocka_unit_test(a_change_may_be_in_the_neighbour_year),
		cmocka_unit_test(summer_may_have_no_end),
		cmocka_unit_test(january_of_every_year_is_found),
		cmocka_unit_test(what_is_no_rule_is_refused),
		cmocka_unit_test(of_a_wrong_rule_something_may_be_taken),
		cmocka_unit_test(version_1_has_no_rule),
		cmocka_unit_test(the_second_block_and_the_rule_count),
		cmocka_unit_test(a_slim_file_may_have_a_rule_alone),
		cmocka_unit_test(a_file_that_is_cut_anywhere_is_none),
		cmocka_unit_test(foreign_numbers_are_refused),
		cmocka_unit_test(without_a_usable_name_it_is_utc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
