#include "mounts.h"

#include <stdint.h>
#include <sys/sysmacros.h>

#include "lines.h"
#include "pages.h"
#include "text.h"

/* Filesystems, not mounts. Beyond them nothing is lost, but who is mounted twice counts twice. */
#define DEVICES_MAX 16384

static _Alignas(PAGES_ALIGNMENT) uint32_t devices[DEVICES_MAX];
static unsigned device_count;

/* Undo the kernel's escapes, a backslash and three octal digits each, in place. */
static char *unescape(char *text)
{
	char *to = text;

	for (const char *at = text; (*to = *at++); to++) {
		unsigned code = 0;
		unsigned digits = 0;

		if (*to != '\\')
			continue;
		while (digits < 3 && at[digits] >= '0' && at[digits] <= '7')
			code = code << 3 | (unsigned)(at[digits++] - '0');
		if (digits == 3 && code > 0 && code <= UINT8_MAX) {
			*to = (char)code;
			at += digits;
		}
	}
	return text;
}

bool mount_parse(char *line, struct mount *mount)
{
	enum { DEVICE = 2, POINT = 4, WORDS };
	char *words[WORDS];
	const char *word;

	for (unsigned i = 0; i < WORDS; i++)
		words[i] = lines_word(&line);
	mount->point = unescape(words[POINT]);
	do
		word = lines_word(&line);
	while (*word != '\0' && !text_equals(word, "-"));
	mount->type = lines_word(&line);
	mount->source = unescape(lines_word(&line));
	return *mount->type != '\0' && parse_device(words[DEVICE], &mount->device);
}

bool mount_is_btrfs(const struct mount *mount)
{
	return text_equals(mount->type, "btrfs");
}

static void (*visitor)(const struct mount *mount);

static void take_line(char *line)
{
	struct mount mount;

	if (mount_parse(line, &mount) && (major(mount.device) != 0 || mount_is_btrfs(&mount)))
		visitor(&mount);
}

bool mounts_walk(void (*visit)(const struct mount *mount))
{
	bool read;

	visitor = visit;
	device_count = 0;
	read = lines_each(MOUNTS_FILE, take_line);
	pages_release(devices, device_count * sizeof(devices[0]));
	return read;
}

/* The kernel's own form of a device's number has no more bits. */
static uint32_t short_number(const struct mount *mount)
{
	return major(mount->device) << 20 | minor(mount->device);
}

bool mounts_noted(const struct mount *mount)
{
	uint32_t number = short_number(mount);
	unsigned i = 0;

	while (i < device_count && devices[i] != number)
		i++;
	return i < device_count;
}

void mounts_note(const struct mount *mount)
{
	if (device_count < DEVICES_MAX)
		devices[device_count++] = short_number(mount);
}
