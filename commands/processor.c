/* The processors: which there are, switching them, and how busy they are. */
#include <stdint.h>
#include <sys/sysinfo.h>

#include "commands.h"
#include "hotplug.h"
#include "open_error.h"
#include "processor_times.h"

static const struct hotplug processor = {"cpu", "logical-id", "online", {"0", "1"}, ""};

static void get_processors(struct request *request)
{
	if (!hotplug_put(&processor))
		reply_open_error(request, hotplug_path);
}

static void set_processors(struct request *request)
{
	struct json_token *list = request->arguments[0];
	enum hotplug_outcome outcome = HOTPLUG_DONE;
	int64_t done = -1;
	uint64_t number = 0;

	for (struct json_token *item = list + 1; outcome == HOTPLUG_DONE; item += item->span) {
		done++;
		if (item >= list + list->span)
			break;
		outcome = hotplug_switch(&processor, item, &number);
	}
	if (outcome == HOTPLUG_DONE || done > 0)
		json_put_int(done);
	else if (outcome == HOTPLUG_FIXED)
		reply_error(
			request, "logical processor #%lld can't be offlined", (long long)number);
	else
		reply_open_error(request, hotplug_path);
}

static void get_statistics(struct request *request)
{
	static const char path[] = "/proc/stat";

	json_begin('[');
	if (processor_times_put(path))
		json_end(']');
	else
		reply_open_error(request, path);
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
		const uint64_t half = (UINT64_C(1) << KERNEL_LOAD_SHIFT) / 200
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
