/* Any bytes as a configuration file: taken or refused, within bounds, and what it leaves is sound.
 * Complaints go to stderr: -close_fd_mask=2 hides them. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"

/* Each string must end inside what the file was read into. */
static void check_text(const char *text, const char *file, size_t size)
{
	if (text && (text < file || text > file + size || !memchr(text, '\0', size + 1)))
		abort();
}

static void check_names(const char *names)
{
	if (!memchr(names, '\0', OPTIONS_LIST_MAX) || *names == ',' || strstr(names, ",,"))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *file;

	if (size > OPTIONS_FILE_MAX)
		return -1;
	file = malloc(size + 1);
	if (!file)
		return -1;
	memcpy(file, data, size);
	memset(&options, 0, sizeof(options));
	if (options_parse_file(file, size, "fuzz")) {
		check_text(options.path, file, size);
		check_text(options.log_file, file, size);
		check_text(options.pid_file, file, size);
		check_text(options.state_dir, file, size);
		check_text(options.fsfreeze_hook, file, size);
		check_text(options.health_dir, file, size);
		if (options.method > CHANNEL_VSOCK_LISTEN)
			abort();
	}
	check_names(options.block);
	check_names(options.allow);
	free(file);
	return 0;
}
