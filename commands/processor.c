/* The processors: which there are, switching them, and how busy they are. */
#include <errno.h>
#include <stdint.h>
#include <sys/sysinfo.h>

#include "commands.h"
#include "error_text.h"
#include "hotplug.h"
#include "lines.h"
#include "text.h"

static const struct hotplug processor = {"cpu", "online", {"0", "1"}};

static void put_processor(uint64_t number)
{
	bool fixed;

	json_begin('{');
	json_member_uint("logical-id", number);
	json_member_bool("online", hotplug_is_on(&processor, (int64_t)number, &fixed));
	json_member_bool("can-offline", !fixed);
	json_end('}');
}

static void get_processors(struct request *request)
{
	json_begin('[');
	if (hotplug_each(&processor, put_processor))
		json_end(']');
	else
		reply_error(request, "failed to list entries: /sys/devices/system/cpu: %s",
			error_text(errno));
}

static void set_processors(struct request *request)
{
	/* In the order of enum hotplug_outcome. */
	static const char *const faults[] = {NULL,
		"pwrite(\"/sys/devices/system/cpu/cpu%lld/online\"): %s",
		"open(\"/sys/devices/system/cpu/cpu%lld/\"): %s",
		"logical processor #%lld can't be offlined"};
	struct json_token *list = request->arguments[0];
	int64_t done = 0;

	for (struct json_token *item = list + 1; item < list + list->span; item += item->span) {
		int64_t number = 0;
		enum hotplug_outcome outcome;

		(void)json_int(json_member(item, "logical-id", 10), &number);
		outcome = hotplug_switch(
			&processor, number, json_member(item, "online", 6)->type == JSON_TRUE);
		if (outcome != HOTPLUG_DONE) {
			if (done > 0)
				break;
			reply_error(request, faults[outcome], (long long)number, error_text(errno));
			return;
		}
		done++;
	}
	json_put_int(done);
}

/* A tick of /proc/stat, on all architectures but alpha. */
#define TICK_MS 10

/* A line of /proc/stat that may be about a processor. Kernels differ in how many figures they have.
 */
static void put_statistics(char *line)
{
	static const char names[][10] = {"cpu", "user", "nice", "system", "idle", "iowait", "irq",
		"softirq", "steal", "guest", "guestnice"};
	enum { FIGURES_MAX = sizeof(names) / sizeof(names[0]), FIGURES_MIN = 5 };
	uint64_t figures[FIGURES_MAX];
	unsigned count = 0;
	const char *word = text_after(lines_word(&line), "cpu");

	while (word && parse_unsigned(word, &figures[count]) && ++count < FIGURES_MAX)
		word = lines_word(&line);
	if (count < FIGURES_MIN)
		return;
	json_begin('{');
	json_member_text("type", "linux");
	for (unsigned i = 0; i < count; i++)
		json_member_uint(names[i], i == 0 ? figures[i] : figures[i] * TICK_MS);
	json_end('}');
}

static void get_statistics(struct request *request)
{
	struct lines lines;
	char *line;

	if (!lines_open(&lines, "/proc/stat", 0)) {
		reply_error(request, "open(\"/proc/stat\"): %s", error_text(errno));
		return;
	}
	json_begin('[');
	while ((line = lines_next(&lines)))
		put_statistics(line);
	json_end(']');
	lines_close(&lines);
}

#define KERNEL_LOAD_SHIFT 11

static void get_load(struct request *request)
{
	static const char names[][8] = {"load1m", "load5m", "load15m"};
	struct sysinfo info;

	(void)request;
	sysinfo(&info);
	json_begin('{');
	for (unsigned i = 0; i < 3; i++) {
		/* Rounded as in /proc/loadavg. */
		const uint64_t half = (1 << KERNEL_LOAD_SHIFT) / 200
			<< (SI_LOAD_SHIFT - KERNEL_LOAD_SHIFT);

		json_put_key(names[i]);
		json_put_hundredths((info.loads[i] + half) * 100 >> SI_LOAD_SHIFT);
	}
	json_end('}');
}

COMMANDS = {
	{"guest-get-vcpus", "", 0, get_processors},
	{"guest-set-vcpus", "vcpus:[{logical-id:i online:b can-offline:b?}]", 0, set_processors},
	{"guest-get-cpustats", "", 0, get_statistics},
	{"guest-get-load", "", 0, get_load},
};
