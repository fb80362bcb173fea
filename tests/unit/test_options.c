/* The configuration file, the command line, and how they come together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "commands.h"
#include "options.h"

static char said[8192]; /* on stdout and stderr by the last call */

/* What options_read ends with. */
#define WENT_ON (-1)
static jmp_buf before_exit;

/* In place of the C library's. */
_Noreturn void _exit(int status)
{
	longjmp(before_exit, status + 1);
}

static int divert(int fd, int to)
{
	int saved = dup(fd);

	assert_true(saved >= 0 && dup2(to, fd) == fd);
	return saved;
}

static int call_options_read(char *const words[])
{
	int memory = memfd_create("said", 0);
	int out, err;
	volatile int status;
	ssize_t size;

	memset(&options, 0, sizeof(options));
	memset(&commands_allowed, 0, sizeof(commands_allowed));
	memset(&commands_blocked, 0, sizeof(commands_blocked));
	fflush(NULL);
	out = divert(STDOUT_FILENO, memory);
	err = divert(STDERR_FILENO, memory);
	status = setjmp(before_exit) - 1;
	if (status == WENT_ON)
		options_read(words);
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	close(out);
	close(err);
	size = pread(memory, said, sizeof(said) - 1, 0);
	said[size] = '\0';
	close(memory);
	return status;
}

#define READ(...) call_options_read((char *const[]){"tinyqga", __VA_ARGS__, NULL})

static char text[OPTIONS_FILE_MAX + 100];

static bool parse(const char *file, size_t size)
{
	int null = open("/dev/null", O_WRONLY);
	int err, status;

	memset(&options, 0, sizeof(options));
	memset(&commands_allowed, 0, sizeof(commands_allowed));
	memset(&commands_blocked, 0, sizeof(commands_blocked));
	memcpy(text, file, size);
	text[size] = '\0';
	err = divert(STDERR_FILENO, null);
	status = setjmp(before_exit);
	if (status == 0)
		options_parse_file(text, size, "test");
	dup2(err, STDERR_FILENO);
	close(err);
	close(null);
	return status == 0;
}

/* Does the list have these commands alone? names is in the table's order. */
static void assert_list(const struct command_list *list, const char *names)
{
	char found[1024] = "";
	const struct command *command;

	for (size_t i = 0; (command = commands_at(i)); i++) {
		if (list->has[i])
			sprintf(found + strlen(found), "%s,", command->name);
	}
	assert_string_equal(found, names);
	assert_int_equal(list->given, *names != '\0');
}

#define PARSE(literal) parse(literal, sizeof(literal) - 1)

static void test_file_sets_everything(void **state)
{
	(void)state;
	assert_true(PARSE("# comment\n[general]\ndaemon=true\nmethod=unix-listen\npath=/a\n"
			  "logfile=/l\npidfile=/p\nfsfreeze-hook=/f\nstatedir=/s\nverbose=1\n"
			  "retry-path=true\nblock-rpcs=guest-ping,guest-info\n"
			  "allow-rpcs=guest-exec\nhealth-dir=/h\nvsock-peers=any"));
	assert_true(options.daemonize && options.verbose && options.retry_path);
	assert_int_equal(options.method, CHANNEL_UNIX_LISTEN);
	assert_string_equal(options.path, "/a");
	assert_string_equal(options.log_file, "/l");
	assert_string_equal(options.pid_file, "/p");
	assert_string_equal(options.fsfreeze_hook, "/f");
	assert_string_equal(options.state_dir, "/s");
	assert_string_equal(options.health_dir, "/h");
	assert_list(&commands_blocked, "guest-ping,guest-info,");
	assert_list(&commands_allowed, "guest-exec,");
	assert_true(options.vsock_any_peer);
}

static void test_file_white_space_and_escapes(void **state)
{
	(void)state;
	assert_true(PARSE("\n \t\n  [general] \r\n  path \t= /a b\\sc\\td\\\\e\\nf\\rg # h \r\n"
			  "verbose = true \t\r\n  # c\nlogfile=\\s x"));
	assert_string_equal(options.path, "/a b c\td\\e\nf\rg # h ");
	assert_string_equal(options.log_file, "  x");
	assert_true(options.verbose);
}

static void test_file_other_groups_and_repeats(void **state)
{
	(void)state;
	assert_true(PARSE("[a]\npath=/a\nx=\\q\n[general]\npath=/b\npath=/c\n[z]\nmethod=none\n"
			  "[general]\nlogfile=/d\nnew-key=1\nverbose=true\nverbose=false\n"
			  "blacklist=guest-ping\nblock-rpcs=,guest-info,\n"));
	assert_string_equal(options.path, "/c");
	assert_string_equal(options.log_file, "/d");
	assert_list(&commands_blocked, "guest-ping,guest-info,");
	assert_false(options.verbose);
}

static void test_file_empty(void **state)
{
	(void)state;
	assert_true(PARSE(""));
	assert_true(PARSE("\n"));
	assert_true(PARSE("#"));
	assert_true(PARSE("[general]"));
	assert_true(PARSE("[general]\nblock-rpcs=\nallow-rpcs=\npath="));
	assert_list(&commands_allowed, "");
}

static void test_file_wrong(void **state)
{
	(void)state;
	assert_false(PARSE("path=/a\n"));
	assert_false(PARSE("[general\n"));
	assert_false(PARSE("[]\n"));
	assert_false(PARSE("[a]b]\n"));
	assert_false(PARSE("[general]x\n"));
	assert_false(PARSE("[general]\npath\n"));
	assert_false(PARSE("[general]\n=/a\n"));
	assert_false(PARSE("[other]\nfoo bar\n"));
	assert_false(PARSE("; comment\n[general]\n"));
	assert_false(PARSE("[general]\nverbose=yes\n"));
	assert_false(PARSE("[general]\nverbose=TRUE\n"));
	assert_false(PARSE("[general]\nverbose=\n"));
	assert_false(PARSE("[general]\nmethod=virtio\n"));
	assert_false(PARSE("[general]\nmethod=virtio-serial|isa-serial\n"));
	assert_false(PARSE("[general]\nvsock-peers=all\n"));
	assert_false(PARSE("[general]\npath=/a\\q\n"));
	assert_false(PARSE("[general]\npath=/a\\\n"));
	assert_false(PARSE("[general]\npath=/a\0b\n"));
	assert_false(PARSE("[general]\nblock-rpcs=guest-pin\n"));
	assert_false(PARSE("[general]\nblock-rpcs=guest-ping guest-info\n"));
}

static void test_list_of_any_length(void **state)
{
	char file[OPTIONS_FILE_MAX] = "[general]\nallow-rpcs=";

	(void)state;
	while (strlen(file) < OPTIONS_FILE_MAX - 20)
		strcat(file, "guest-ping,");
	assert_true(parse(file, strlen(file)));
	assert_list(&commands_allowed, "guest-ping,");
}

static void test_defaults(void **state)
{
	(void)state;
	assert_int_equal(READ("--"), WENT_ON);
	assert_int_equal(options.method, CHANNEL_VIRTIO_SERIAL);
	assert_string_equal(options.path, "/dev/virtio-ports/org.qemu.guest_agent.0");
	assert_string_equal(options.log_file, "");
	assert_string_equal(options.fsfreeze_hook, "");
	assert_string_equal(options.pid_file, "/var/run/qemu-ga.pid");
	assert_string_equal(options.state_dir, "/var/run");
	assert_string_equal(options.health_dir, "/run/health");
	assert_false(options.pid_file_given || options.state_dir_given || commands_allowed.given);
	assert_int_equal(READ("-m", "isa-serial"), WENT_ON);
	assert_string_equal(options.path, "/dev/ttyS0");
}

static void test_forms(void **state)
{
	(void)state;
	assert_int_equal(READ("-dvp/x", "--meth", "unix-listen", "--statedir=/s", "--"), WENT_ON);
	assert_true(options.daemonize && options.verbose && options.state_dir_given);
	assert_string_equal(options.path, "/x");
	assert_int_equal(options.method, CHANNEL_UNIX_LISTEN);
	assert_int_equal(READ("-F"), WENT_ON);
	assert_string_equal(options.fsfreeze_hook, "/etc/qemu/fsfreeze-hook");
	assert_int_equal(READ("-vF/hook"), WENT_ON);
	assert_string_equal(options.fsfreeze_hook, "/hook");
	assert_int_equal(READ("--fs=/hook2", "--blackl", "guest-ping", "--debug"), WENT_ON);
	assert_string_equal(options.fsfreeze_hook, "/hook2");
	assert_list(&commands_blocked, "guest-ping,");
	assert_true(options.verbose);
}

static void assert_wrong(int status, const char *message)
{
	assert_int_equal(status, 2);
	assert_memory_equal(said, "tinyqga: ", 9);
	assert_non_null(strstr(said, message));
}

static void test_wrong_words(void **state)
{
	(void)state;
	assert_wrong(READ("--foo"), "argument 1: '--foo' is none of the options\n");
	assert_wrong(READ("-v", "-vx"), "argument 2: '-vx' is none of the options\n");
	assert_wrong(READ("-\x01"), "none of the options");
	assert_wrong(READ("-\x02/x"), "none of the options");
	assert_wrong(READ("--ver"), "'--ver' is none of the unambiguous options\n");
	assert_wrong(READ("--path"), "'--path' is none of the options without a value\n");
	assert_wrong(READ("-vp"), "'-vp' is none of the options without a value\n");
	assert_wrong(READ("--verbose=1"), "'--verbose=1' is none of the options with a value\n");
	assert_wrong(READ("extra"), "'extra' is none of the options\n");
	assert_wrong(READ("-v", "--", "-v"), "argument 3: '-v' is none of the options\n");
	assert_wrong(READ("-"), "'-' is none of the options\n");
	assert_wrong(
		READ("-m", "tcp"), "argument 2: 'tcp' is none of method=virtio-serial|isa-serial|");
	assert_wrong(READ("-m", "unix-listen"), "--path is missing\n");
	assert_wrong(READ("-p", ""), "--path is missing\n");
	assert_wrong(
		READ("-b", "guest-ping,nosuch,guest-info"), "'nosuch' is none of the commands\n");
	assert_wrong(READ("-b", "guest-pin"), "'guest-pin' is none of the commands\n");
	assert_wrong(READ("-c", "/nonexistent/file"), "/nonexistent/file: ");
	assert_non_null(strstr(said, "No such file or directory"));
	assert_wrong(READ("-c", "/"), "Is a directory");
}

static void test_prints(void **state)
{
	(void)state;
	assert_int_equal(READ("-b", "help"), 0);
	assert_non_null(strstr(said, "guest-ping\n"));
	assert_non_null(strstr(said, "\nguest-info\n"));
	assert_int_equal(READ("-a?"), 0);
	assert_non_null(strstr(said, "guest-ping\n"));
	assert_non_null(strstr(said, "\nguest-info\n"));
	assert_int_equal(READ("-V"), 0);
	assert_memory_equal(said, "tinyqga ", 8);
	assert_non_null(strstr(said, " (QEMU guest agent protocol 11.1.0)\n"));
	assert_int_equal(READ("-vh", "--nonsense"), 0);
	assert_non_null(strstr(said, "-F, --fsfreeze-hook="));
	assert_null(strstr(said, "blacklist"));
	for (const char *line = said; *line; line += strcspn(line, "\n") + 1)
		assert_in_range(strcspn(line, "\n"), 0, 79);
}

static void write_file(const char *path, const char *bytes, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, size), size);
	close(fd);
}

static void test_command_line_over_file(void **state)
{
	static const char file[] = "[general]\npath=/file\nverbose=true\nblock-rpcs=guest-ping\n"
				   "zz=1\nallow-rpcs=\n";
	char path[] = "/tmp/test_options.XXXXXX";

	(void)state;
	close(mkstemp(path));
	write_file(path, file, sizeof(file) - 1);
	setenv("QGA_CONF", path, 1);
	assert_int_equal(READ("-p", "/line", "-b", "guest-exec", "-a", ""), WENT_ON);
	assert_string_equal(options.path, "/line");
	assert_list(&commands_blocked, "guest-ping,guest-exec,");
	assert_true(options.verbose);
	assert_false(commands_allowed.given);
	assert_non_null(strstr(said, ":5: 'zz=1' is none of the keys (ignored)\n"));
	assert_int_equal(READ("-c", ""), WENT_ON);
	assert_string_equal(said, "");
	assert_false(options.verbose);

	write_file(path, "[general]\n\nmethod=tcp\n", 22);
	assert_wrong(READ("--"), ":3: 'tcp' is none of ");
	memset(text, '#', sizeof(text));
	write_file(path, text, OPTIONS_FILE_MAX);
	assert_int_equal(READ("-c", path), WENT_ON);
	/* Also where a character straddles the end of what is read. */
	for (size_t size = OPTIONS_FILE_MAX + 1; size < sizeof(text); size++) {
		write_file(path, text, size);
		assert_wrong(READ("-c", path), "File too large");
		memcpy(text + size - 4, "\xF0\x9F\x98\x80", 4);
	}
	unlink(path);
	assert_wrong(READ("-c", path), "No such file");
	setenv("QGA_CONF", "", 1);
}

static void test_dump_reads_back(void **state)
{
	static const char dump[] =
		"[general]\ndaemon=true\nmethod=vsock-listen\npath=\\s\\t a\\\\b\\n\n"
		"logfile=/l\npidfile=/p\nfsfreeze-hook=/f\nstatedir=/s\nverbose=true\n"
		"retry-path=true\nblock-rpcs=guest-ping\nallow-rpcs=guest-info,guest-exec\n"
		"health-dir=/h\nvsock-peers=any\n";
	char path[] = "/tmp/test_options.XXXXXX";

	(void)state;
	close(mkstemp(path));
	write_file(path, dump, sizeof(dump) - 1);
	assert_int_equal(READ("--dump-conf", "--config", path), 0);
	assert_string_equal(said,
		"[general]\ndaemon=true\nmethod=vsock-listen\npath=\\s\\t\\sa\\\\b\\n\n"
		"logfile=/l\npidfile=/p\nfsfreeze-hook=/f\nstatedir=/s\nverbose=true\n"
		"retry-path=true\nblock-rpcs=guest-ping\nallow-rpcs=guest-info,guest-exec\n"
		"health-dir=/h\nvsock-peers=any\n");
	unlink(path);
	assert_int_equal(READ("-D"), 0);
	assert_string_equal(said,
		"[general]\ndaemon=false\nmethod=virtio-serial\n"
		"path=/dev/virtio-ports/org.qemu.guest_agent.0\npidfile=/var/run/qemu-ga.pid\n"
		"statedir=/var/run\nverbose=false\nretry-path=false\nblock-rpcs=\n"
		"allow-rpcs=\n");
}

static void test_socket_activation(void **state)
{
	char pid[24];

	(void)state;
	snprintf(pid, sizeof(pid), "%d", getpid());
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", "1", 1);
	assert_int_equal(READ("-m", "unix-listen"), WENT_ON);
	assert_true(options.socket_activated);
	assert_string_equal(options.path, "");
	setenv("LISTEN_FDS", "2", 1);
	assert_wrong(READ("-m", "unix-listen"), "LISTEN_FDS=2: only one socket");
	setenv("LISTEN_FDS", "x", 1);
	assert_wrong(READ("-m", "unix-listen"), "--path is missing\n");
	setenv("LISTEN_FDS", "1", 1);
	setenv("LISTEN_PID", "1", 1);
	assert_wrong(READ("-m", "unix-listen"), "--path is missing\n");
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	assert_int_equal(READ("--"), WENT_ON);
	assert_false(options.socket_activated);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file_sets_everything),
		cmocka_unit_test(test_file_white_space_and_escapes),
		cmocka_unit_test(test_file_other_groups_and_repeats),
		cmocka_unit_test(test_file_empty),
		cmocka_unit_test(test_file_wrong),
		cmocka_unit_test(test_list_of_any_length),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_wrong_words),
		cmocka_unit_test(test_prints),
		cmocka_unit_test(test_command_line_over_file),
		cmocka_unit_test(test_dump_reads_back),
		cmocka_unit_test(test_socket_activation),
	};

	setenv("QGA_CONF", "", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
