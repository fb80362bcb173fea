/* What the guest is: its operating system, its name, its clock and its power. */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "child.h"
#include "commands.h"
#include "error_text.h"
#include "kernel_file.h"
#include "log.h"
#include "os_release.h"
#include "pages.h"
#include "rtc.h"
#include "scratch.h"
#include "text.h"
#include "timezone.h"
#include "utmp.h"

/* The largest of today's os-release files has not 1 KiB. */
#define OS_RELEASE_SIZE 16384

static void put_os_release(void)
{
	static const char names[] =
		"id\0name\0pretty-name\0version\0version-id\0variant\0variant-id";
	const char *path = getenv("QGA_OS_RELEASE");

	if (kernel_file_read(path ? path : "/etc/os-release", 0, scratch, OS_RELEASE_SIZE) < 0 &&
		!path)
		kernel_file_read("/usr/lib/os-release", 0, scratch, OS_RELEASE_SIZE);
	for (const char *name = names; name < names + sizeof(names); name += strlen(name) + 1) {
		char *value = os_release_find(scratch, name);

		if (value) {
			json_put_key(name);
			json_put_string(value, os_release_unquote(value));
		}
	}
	scratch_release(OS_RELEASE_SIZE);
}

static void get_osinfo(struct request *request)
{
	struct utsname kernel;

	(void)request;
	uname(&kernel);
	json_begin('{');
	json_member_text("kernel-release", kernel.release);
	json_member_text("kernel-version", kernel.version);
	json_member_text("machine", kernel.machine);
	put_os_release();
	json_end('}');
}

static void get_host_name(struct request *request)
{
	struct utsname kernel;

	(void)request;
	uname(&kernel);
	json_begin('{');
	json_member_text("host-name", kernel.nodename);
	json_end('}');
}

static void get_time(struct request *request)
{
	struct timespec now;

	(void)request;
	clock_gettime(CLOCK_REALTIME, &now);
	json_put_int((int64_t)now.tv_sec * 1000000000 + now.tv_nsec);
}

static void get_timezone(struct request *request)
{
	struct timespec now;
	struct zone zone;

	(void)request;
	clock_gettime(CLOCK_REALTIME, &now);
	zone_at(now.tv_sec, &zone);
	json_begin('{');
	json_put_key("zone");
	json_put_string(zone.name, zone.name_size);
	json_member_int("offset", zone.offset_s);
	json_end('}');
}

#define SECOND_NS 1000000000
#define YEAR_2070_S 3155760000

static void fail(struct request *request, const char *what)
{
	reply_error(request, "%s: %s", what, error_text(errno));
}

/* Set the RTC to the system's time, if the machine has one. */
static void set_rtc(struct request *request, int64_t time_s)
{
	int rtc = rtc_open();

	if (rtc < 0 ? errno != ENODEV : !rtc_write(rtc, time_s))
		fail(request, "failed to set hardware clock to system time");
	close(rtc);
}

static void set_clock(struct request *request, const struct timespec *time)
{
	if (clock_settime(CLOCK_REALTIME, time) != 0)
		fail(request, "Failed to set time to guest");
	else if (request_has(request, 0))
		set_rtc(request, time->tv_sec);
}

static void set_time(struct request *request)
{
	int64_t time_ns = request_int(request, 0, 0);
	int64_t time_s = time_ns / SECOND_NS;
	struct timespec time = {(time_t)time_s, (long)(time_ns % SECOND_NS)};

	if (!request_has(request, 0) && !rtc_read(&time_s)) {
		fail(request, "failed to read hardware clock");
		return;
	}
	time.tv_sec = (time_t)time_s;
	if (time.tv_sec != time_s)
		reply_error(request, "Time %lld is too large", (long long)time_ns);
	else if (time_ns < 0 || time_s >= YEAR_2070_S)
		reply_error(request, "Invalid time %lld", (long long)time_ns);
	else
		set_clock(request, &time);
}

static void get_users(struct request *request)
{
	struct utmp utmp;
	struct login login;

	(void)request;
	json_begin('[');
	utmp_open(&utmp);
	while (utmp_next(&utmp, &login)) {
		json_begin('{');
		json_put_key("user");
		json_put_string(login.user, login.user_size);
		json_put_key("login-time");
		json_put_decimal(login.time_us, 6);
		json_end('}');
	}
	utmp_close(&utmp);
	json_end(']');
}

/* systemd counts from glibc's SIGRTMIN (systemd(1), signals), which is not musl's. */
#define SYSTEMD_SIGNAL(n) (34 + (n))

/* A way of going down, in the words of each who may be asked for it. */
struct shutdown_mode {
	char name[10];
	char flag[3];	    /* of shutdown(8) */
	int8_t init_signal; /* of busybox's init */
	int8_t systemd_signal;
	uint32_t command; /* of reboot(2) */
};

static const struct shutdown_mode shutdown_modes[] = {
	{"powerdown", "-P", SIGUSR2, SYSTEMD_SIGNAL(4), RB_POWER_OFF},
	{"halt", "-H", SIGUSR1, SYSTEMD_SIGNAL(3), RB_HALT_SYSTEM},
	{"reboot", "-r", SIGTERM, SYSTEMD_SIGNAL(5), RB_AUTOBOOT},
};

/* The signal that makes process 1 shut the system down this way, or 0 if it knows none. */
static int find_signal(const struct shutdown_mode *mode)
{
	char name[16];

	kernel_file_read_line("/proc/1/comm", name, sizeof(name));
	if (text_equals(name, "systemd"))
		return mode->systemd_signal;
	/* busybox's init calls itself so, and only it: others have a path there, or more words. */
	kernel_file_read_line("/proc/1/cmdline", name, sizeof(name));
	return text_equals(name, "init") ? mode->init_signal : 0;
}

/* True if somebody was there to ask, which has answered the request, well or badly. */
static bool ask_for_shutdown(struct request *request, const struct shutdown_mode *mode)
{
	/* As QEMU's agent calls it, -h too. */
	static const char *words[] = {
		"/sbin/shutdown", "-h", NULL, "+0", "hypervisor initiated shutdown", NULL};
	static PAGES_SELDOM char output[512];
	static const struct child child = {
		.words = words, .output = output, .output_size = sizeof(output)};
	int signal;
	int status;

	if (getpid() == 1)
		return false;
	words[2] = mode->flag;
	status = child_run(&child);
	if (status > 0)
		reply_error(request, "child process has failed to shutdown: %s", output);
	if (status >= 0)
		return true;
	signal = find_signal(mode);
	return signal != 0 && kill(1, signal) == 0;
}

static void shut_down(struct request *request)
{
	const struct shutdown_mode *mode = shutdown_modes;
	const char *name = request_string(request, 0, NULL);

	while (name && !text_equals(name, mode->name)) {
		if (++mode == shutdown_modes + sizeof(shutdown_modes) / sizeof(shutdown_modes[0])) {
			reply_error(request,
				"mode is invalid (valid values are: halt|powerdown|reboot");
			return;
		}
	}
	log_info("guest-shutdown called, mode: %s", mode->name);
	if (ask_for_shutdown(request, mode))
		return;
	/* Nobody is there to stop the programs and unmount the file systems. A kernel that cannot
	 * switch the power off halts instead. */
	sync();
	reboot((int)mode->command);
	fail(request, "failed to shut down");
}

COMMANDS = {
	{"guest-get-osinfo", "", 0, get_osinfo},
	{"guest-get-host-name", "", 0, get_host_name},
	{"guest-get-time", "", 0, get_time},
	{"guest-get-timezone", "", 0, get_timezone},
	{"guest-set-time", "time:i?", 0, set_time},
	{"guest-get-users", "", 0, get_users},
	{"guest-shutdown", "mode:s?", COMMAND_NO_REPLY, shut_down},
};
