/* The memory, as the blocks in which the kernel can give it up and take it back. */
#include <errno.h>
#include <stdint.h>

#include "commands.h"
#include "hotplug.h"
#include "kernel_file.h"
#include "open_error.h"
#include "text.h"

#define FOLDER "/sys/devices/system/memory/"

static const struct hotplug memory = {
	"memory", "phys-index", "state", {"offline", "online"}, "removable"};

static void get_blocks(struct request *request)
{
	if (!hotplug_put(&memory) && errno != ENOENT)
		reply_open_error(request, FOLDER);
}

/* In bytes; 0, with errno, where memory comes in no blocks. */
static uint64_t read_block_size(void)
{
	char line[24];
	uint64_t size = 0;

	if (kernel_file_read_line(FOLDER "block_size_bytes", line, sizeof(line)))
		parse_hex(line, NULL, &size);
	return size;
}

static void get_block_info(struct request *request)
{
	uint64_t size = read_block_size();

	if (size == 0) {
		reply_open_error(request, FOLDER);
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
	uint64_t number;
	enum hotplug_outcome outcome = hotplug_switch(&memory, block, &number);
	int error = errno;

	if (outcome == HOTPLUG_MISSING && read_block_size() == 0)
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
