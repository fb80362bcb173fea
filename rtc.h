/* The machine's real-time clock (rtc(4)), which may run in local time (adjtime_config(5)). */
#ifndef RTC_H
#define RTC_H

#include <stdbool.h>
#include <stdint.h>

/* Open it. Returns the descriptor, or -1 with errno, ENODEV if the machine has none. */
int rtc_open(void);

/* Set it to time_s, seconds of Unix time from 1970 to 2099. False, with errno, if it cannot. */
bool rtc_write(int rtc, int64_t time_s);

/* Wait for its next second, which takes turns of the loop, and read it. False, with errno, if it
 * cannot, or shows a date before 1970. */
bool rtc_read(int64_t *time_s);

#endif
