/* The disks: what there is, how it is attached, and what was read and written.
 */
#include <linux/nvme_ioctl.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>

#include "block.h"
#include "commands.h"
#include "directory.h"
#include "figures.h"
#include "lines.h"
#include "open_error.h"
#include "pages.h"
#include "text.h"

/* NVM Express Base Specification 2.0: 5.16, Get Log Page, and 5.16.1.3, SMART /
 * Health. */
#define NVME_GET_LOG_PAGE 0x02
#define NVME_LOG_SMART 0x02
#define NVME_LOG_RETAIN_EVENT (1u << 15)
#define NVME_ALL_NAMESPACES UINT32_MAX
#define SMART_SIZE 512

__attribute__((noinline)) static uint64_t little_endian(const uint8_t *bytes, unsigned size)
{
	uint64_t value = 0;

	while (size > 0)
		value = value << 8 | bytes[--size];
	return value;
}

static bool read_smart(uint8_t log[SMART_SIZE])
{
	struct nvme_passthru_cmd command = {
		.opcode = NVME_GET_LOG_PAGE,
		.nsid = NVME_ALL_NAMESPACES,
		.addr = (uintptr_t)log,
		.data_len = SMART_SIZE,
		.cdw10 = NVME_LOG_SMART | NVME_LOG_RETAIN_EVENT | (SMART_SIZE / 4 - 1) << 16,
	};

	return block_ask(NVME_IOCTL_ADMIN_CMD, &command);
}

/* A value of 16 bytes, as clients want it. */
static void put_halves(const char *name, const uint8_t *bytes)
{
	for (unsigned half = 0; half < 2; half++) {
		char key[32];

		text_print(key, sizeof(key), "%s-%s", name, half ? "hi" : "lo");
		json_member_uint(key, little_endian(bytes + 8 * half, 8));
	}
}

static void put_smart(void)
{
	/* The values of the log in their order, each after how many bytes it has. */
	static const char values[] =
		"\1critical-warning\0\2temperature\0\1available-spare\0"
		"\1available-spare-threshold\0\1percentage-used\0\32\0"
		"\20data-units-read\0\20data-units-written\0\20host-read-commands\0"
		"\20host-write-commands\0\20controller-busy-time\0\20power-cycles\0"
		"\20power-on-hours\0\20unsafe-shutdowns\0\20media-errors\0"
		"\20number-of-error-log-entries\0";
	uint8_t log[SMART_SIZE];
	const uint8_t *at = log;

	if (!text_after(block.name, "nvme") || !read_smart(log))
		return;
	json_put_key("smart");
	json_begin('{');
	json_member_text("type", "nvme");
	for (const char *name = values; *name; name += strlen(name) + 1) {
		unsigned size = (unsigned)*name++;

		if (size <= 2)
			json_member_uint(name, little_endian(at, size));
		else if (*name)
			put_halves(name, at);
		at += size;
	}
	json_end('}');
}

static void begin_row(const char *name, bool partition)
{
	json_begin('{');
	json_put_key("name");
	block_put_node(name);
	json_member_bool("partition", partition);
	json_put_key("dependencies");
	json_begin('[');
}

static void put_disk(void)
{
	static PAGES_SELDOM struct directory slaves;
	const char *slave;
	char alias[BLOCK_ATTRIBUTE_SIZE]; /* which is the most that the device mapper allows */

	begin_row(block.name, false);
	if (block_open_folder(&slaves, "slaves")) {
		while ((slave = directory_next(&slaves)))
			block_put_node(slave);
		directory_close(&slaves);
	}
	json_end(']');
	if (block_attribute("dm/name", alias))
		json_member_text("alias", alias);
	if (!block_is_virtual()) {
		json_put_key("address");
		block_put_address();
	}
	put_smart();
	json_end('}');
}

/* Is it the name of a partition of disk: followed by its number, perhaps with a
 * p between? */
static bool is_partition(const char *name, const char *disk)
{
	const char *number = text_after(name, disk);

	if (number && *number == 'p')
		number++;
	return number && *number >= '0' && *number <= '9';
}

static void put_partitions(void)
{
	static PAGES_SELDOM struct directory folder;
	const char *name;

	if (!block_open_folder(&folder, ""))
		return;
	while ((name = directory_next(&folder))) {
		if (!is_partition(name, block.name))
			continue;
		begin_row(name, true);
		block_put_node(block.name);
		json_end(']');
		json_end('}');
	}
	directory_close(&folder);
}

static void get_disks(struct request *request)
{
	static PAGES_SELDOM struct directory folder;
	const char *name;
	char value[BLOCK_ATTRIBUTE_SIZE];

	if (!directory_open(&folder, BLOCK_NAMES)) {
		reply_open_error(request, BLOCK_NAMES);
		return;
	}
	json_begin('[');
	while ((name = directory_next(&folder))) {
		/* A path to a disk that has several is hidden: it has neither number nor node. */
		if (!block_find(BLOCK_NAMES, name) || !block_attribute("dev", value) ||
			!block_attribute("size", value) || text_equals(value, "0"))
			continue;
		put_disk();
		put_partitions();
	}
	json_end(']');
	directory_close(&folder);
}

/* The columns of a line (the kernel's Documentation/admin-guide/iostats.rst),
 * behind the name. */
static const char columns[] = "read-ios\0read-merges\0read-sectors\0read-ticks\0"
			      "write-ios\0write-merges\0write-sectors\0write-ticks\0"
			      "ios-pgr\0total-ticks\0weight-ticks\0"
			      "discard-ios\0discard-merges\0discard-sectors\0discard-ticks\0"
			      "flush-ios\0flush-ticks\0";
#define COLUMNS_MAX 17
#define COLUMNS_MIN 11 /* since Linux 2.6.25 */
/* Before them are major and minor number and the name. */
#define NAME_AT 2
#define STATS_AT 3

static void put_stats(char *line)
{
	uint64_t values[STATS_AT + COLUMNS_MAX];
	const char *name = NULL;
	unsigned count = 0;

	while (count < STATS_AT + COLUMNS_MAX) {
		const char *word = lines_word(&line);

		if (count == NAME_AT)
			name = word;
		else if (!parse_unsigned(word, &values[count]))
			break;
		count++;
	}
	if (count < STATS_AT + COLUMNS_MIN)
		return;
	json_begin('{');
	json_member_text("name", name);
	json_member_uint("major", values[0]);
	json_member_uint("minor", values[1]);
	json_put_key("stats");
	json_begin('{');
	figures_put(columns, values + STATS_AT, count - STATS_AT);
	json_end('}');
	json_end('}');
}

static void get_diskstats(struct request *request)
{
	static const char path[] = "/proc/diskstats";

	json_begin('[');
	if (lines_each(path, put_stats))
		json_end(']');
	else
		reply_open_error(request, path);
}

COMMANDS = {
	{"guest-get-disks", "", 0, get_disks},
	{"guest-get-diskstats", "", 0, get_diskstats},
};
