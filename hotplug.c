#include "hotplug.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ascending.h"
#include "child.h"
#include "directory.h"
#include "kernel_file.h"
#include "text.h"

/* Of memory that something holds on to, the kernel may try to move the contents for ever. */
#define SWITCH_LIMIT_MS 120000

static char path[96]; /* of our own names and a number */
static const char *prefix;
static const char *state;

static void find(void)
{
	struct directory folder;
	const char *name;

	if (!directory_open(&folder, path))
		return;
	while ((name = directory_next(&folder))) {
		uint64_t number;

		name = text_after(name, prefix);
		if (name && (name = parse_unsigned(name, &number)) && *name == '\0')
			ascending_found(number);
	}
	directory_close(&folder);
}

static bool has_folder(void)
{
	int file = kernel_file_open(path, O_DIRECTORY);

	if (file >= 0)
		close(file);
	return file >= 0;
}

bool hotplug_each(const struct hotplug *kind, void (*tell)(uint64_t number))
{
	prefix = kind->name;
	text_print(path, sizeof(path), "/sys/devices/system/%s", prefix);
	if (!has_folder())
		return false;
	ascending_each(find, tell);
	return true;
}

#define PATH "/sys/devices/system/%s/%s%lld/%s"

bool hotplug_read(
	const struct hotplug *kind, int64_t number, const char *name, char *line, size_t size)
{
	return kernel_file_line(line, size, PATH, kind->name, kind->name, (long long)number, name);
}

bool hotplug_is_on(const struct hotplug *kind, int64_t number, bool *fixed)
{
	char line[16];

	*fixed = !hotplug_read(kind, number, kind->file, line, sizeof(line));
	return *fixed || text_after(line, kind->states[1]);
}

static int write_state(int report)
{
	(void)report;
	return kernel_file_write(path, state) ? 0 : errno;
}

enum hotplug_outcome hotplug_switch(const struct hotplug *kind, int64_t number, bool on)
{
	char nothing[1];
	const struct child child = {.work = write_state,
		.output = nothing,
		.output_size = sizeof(nothing),
		.limit_ms = SWITCH_LIMIT_MS};
	bool fixed;
	bool is_on = hotplug_is_on(kind, number, &fixed);
	int status;

	text_print(path, sizeof(path), PATH, kind->name, kind->name, (long long)number, "");
	if (!has_folder())
		return HOTPLUG_MISSING;
	if (on == is_on)
		return HOTPLUG_DONE;
	errno = ENOENT;
	if (fixed)
		return HOTPLUG_FIXED;
	text_print(path, sizeof(path), PATH, kind->name, kind->name, (long long)number, kind->file);
	state = kind->states[on];
	status = child_run(&child);
	if (status == 0)
		return HOTPLUG_DONE;
	if (status > 0)
		errno = WIFEXITED(status) ? WEXITSTATUS(status) : ETIMEDOUT;
	return HOTPLUG_FAILED;
}
