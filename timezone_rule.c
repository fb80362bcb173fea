#include "timezone.h"

#include "date.h"

#define HOUR_S 3600

#define YEAR_S 31556952 /* on average */
#define WEEKS 200000	/* more than there are from the year 1 to 1970 */
#define NUMBER_MAX 1000 /* it ends before it gets larger than ten times this */

static const char *at; /* what of the rule is still to be read */

static bool skip(char c)
{
	bool found = *at == c;

	at += found;
	return found;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static int take_number(void)
{
	int number = 0;

	while (is_digit(*at) && number < NUMBER_MAX)
		number = number * 10 + *at++ - '0';
	return number;
}

/* [+-]hh[:mm[:ss]] */
static int take_time(void)
{
	int sign = skip('-') ? -1 : 1;
	int seconds = 0;

	skip('+');
	for (int unit = HOUR_S;; unit /= 60) {
		seconds += sign * unit * take_number();
		if (!skip(':'))
			return seconds;
	}
}

static bool take_name(struct zone *zone)
{
	bool quoted = skip('<');
	const char *name = at;

	while (quoted ? *at > ' ' && *at != '>' : (*at | ' ') >= 'a' && (*at | ' ') <= 'z')
		at++;
	zone->name = name;
	zone->name_size = (size_t)(at - name);
	return zone->name_size >= 3 && (!quoted || skip('>'));
}

/* ,date[/time]: when the clocks change in year, in seconds of the time before. */
static int64_t take_change(int year)
{
	int day;

	skip(',');
	if (skip('M')) {
		int month = take_number();
		int week;
		int next = date_first_day(year, month + 1);

		day = date_first_day(year, month);
		skip('.');
		week = take_number();
		skip('.');
		/* Day 3 was a Sunday; days before 1970 need a number without a sign. */
		day += (int)((unsigned)(take_number() + 3 + 7 * WEEKS - day) % 7) + 7 * (week - 1);
		if (day >= next)
			day -= 7;
	} else if (skip('J')) {
		/* February 29 is not counted. */
		day = take_number();
		day += day < 60 ? date_first_day(year, 1) - 1 : date_first_day(year, 3) - 60;
	} else {
		day = date_first_day(year, 1) + take_number();
	}
	return (int64_t)day * DAY_S + (skip('/') ? take_time() : 2 * HOUR_S);
}

/* The last change that is not after now_s decides; of two at once, as in a summer that is followed
 * by the next, the one to summer. */
static bool is_summer(const char *changes, int64_t now_s, const struct zone zones[2])
{
	int now_year = (int)(now_s / YEAR_S) + 1970; /* or one beside it */
	int64_t latest = INT64_MIN + 1;
	bool summer = false;

	for (int year = now_year - 2; year <= now_year + 2; year++) {
		at = changes;
		for (int back = 0; back < 2; back++) {
			int64_t change = take_change(year) - zones[back].offset_s;

			if (change <= now_s && change >= latest + back) {
				latest = change;
				summer = !back;
			}
		}
	}
	return summer;
}

bool zone_rule_at(const char *text, int64_t now_s, struct zone *zone)
{
	struct zone zones[2]; /* standard and summer time */
	bool summer = false;

	at = text;
	if (!take_name(&zones[0]))
		return false;
	zones[0].offset_s = -take_time();
	if (!is_digit(at[-1]))
		return false;
	if (*at > ' ') {
		if (!take_name(&zones[1]))
			return false;
		zones[1].offset_s = zones[0].offset_s + HOUR_S;
		if (*at > ' ' && *at != ',')
			zones[1].offset_s = -take_time();
		/* Without dates, those of the United States are meant, as in glibc. */
		summer = is_summer(*at == ',' ? at : ",M3.2.0,M11.1.0", now_s, zones);
	}
	*zone = zones[summer];
	return true;
}
