/* The machine's watchdog, fed for as long as the agent serves its loop. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/watchdog.h>
#include <stdint.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "commands.h"
#include "device.h"
#include "error_text.h"
#include "kernel_file.h"
#include "loop.h"

/* Four meals in a timeout, less what makes even one of 1 s long enough for three. */
#define MEALS 4
#define SNACK_NS 250000000

static int watchdog = -1; /* armed, while it is open */
static int timer = -1;	  /* of its meals */

static int open_watchdog(void)
{
	int file = kernel_file_open("/dev/watchdog", O_WRONLY);

	/* The node alone may be missing. */
	if (file < 0 && errno != EBUSY)
		file = device_open("/sys/class/watchdog", "watchdog0");
	return file;
}

/* Stop it, and let it go. False, with errno, if it cannot be stopped any more (nowayout). */
static bool disarm(void)
{
	int options = WDIOS_DISABLECARD;

	if (write(watchdog, "V", 1) != 1 ||
		(device_ioctl(watchdog, WDIOC_SETOPTIONS, &options) != 0 && errno == EBUSY))
		return false;
	close(watchdog);
	watchdog = -1;
	if (timer >= 0) {
		loop_unwatch(timer);
		close(timer);
		timer = -1;
	}
	return true;
}

static void feed(void *context, short revents)
{
	uint64_t expirations;

	(void)context;
	(void)revents;
	(void)read(timer, &expirations, sizeof(expirations));
	/* The driver may still have a "V" of an earlier time, that only another byte takes back. */
	(void)write(watchdog, "", 1);
}

/* An agent that is told to end is no reason for a reset. */
static void end_feeding(void)
{
	feed(NULL, 0);
	(void)disarm();
}

/* Feed it often enough for its timeout, from now on, in whatever turn of the loop is taken. */
static void begin_feeding(void)
{
	struct itimerspec times = {{0, SNACK_NS}, {0, 1}};
	int timeout_s = 0;

	(void)device_ioctl(watchdog, WDIOC_GETTIMEOUT, &timeout_s);
	times.it_interval.tv_sec = timeout_s / MEALS;
	if (timer < 0) {
		timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
		loop_watch(timer, POLLIN, feed, NULL);
		loop_at_end = end_feeding;
	}
	(void)timerfd_settime(timer, 0, &times, NULL);
}

/* False, with errno, if it cannot be done. */
static bool apply(int64_t timeout_s)
{
	int timeout = (int)timeout_s;

	errno = EINVAL;
	if ((uint64_t)timeout_s > INT_MAX)
		return false;
	/* Opening it arms it. */
	if (watchdog < 0 && (watchdog = open_watchdog()) < 0)
		return false;
	return timeout == 0 ? disarm() : device_ioctl(watchdog, WDIOC_SETTIMEOUT, &timeout) == 0;
}

static void set_timeout(struct request *request)
{
	bool was_armed = watchdog >= 0;

	if (!apply(request_int(request, 0, 0))) {
		if (errno == ENOENT || errno == ENODEV || errno == ENXIO)
			reply_error(request, "this feature or command is not currently supported");
		else
			reply_error(
				request, "failed to set watchdog timeout: %s", error_text(errno));
		if (!was_armed)
			(void)disarm();
	}
	if (watchdog >= 0)
		begin_feeding();
}

COMMANDS = {
	{"guest-set-watchdog-timeout", "timeout:i", 0, set_timeout},
};
