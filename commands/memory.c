/* The memory, as the blocks in which the kernel can give it up and take it back. */
#include <errno.h>
#include <stdint.h>

#include "commands.h"
#include "error_text.h"
#include "hotplug.h"
#include "kernel_file.h"
#include "text.h"

static const struct hotplug memory = {"memory", "state", {"offline", "online"}};

static void put_block(uint64_t number)
{
	char removable[2];
	bool fixed;

	json_begin('{');
	json_member_uint("phys-index", number);
	json_member_bool("online", hotplug_is_on(&memory, (int64_t)number, &fixed));
	json_member_bool("can-offline",
		!fixed &&
			hotplug_read(&memory, (int64_t)number, "removable", removable,
				sizeof(removable)) &&
			removable[0] != '0');
	json_end('}');
}

static void get_blocks(struct request *request)
{
	json_begin('[');
	if (hotplug_each(&memory, put_block) || errno == ENOENT)
		json_end(']');
	else
		reply_error(request, "Can't open directory\"/sys/devices/system/memory/\": %s",
			error_text(errno));
}

static bool read_block_size(char *line, size_t size)
{
	return kernel_file_read_line("/sys/devices/system/memory/block_size_bytes", line, size);
}

static void get_block_info(struct request *request)
{
	char line[24];
	uint64_t size;

	if (!read_block_size(line, sizeof(line)) || !parse_hex(line, NULL, &size)) {
		reply_error(
			request, "open(\"/sys/devices/system/memory/\"): %s", error_text(errno));
		return;
	}
	json_begin('{');
	json_member_uint("size", size);
	json_end('}');
}

static void set_block(struct json_token *block)
{
	/* In the order of enum hotplug_outcome. */
	static const char responses[][24] = {
		"success", "operation-failed", "not-found", "operation-not-supported"};
	uint64_t number = 0;
	enum hotplug_outcome outcome;
	int error;
	char line[2];

	(void)json_uint(json_member(block, "phys-index", 10), &number);
	outcome = hotplug_switch(
		&memory, (int64_t)number, json_member(block, "online", 6)->type == JSON_TRUE);
	error = errno;
	if (outcome == HOTPLUG_MISSING && !read_block_size(line, sizeof(line)))
		outcome = HOTPLUG_FIXED;
	json_begin('{');
	json_member_uint("phys-index", number);
	json_member_text("response", responses[outcome]);
	if (outcome != HOTPLUG_DONE)
		json_member_int("error-code", error);
	json_end('}');
}

static void set_blocks(struct request *request)
{
	struct json_token *list = request->arguments[0];

	json_begin('[');
	for (struct json_token *block = list + 1; block < list + list->span; block += block->span)
		set_block(block);
	json_end(']');
}

COMMANDS = {
	{"guest-get-memory-blocks", "", 0, get_blocks},
	{"guest-set-memory-blocks", "mem-blks:[{phys-index:u online:b can-offline:b?}]", 0,
		set_blocks},
	{"guest-get-memory-block-info", "", 0, get_block_info},
};
