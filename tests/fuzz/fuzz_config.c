/* Any bytes as a configuration file: taken or refused, within bounds, and what it leaves is sound.
 * A first line that is a comment is the command line that goes with the file, in words without a
 * slash, so that none names a file elsewhere; LISTEN_FDS=N may stand before them.
 * What is said goes to stdout and stderr: -close_fd_mask=3 hides it.
 *
 * Covers: options.c keyfile.c option_table.c option_output.c
 */
#include <setjmp.h>
#include <string.h>

#include "commands.h"
#include "options.h"
#include "tests/fuzz/harness.h"

#define WORDS_MAX 16
#define WORDS_SIZE 1024

/* Each string must end inside what the file was read into. */
static void check_text(const char *text, const char *file, size_t size)
{
	check(!text || (text >= file && text <= file + size && memchr(text, '\0', size + 1)));
}

static void check_lists(void)
{
	for (size_t i = 0; i < COMMANDS_MAX; i++)
		check((!commands_allowed.has[i] && !commands_blocked.has[i]) || commands_at(i));
}

static jmp_buf before_exit;

/* In place of the C library's: what is wrong, or was only asked for, ends the agent. */
_Noreturn void _exit(int status)
{
	check(status >= 0 && status <= 2);
	longjmp(before_exit, 1);
}

static void forget_options(void)
{
	memset(&options, 0, sizeof(options));
	memset(&commands_allowed, 0, sizeof(commands_allowed));
	memset(&commands_blocked, 0, sizeof(commands_blocked));
}

static void parse(const uint8_t *data, size_t size)
{
	char *volatile file = malloc(size + 1);

	check(file != NULL);
	memcpy(file, data, size);
	file[size] = '\0';
	forget_options();
	if (setjmp(before_exit) == 0) {
		options_parse_file(file, size, "fuzz");
		check_text(options.path, file, size);
		check_text(options.log_file, file, size);
		check_text(options.pid_file, file, size);
		check_text(options.state_dir, file, size);
		check_text(options.fsfreeze_hook, file, size);
		check_text(options.health_dir, file, size);
		check(options.method <= CHANNEL_VSOCK_LISTEN && options.verbose <= 1);
	}
	check_lists();
	free(file);
}

static void read_all(const uint8_t *data, size_t size)
{
	static char text[WORDS_SIZE]; /* options goes on pointing into it */
	char *words[WORDS_MAX + 4] = {"tinyqga", "-c", file_of(data, size)};
	unsigned count = 3;
	char number[16];

	snprintf(number, sizeof(number), "%d", (int)getpid());
	setenv("LISTEN_PID", number, 1);
	unsetenv("LISTEN_FDS");
	for (size_t i = 0; i + 1 < size && i + 1 < WORDS_SIZE; i++)
		text[i] = (char)data[i + 1];
	text[size < WORDS_SIZE ? size - 1 : WORDS_SIZE - 1] = '\0';
	text[strcspn(text, "\n")] = '\0';
	for (char *word = strtok(text, " "); word && count < WORDS_MAX; word = strtok(NULL, " ")) {
		if (count == 3 && strncmp(word, "LISTEN_FDS=", 11) == 0)
			setenv("LISTEN_FDS", word + 11, 1);
		else if (!strchr(word, '/'))
			words[count++] = word;
	}
	forget_options();
	if (setjmp(before_exit) == 0) {
		options_read(words);
		check(options.path && options.log_file && options.pid_file && options.state_dir);
		check(options.fsfreeze_hook && options.health_dir);
		check(*options.path || options.socket_activated);
	}
	check_lists();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > OPTIONS_FILE_MAX)
		return -1;
	parse(data, size);
	if (size > 0 && *data == '#')
		read_all(data, size);
	return 0;
}
