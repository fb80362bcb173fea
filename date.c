#include "date.h"

int date_first_day(int year, int month)
{
	/* January and February are at the end of the year before, so that leap days come last. */
	if (month < 3) {
		month += 12;
		year--;
	}
	return 365 * year + year / 4 - year / 100 + year / 400 + (153 * month - 457) / 5 - 719468;
}

struct date date_of_day(int day)
{
	struct date date = {1970 + day / 366, 1, 0};

	while (date_first_day(date.year + 1, 1) <= day)
		date.year++;
	while (date_first_day(date.year, date.month + 1) <= day)
		date.month++;
	date.day = day - date_first_day(date.year, date.month) + 1;
	return date;
}
