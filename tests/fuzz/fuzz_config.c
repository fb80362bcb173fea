/* Any bytes as a configuration file: taken or refused, within bounds, and what it leaves is sound.
 * Complaints go to stderr: -close_fd_mask=2 hides them. */
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "options.h"

/* Each string must end inside what the file was read into. */
static void check_text(const char *text, const char *file, size_t size)
{
	if (text && (text < file || text > file + size || !memchr(text, '\0', size + 1)))
		abort();
}

static jmp_buf before_exit;

/* In place of the C library's: a wrong file ends the agent. */
_Noreturn void _exit(int status)
{
	longjmp(before_exit, status + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *volatile file = NULL;

	if (size > OPTIONS_FILE_MAX)
		return -1;
	file = malloc(size + 1);
	if (!file)
		return -1;
	memcpy(file, data, size);
	file[size] = '\0';
	memset(&options, 0, sizeof(options));
	memset(&commands_allowed, 0, sizeof(commands_allowed));
	memset(&commands_blocked, 0, sizeof(commands_blocked));
	if (setjmp(before_exit) == 0) {
		options_parse_file(file, size, "fuzz");
		check_text(options.path, file, size);
		check_text(options.log_file, file, size);
		check_text(options.pid_file, file, size);
		check_text(options.state_dir, file, size);
		check_text(options.fsfreeze_hook, file, size);
		check_text(options.health_dir, file, size);
		if (options.method > CHANNEL_VSOCK_LISTEN || options.verbose > 1)
			abort();
		for (size_t i = 0; i < COMMANDS_MAX; i++) {
			if ((commands_allowed.has[i] || commands_blocked.has[i]) && !commands_at(i))
				abort();
		}
	}
	free(file);
	return 0;
}
