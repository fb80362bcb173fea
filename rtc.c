#include "rtc.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/rtc.h>
#include <unistd.h>

#include "date.h"
#include "device.h"
#include "kernel_file.h"
#include "loop.h"
#include "timezone.h"

#define TICK_MS 2
#define TICK_MAX_MS 1100

int rtc_open(void)
{
	int rtc = kernel_file_open("/dev/rtc", O_RDONLY);

	if (rtc < 0 && errno != EBUSY)
		rtc = device_open("/sys/class/rtc", "rtc0");
	if (rtc < 0 && (errno == ENOENT || errno == ENXIO))
		errno = ENODEV;
	return rtc;
}

/* How many seconds it is before Unix time at time_s. */
static int offset_at(int64_t time_s)
{
	char adjtime[128];
	struct zone zone;

	kernel_file_read("/etc/adjtime", 0, adjtime, sizeof(adjtime));
	if (!zone_adjtime_is_local(adjtime))
		return 0;
	zone_at(time_s, &zone);
	return zone.offset_s;
}

bool rtc_write(int rtc, int64_t time_s)
{
	int64_t shown_s = time_s + offset_at(time_s);
	int second = (int)(shown_s % DAY_S);
	struct date date = date_of_day((int)(shown_s / DAY_S));
	struct rtc_time shown = {
		.tm_sec = second % 60,
		.tm_min = second / 60 % 60,
		.tm_hour = second / 3600,
		.tm_mday = date.day,
		.tm_mon = date.month - 1,
		.tm_year = date.year - 1900,
	};

	return device_ioctl(rtc, RTC_SET_TIME, &shown) == 0;
}

bool rtc_read(int64_t *time_s)
{
	int64_t end_ms = loop_now_ms() + TICK_MAX_MS;
	struct rtc_time shown;
	int rtc = rtc_open();
	int first = -1;
	int64_t day;

	if (rtc < 0)
		return false;
	while (device_ioctl(rtc, RTC_RD_TIME, &shown) == 0) {
		if (first < 0)
			first = shown.tm_sec;
		if (shown.tm_sec != first || loop_now_ms() >= end_ms) {
			close(rtc);
			day = date_first_day(shown.tm_year + 1900, shown.tm_mon + 1) +
				shown.tm_mday - 1;
			*time_s = ((day * 24 + shown.tm_hour) * 60 + shown.tm_min) * 60 +
				shown.tm_sec;
			*time_s -= offset_at(*time_s - offset_at(*time_s));
			return true;
		}
		loop_turn(TICK_MS);
	}
	first = errno;
	close(rtc);
	errno = first;
	return false;
}
