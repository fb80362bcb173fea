/* tinyqga-health over folders of checks, good and bad. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands.h"
#include "json.h"
#include "options.h"
#include "state.h"

static char reply[1 << 20];
static size_t reply_size;
static char folder[32];

static bool keep(const char *bytes, size_t size)
{
	assert_true(reply_size + size < sizeof(reply));
	memcpy(reply + reply_size, bytes, size);
	reply_size += size;
	reply[reply_size] = '\0';
	return true;
}

static void ask(void)
{
	static const char request[] = "{'execute':'tinyqga-health'}";
	static char input[4096];
	static char output[4096];
	struct json_token tokens[16];
	struct json_reader reader;
	size_t room;

	json_reader_init(&reader, input, sizeof(input), tokens, 16);
	memcpy(json_reader_space(&reader, &room), request, sizeof(request) - 1);
	json_reader_fill(&reader, sizeof(request) - 1);
	assert_int_equal(json_reader_next(&reader), JSON_VALUE);
	reply_size = 0;
	json_writer_init(output, sizeof(output), keep);
	commands_answer(&reader);
}

static int make_folder(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/healthXXXXXX");
	assert_non_null(mkdtemp(folder));
	options.health_dir = folder;
	state_frozen = false;
	return 0;
}

static int remove_folder(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return system(command);
}

static const char *path_of(const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void report_bytes(const char *name, const char *bytes, size_t size)
{
	int file = open(path_of(name), O_CREAT | O_WRONLY | O_TRUNC, 0600);

	assert_true(file >= 0);
	assert_int_equal(write(file, bytes, size), size);
	close(file);
}

static void report(const char *name, const char *text)
{
	report_bytes(name, text, strlen(text));
}

static void assert_checks(const char *status, const char *checks)
{
	static const char begin[] = "{\"return\": {\"checks\": [";
	char end[64];
	const char *at;

	ask();
	assert_memory_equal(reply, begin, sizeof(begin) - 1);
	at = strstr(reply, "], \"uptime-ms\": ");
	if (!at)
		at = strstr(reply, "], \"frozen\": true, \"uptime-ms\": ");
	assert_non_null(at);
	assert_int_equal(at - reply - (ptrdiff_t)sizeof(begin) + 1, strlen(checks));
	assert_memory_equal(reply + sizeof(begin) - 1, checks, strlen(checks));
	snprintf(end, sizeof(end), ", \"status\": \"%s\"}}\n", status);
	assert_string_equal(reply + reply_size - strlen(end), end);
}

/* A folder's order is the kernel's, so each check alone. */
static void assert_check(const char *text, const char *status, const char *output)
{
	char expected[256];

	report("check", text);
	snprintf(expected, sizeof(expected),
		"{\"name\": \"check\", \"status\": \"%s\", \"output\": \"%s\"}", status, output);
	assert_checks(status, expected);
}

static void without_checks_it_passes(void **state)
{
	(void)state;
	assert_checks("pass", "");
	rmdir(folder);
	assert_checks("pass", "");
	assert_non_null(strstr(reply, "\"boot-id\": \""));
	assert_non_null(strstr(reply, "\"memory\": {\"total\": "));
	assert_non_null(strstr(reply, "\"load1m\": "));
	assert_null(strstr(reply, "frozen"));
	assert_int_equal(mkdir(folder, 0700), 0);
}

static void the_worst_check_counts(void **state)
{
	(void)state;
	report("network", "pass eth0 10.0.2.15\n");
	report("disk", "warn\n");
	report("memory", "pass");
	ask();
	assert_non_null(strstr(reply, "\"status\": \"warn\"}}\n"));
	report("network", "fail\tgone \nsecond line");
	ask();
	assert_non_null(strstr(reply, "\"status\": \"fail\"}}\n"));
	assert_non_null(
		strstr(reply, "{\"name\": \"disk\", \"status\": \"warn\", \"output\": \"\"}"));
	assert_non_null(
		strstr(reply, "{\"name\": \"memory\", \"status\": \"pass\", \"output\": \"\"}"));
	assert_non_null(strstr(
		reply, "{\"name\": \"network\", \"status\": \"fail\", \"output\": \"gone \"}"));
}

static void the_first_word_is_the_status(void **state)
{
	(void)state;
	assert_check("pass", "pass", "");
	assert_check("pass\n", "pass", "");
	assert_check("pass \n", "pass", "");
	assert_check("pass\nmore\n", "pass", "");
	assert_check("pass\r\n", "pass", "");
	assert_check("warn\tdisk 91 %", "warn", "disk 91 %");
	assert_check("fail x y\nmore\n", "fail", "x y");
	assert_check("", "fail", "no status: ");
	assert_check("\npass\n", "fail", "no status: ");
	assert_check("p", "fail", "no status: p");
	assert_check("pas\n", "fail", "no status: pas");
	assert_check(" pass\n", "fail", "no status:  pass");
	assert_check("passed all\n", "fail", "no status: passed all");
	assert_check("PASS", "fail", "no status: PASS");
	assert_check("pass\xC3\xA4", "fail", "no status: pass\\u00E4");
	report_bytes("check", "pass\0x", 6);
	assert_checks("fail",
		"{\"name\": \"check\", \"status\": \"fail\", \"output\": \"no status: "
		"pass\\u0000x\"}");
	report_bytes("check", "pass \xFF\x80 \0x", 10);
	assert_checks("pass",
		"{\"name\": \"check\", \"status\": \"pass\", \"output\": \"\\uFFFD\\uFFFD "
		"\\u0000x\"}");
}

static void what_is_no_file_fails(void **state)
{
	static const char *const errors[] = {
		"Illegal seek", "Is a directory", "Too many levels of symbolic links"};

	(void)state;
	report(".hidden", "warn");
	for (int i = 0; i < 3; i++) {
		char expected[256];

		if (i == 0)
			assert_int_equal(mkfifo(path_of("odd"), 0600), 0);
		else if (i == 1)
			assert_int_equal(mkdir(path_of("odd"), 0700), 0);
		else
			assert_int_equal(symlink(".hidden", path_of("odd")), 0);
		snprintf(expected, sizeof(expected),
			"{\"name\": \"odd\", \"status\": \"fail\", \"output\": \"no status: %s\"}",
			errors[i]);
		assert_checks("fail", expected);
		assert_int_equal(remove(path_of("odd")), 0);
	}
}

static void a_long_line_is_cut_at_a_character(void **state)
{
	char text[1000] = "pass ";
	const char *begin;

	(void)state;
	for (size_t i = 5; i + 1 < sizeof(text); i += 2)
		memcpy(text + i, "\xC3\xA4", 2);
	for (size_t lead = 0; lead < 2; lead++) {
		memcpy(text + lead, "pass ", 5);
		report_bytes("long", text + lead, sizeof(text) - lead);
		ask();
		begin = strstr(reply, "\\u00E4");
		assert_non_null(begin);
		assert_true(strspn(begin, "\\u00E4") >= 6 * 250);
		assert_null(strstr(begin, "\\uFFFD"));
	}
}

static void many_checks_are_all_there(void **state)
{
	char name[32];

	(void)state;
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "check-%d", i);
		report(name, i == 700 ? "warn\n" : "pass\n");
	}
	ask();
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "\"check-%d\"", i);
		assert_non_null(strstr(reply, name));
	}
	assert_non_null(strstr(reply, "\"status\": \"warn\"}}\n"));
}

static void while_frozen_it_tells_what_it_knew(void **state)
{
	(void)state;
	report("disk", "warn old\n");
	ask();
	report("disk", "fail new\n");
	state_frozen = true;
	assert_checks("warn", "");
	assert_non_null(strstr(reply, "\"frozen\": true"));
	assert_non_null(strstr(reply, "\"boot-id\": \""));
	state_frozen = false;
	assert_checks("fail", "{\"name\": \"disk\", \"status\": \"fail\", \"output\": \"new\"}");
	assert_null(strstr(reply, "frozen"));
}

static void a_folder_that_is_none_fails(void **state)
{
	char expected[256];

	(void)state;
	report("file", "pass");
	options.health_dir = path_of("file");
	snprintf(expected, sizeof(expected),
		"{\"name\": \"%s/file\", \"status\": \"fail\", \"output\": "
		"\"no status: Not a directory\"}",
		folder);
	assert_checks("fail", expected);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(without_checks_it_passes),
		IN_FOLDER(the_worst_check_counts),
		IN_FOLDER(the_first_word_is_the_status),
		IN_FOLDER(what_is_no_file_fails),
		IN_FOLDER(a_long_line_is_cut_at_a_character),
		IN_FOLDER(many_checks_are_all_there),
		IN_FOLDER(while_frozen_it_tells_what_it_knew),
		IN_FOLDER(a_folder_that_is_none_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
