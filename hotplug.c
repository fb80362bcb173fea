#include "hotplug.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>

#include "ascending.h"
#include "child.h"
#include "directory.h"
#include "kernel_file.h"
#include "text.h"

/* Of memory that something holds on to, the kernel may try to move the contents for ever. */
#define SWITCH_LIMIT_MS 120000

static const struct hotplug *plug;
char hotplug_path[HOTPLUG_PATH_SIZE];
static char line[16]; /* of a file there */
static const char *wanted;

/* Set hotplug_path to a file of one, and read its line. */
static bool read_file(uint64_t number, const char *name)
{
	/* As signed, which is how QEMU's agent words it where a request has no such number. */
	text_print(hotplug_path, sizeof(hotplug_path), "/sys/devices/system/%s/%s%lld/%s",
		plug->kind, plug->kind, (long long)number, name);
	return kernel_file_read_line(hotplug_path, line, sizeof(line));
}

static bool is_on(void)
{
	return text_after(line, plug->states[1]);
}

static bool found; /* a folder for the kind */

static void find(void)
{
	struct directory folder;
	const char *name;

	text_print(hotplug_path, sizeof(hotplug_path), "/sys/devices/system/%s", plug->kind);
	found = directory_open(&folder, hotplug_path);
	if (!found)
		return;
	while ((name = directory_next(&folder))) {
		uint64_t number;

		name = text_after(name, plug->kind);
		if (name && (name = parse_unsigned(name, &number)) && *name == '\0')
			ascending_found(number);
	}
	directory_close(&folder);
}

static void put(uint64_t number)
{
	bool can_offline = read_file(number, plug->file);

	json_begin('{');
	json_member_uint(plug->id, number);
	json_member_bool("online", !can_offline || is_on());
	if (can_offline && plug->removable[0] != '\0')
		can_offline = read_file(number, plug->removable) && line[0] != '0';
	json_member_bool("can-offline", can_offline);
	json_end('}');
}

bool hotplug_put(const struct hotplug *hotplug)
{
	plug = hotplug;
	json_begin('[');
	ascending_each(find, put);
	json_end(']');
	return found;
}

static int write_state(int report)
{
	(void)report;
	return kernel_file_write(hotplug_path, wanted) ? 0 : errno;
}

enum hotplug_outcome hotplug_switch(
	const struct hotplug *hotplug, struct json_token *item, uint64_t *number)
{
	const struct child child = {
		.work = write_state, .output = line, .output_size = 1, .limit_ms = SWITCH_LIMIT_MS};
	const struct json_token *id = json_member(item, hotplug->id, strlen(hotplug->id));
	bool on = json_member(item, "online", 6)->type == JSON_TRUE;
	int status;
	int error;

	plug = hotplug;
	if (!json_int(id, (int64_t *)number))
		(void)json_uint(id, number);
	if (!read_file(*number, plug->file)) {
		if (errno != ENOENT)
			return HOTPLUG_FAILED;
		/* Its folder is none to be read, where it is there. */
		(void)read_file(*number, "");
		if (errno == ENOENT)
			return HOTPLUG_MISSING;
		errno = ENOENT;
		return on ? HOTPLUG_DONE : HOTPLUG_FIXED;
	}
	if (on == is_on())
		return HOTPLUG_DONE;
	wanted = plug->states[on];
	status = child_run(&child);
	error = status < 0 ? errno : WIFEXITED(status) ? WEXITSTATUS(status) : ETIMEDOUT;
	/* Somebody else may have been quicker, which is an error to the kernel. */
	if (error == 0 || (read_file(*number, plug->file) && on == is_on()))
		return HOTPLUG_DONE;
	errno = error;
	return HOTPLUG_FAILED;
}
