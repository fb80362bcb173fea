/* Days and dates of the Gregorian calendar, days counted from 1970-01-01. */
#ifndef DATE_H
#define DATE_H

#include <stdint.h>

#define DAY_S 86400

/* The day that month 1 to 14 of year (from 1 on) begins with. */
int date_first_day(int year, int month);

struct date {
	int year;
	int month; /* 1 to 12 */
	int day;   /* of the month, from 1 */
};

/* The date of a day from 0 on. */
struct date date_of_day(int day);

#endif
