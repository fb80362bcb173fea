/* How the guest is: what its own checks report, and the load and memory behind that. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <time.h>

#include "commands.h"
#include "directory.h"
#include "error_text.h"
#include "kernel_file.h"
#include "options.h"
#include "pages.h"
#include "state.h"
#include "text.h"

#define STATUS_SIZE 4
/* Each is worse than the one before; the last is that of a check which does not say. */
static const char statuses[] = "passwarnfailfail";
#define NO_STATUS (statuses + 3 * STATUS_SIZE)

/* What was last found; while file systems are frozen, this is what is told. */
static const char *worst_status = statuses;
static uint64_t available_bytes;
static char boot_id[64];

static PAGES_SELDOM char line[512]; /* of a check's file, which is for people */

static void put_status(const char *status)
{
	json_put_key("status");
	json_put_string(status, STATUS_SIZE);
}

static ssize_t read_check(const char *name)
{
	char path[PATH_MAX + NAME_MAX + sizeof("/")];

	text_print(path, sizeof(path), "%s/%s", options.health_dir, name);
	return kernel_file_read(path, O_NOFOLLOW, line, sizeof(line));
}

/* The status that a text begins with, a blank or its end behind it. */
static const char *status_of(const char *text, const char *end)
{
	const char *status = statuses;

	while (status < NO_STATUS &&
		(memcmp(text, status, STATUS_SIZE) != 0 ||
			(text + STATUS_SIZE != end &&
				(unsigned char)(text[STATUS_SIZE] - 1) >= ' ')))
		status += STATUS_SIZE;
	return status;
}

/* The check called name, whose file holds size bytes; below 0: errno says why not. */
static void put_check(const char *name, ssize_t size)
{
	const char *text = line;
	const char *status;
	const char *end;

	if (size < 0) {
		if (errno == ENOENT)
			return;
		text = error_text(errno);
		size = (ssize_t)strlen(text);
	}
	end = memchr(text, '\n', (size_t)size);
	if (!end)
		end = text + size;
	status = status_of(text, end);
	if (status > worst_status)
		worst_status = status;
	json_begin('{');
	json_member_text("name", name);
	put_status(status);
	json_put_key("output");
	json_begin_string();
	if (status == NO_STATUS)
		json_put_characters("no status: ", 11);
	else
		text += STATUS_SIZE + 1;
	if (text < end)
		json_put_characters(text, (size_t)(end - text));
	json_end_string();
	json_end('}');
}

static void put_checks(void)
{
	struct directory folder;
	const char *name;

	worst_status = statuses;
	if (!directory_open(&folder, options.health_dir)) {
		put_check(options.health_dir, -1);
		return;
	}
	while ((name = directory_next(&folder))) {
		ssize_t size = read_check(name);

		if (size == 0) {
			/* A shell empties the file some moments before it writes it. */
			poll(NULL, 0, 1);
			size = read_check(name);
		}
		put_check(name, size);
	}
	directory_close(&folder);
}

static void read_memory(void)
{
	const char *at = line;
	const char *value = NULL;

	available_bytes = 0;
	kernel_file_read("/proc/meminfo", 0, line, sizeof(line));
	while (*at != '\0' && !(value = text_after(at, "MemAvailable:")))
		at++;
	if (value) {
		while (*value == ' ')
			value++;
		parse_unsigned(value, &available_bytes);
	}
	available_bytes *= 1024;
}

static void put_machine(void)
{
	static struct sysinfo info;
	static struct timespec up;

	sysinfo(&info);
	clock_gettime(CLOCK_BOOTTIME, &up);
	if (available_bytes == 0)
		available_bytes = (uint64_t)info.freeram * info.mem_unit;
	json_member_uint("uptime-ms", (uint64_t)up.tv_sec * 1000 + (uint64_t)up.tv_nsec / 1000000);
	if (boot_id[0] != '\0')
		json_member_text("boot-id", boot_id);
	json_put_key("memory");
	json_begin('{');
	json_member_uint("total", (uint64_t)info.totalram * info.mem_unit);
	json_member_uint("available", available_bytes);
	json_end('}');
	json_put_key("load1m");
	json_put_hundredths((uint64_t)info.loads[0] * 100 >> SI_LOAD_SHIFT);
}

static void health(struct request *request)
{
	(void)request;
	json_begin('{');
	json_put_key("checks");
	json_begin('[');
	if (!state_frozen) {
		put_checks();
		read_memory();
		kernel_file_read_line("/proc/sys/kernel/random/boot_id", boot_id, sizeof(boot_id));
	}
	json_end(']');
	if (state_frozen)
		json_member_bool("frozen", true);
	put_machine();
	put_status(worst_status);
	json_end('}');
}

COMMANDS = {
	{"tinyqga-health", "", COMMAND_FROZEN, health},
};
