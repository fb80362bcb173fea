/* The text files of accounts: passwd(5), shadow(5), authorized_keys, adjtime. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "date.h"
#include "passwd_line.h"
#include "timezone.h"

static void a_line_gives_an_account(void **state)
{
	struct account account;

	(void)state;
	assert_true(passwd_parse_line("bob:x:1000:100:Bob,,:/home/bob:/bin/sh", "bob", &account));
	assert_int_equal(account.uid, 1000);
	assert_int_equal(account.gid, 100);
	assert_string_equal(account.home, "/home/bob");
	assert_true(passwd_parse_line("b::0:4294967294::/", "b", &account));
	assert_int_equal(account.gid, 4294967294);
	assert_string_equal(account.home, "/");
}

static void other_lines_give_none(void **state)
{
	static const char *const lines[] = {"", "bob", "bob:", "bob:x", "bob:x:1",
		"bob:x:1:", "bob:x:1:1", "bob:x:1:1:", "bob:x::1::/", "bob:x:1x:1::/",
		"bob:x:-1:1::/", "bob:x:1:4294967295::/", "bob:x:18446744073709551616:1::/",
		"bobby:x:1:1::/", "bo:x:1:1::/", " bob:x:1:1::/", "#bob:x:1:1::/", "Bob:x:1:1::/"};
	struct account account;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_false(passwd_parse_line(lines[i], "bob", &account));
	assert_false(passwd_parse_line("bob:1:2:3:4::/", "bob:1", &account));
}

static void a_home_is_whole_or_none(void **state)
{
	char line[2 * PATH_MAX] = "bob:x:1:1::";
	size_t used = strlen(line);
	struct account account;

	(void)state;
	memset(line + used, 'h', PATH_MAX - 1);
	assert_true(passwd_parse_line(line, "bob", &account));
	assert_int_equal(strlen(account.home), PATH_MAX - 1);
	line[used + PATH_MAX - 1] = 'h';
	assert_false(passwd_parse_line(line, "bob", &account));
}

static char edited[256];

static bool edit(const char *before, const char *value, const char *day, size_t space)
{
	struct text text = text_in(edited, space);

	text_put(&text, before, strlen(before));
	return passwd_edit(&text, "bob", (const char *const[]){value, day}) && !text.cut;
}

static void the_first_line_of_the_name_is_edited(void **state)
{
	static const char *const texts[][2] = {
		{"bob:old:1:0:9:::\n", "bob:new:5:0:9:::\n"},
		{"a:b:c\nbob:!:1:x\nbob:!:1:x\n", "a:b:c\nbob:new:5:x\nbob:!:1:x\n"},
		{"bob:", "bob:new"},
		{"bob:\nbob:x", "bob:new\nbob:x"},
		{"bob:::", "bob:new:5:"},
		{"bobb:x:1\n:bob:x\nbo:bob:x\nbob", NULL},
		{"\n\nbob\nbob x:1\n", NULL},
		{"", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_int_equal(
			edit(texts[i][0], "new", "5", sizeof(edited)), texts[i][1] != NULL);
		assert_string_equal(edited, texts[i][texts[i][1] != NULL]);
	}
	assert_true(edit("bob:x:1000:100::/:\n", "new", NULL, sizeof(edited)));
	assert_string_equal(edited, "bob:new:1000:100::/:\n");
}

static void an_edit_fits_or_is_cut(void **state)
{
	(void)state;
	assert_true(edit("bob:x:1::\n", "12345678", NULL, 18));
	assert_string_equal(edited, "bob:12345678:1::\n");
	assert_false(edit("bob:x:1::\n", "12345678", NULL, 17));
	assert_string_equal(edited, "bob:x:1::\n");
}

static void the_third_line_of_adjtime_counts(void **state)
{
	(void)state;
	assert_true(zone_adjtime_is_local("0.0 0 0.0\n0\nLOCAL\n"));
	assert_true(zone_adjtime_is_local("\n\nLOCAL"));
	assert_false(zone_adjtime_is_local("0.0 0 0.0\n0\nUTC\n"));
	assert_false(zone_adjtime_is_local("0.0 0 0.0\n0\n"));
	assert_false(zone_adjtime_is_local("LOCAL\nLOCAL\nUTC\nLOCAL\n"));
	assert_false(zone_adjtime_is_local("0\nLOCAL"));
	assert_false(zone_adjtime_is_local(""));
}

static void days_have_dates(void **state)
{
	static const struct {
		int day, year, month, of_month;
	} days[] = {{0, 1970, 1, 1}, {30, 1970, 1, 31}, {31, 1970, 2, 1}, {789, 1972, 2, 29},
		{790, 1972, 3, 1}, {11016, 2000, 2, 29}, {11322, 2000, 12, 31},
		{24836, 2037, 12, 31}, {47540, 2100, 2, 28}, {47541, 2100, 3, 1}};

	(void)state;
	for (size_t i = 0; i < sizeof(days) / sizeof(days[0]); i++) {
		struct date date = date_of_day(days[i].day);

		assert_int_equal(date.year, days[i].year);
		assert_int_equal(date.month, days[i].month);
		assert_int_equal(date.day, days[i].of_month);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_gives_an_account),
		cmocka_unit_test(other_lines_give_none),
		cmocka_unit_test(a_home_is_whole_or_none),
		cmocka_unit_test(the_first_line_of_the_name_is_edited),
		cmocka_unit_test(an_edit_fits_or_is_cut),
		cmocka_unit_test(the_third_line_of_adjtime_counts),
		cmocka_unit_test(days_have_dates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
