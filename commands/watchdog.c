/* The machine's watchdog, fed for as long as the agent serves its loop. */
#include <errno.h>
#include <fcntl.h>
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

/* So often it is fed before it would be too late. */
#define MEALS 3

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
	if (watchdog >= 0) {
		feed(NULL, 0);
		(void)disarm();
	}
}

/* Feed it often enough for its timeout, from now on, in whatever turn of the loop is taken. */
static void begin_feeding(void)
{
	struct itimerspec times = {{1, 0}, {0, 1}};
	int timeout_s;

	if (device_ioctl(watchdog, WDIOC_GETTIMEOUT, &timeout_s) != 0 || timeout_s < MEALS) {
		times.it_interval.tv_sec = 0;
		times.it_interval.tv_nsec = 1000000000 / MEALS;
	} else {
		times.it_interval.tv_sec = timeout_s / MEALS;
	}
	if (timer < 0) {
		timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
		loop_watch(timer, POLLIN, feed, NULL);
		loop_at_end = end_feeding;
	}
	(void)timerfd_settime(timer, 0, &times, NULL);
	feed(NULL, 0);
}

static void set_timeout(struct request *request)
{
	int64_t timeout_s = request_int(request, 0, 0);
	int timeout = (int)timeout_s;
	bool was_armed = watchdog >= 0;
	bool done = timeout_s >= 0 && timeout == timeout_s;

	/* Opening it arms it. */
	if (!was_armed && done)
		watchdog = open_watchdog();
	if (watchdog < 0 && done) {
		if (errno == ENOENT || errno == ENODEV || errno == ENXIO)
			reply_error(request, "this feature or command is not currently supported");
		else
			reply_error(request, "failed to open watchdog: %s", error_text(errno));
		return;
	}
	errno = EINVAL;
	if (done)
		done = timeout == 0 ? disarm()
				    : device_ioctl(watchdog, WDIOC_SETTIMEOUT, &timeout) == 0;
	if (!done) {
		reply_error(request, "failed to set watchdog timeout: %s", error_text(errno));
		if (!was_armed && watchdog >= 0)
			(void)disarm();
	}
	if (watchdog >= 0)
		begin_feeding();
}

COMMANDS = {
	{"guest-set-watchdog-timeout", "timeout:i", 0, set_timeout},
};
