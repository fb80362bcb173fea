/* The log: its lines, where they go, and that it never waits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "state.h"

static char path[64];
static char content[8192];

static const char *read_log(void)
{
	int fd = open(path, O_RDONLY);
	ssize_t size = read(fd, content, sizeof(content) - 1);

	close(fd);
	content[size < 0 ? 0 : size] = '\0';
	return content;
}

static void test_line(void **state)
{
	const char *text;

	(void)state;
	assert_true(log_open(path, LOG_LEVEL_DEBUG));
	log_error("%s is %d", "x", 7);
	log_debug("a\nb\x1b[1m\xc3\xa9");
	text = read_log();
	assert_int_equal(strspn(text, "0123456789"), strcspn(text, "."));
	assert_int_equal(strspn(strchr(text, '.') + 1, "0123456789"), 6);
	assert_non_null(strstr(text, ": error: x is 7\n"));
	assert_non_null(strstr(text, ": debug: a?b?[1m\xc3\xa9\n"));
}

static void test_mode(void **state)
{
	struct stat status;

	(void)state;
	assert_true(log_open(path, LOG_LEVEL_DEBUG));
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
}

static void test_levels(void **state)
{
	(void)state;
	assert_true(log_open(path, LOG_LEVEL_WARNING));
	log_warning("told");
	log_info("not told");
	assert_non_null(strstr(read_log(), ": warning: told\n"));
	assert_null(strstr(read_log(), "not told"));
}

static void test_long_line(void **state)
{
	char long_text[2001];

	(void)state;
	for (size_t size = 930; size <= 2000; size++) {
		size_t kept;

		memset(long_text, 'x', size);
		long_text[size] = '\0';
		unlink(path);
		assert_true(log_open(path, LOG_LEVEL_DEBUG));
		log_error("%s", long_text);
		kept = strspn(strchr(read_log(), 'x'), "x");
		assert_string_equal(content + strlen(content) - 2, "x\n");
		if (kept < size)
			assert_int_equal(strlen(content), 976);
		else
			assert_in_range(strlen(content), size, 976);
	}
}

static void test_cannot_open(void **state)
{
	(void)state;
	assert_true(log_open(path, LOG_LEVEL_DEBUG));
	assert_false(log_open("/nonexistent/log", LOG_LEVEL_DEBUG));
	assert_int_equal(errno, ENOENT);
	log_error("still here");
	assert_non_null(strstr(read_log(), "still here"));
}

static void test_reopen(void **state)
{
	(void)state;
	assert_true(log_open(path, LOG_LEVEL_DEBUG));
	unlink(path);
	log_error("gone");
	log_reopen();
	log_error("again");
	assert_null(strstr(read_log(), "gone"));
	assert_non_null(strstr(content, "again"));
}

static void test_paused(void **state)
{
	(void)state;
	assert_true(log_open(path, LOG_LEVEL_DEBUG));
	unlink(path);
	state_frozen = true;
	log_error("while frozen");
	log_reopen();
	assert_int_equal(access(path, F_OK), -1);
	state_frozen = false;
	log_reopen();
	log_error("thawed");
	assert_null(strstr(read_log(), "while frozen"));
	assert_non_null(strstr(content, "thawed"));
}

static void fill(int fd)
{
	static const char bytes[4096];

	while (write(fd, bytes, sizeof(bytes)) > 0)
		;
	while (write(fd, bytes, 1) > 0)
		;
}

static void test_full_fifo(void **state)
{
	char fifo[80];
	int fd;

	(void)state;
	snprintf(fifo, sizeof(fifo), "%s.fifo", path);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_false(log_open(fifo, LOG_LEVEL_DEBUG));
	assert_int_equal(errno, ENXIO);
	fd = open(fifo, O_RDWR | O_NONBLOCK);
	assert_true(log_open(fifo, LOG_LEVEL_DEBUG));
	fill(fd);
	alarm(10);
	log_error("no room");
	alarm(0);
	close(fd);
	unlink(fifo);
	assert_true(log_open(path, LOG_LEVEL_DEBUG));
}

static void test_full_stderr(void **state)
{
	int ends[2];
	int saved;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	fcntl(ends[1], F_SETFL, O_NONBLOCK);
	fill(ends[1]);
	fcntl(ends[1], F_SETFL, 0);
	saved = dup(STDERR_FILENO);
	dup2(ends[1], STDERR_FILENO);
	assert_true(log_open("", LOG_LEVEL_DEBUG));
	alarm(10);
	log_error("no room");
	alarm(0);
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(ends[0]);
	close(ends[1]);
}

static int remove_log(void **state)
{
	(void)state;
	unlink(path);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_mode),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_long_line),
		cmocka_unit_test(test_cannot_open),
		cmocka_unit_test(test_reopen),
		cmocka_unit_test(test_paused),
		cmocka_unit_test(test_full_fifo),
		cmocka_unit_test(test_full_stderr),
	};

	snprintf(path, sizeof(path), "/tmp/test_log.%d", getpid());
	return cmocka_run_group_tests(tests, NULL, remove_log);
}
