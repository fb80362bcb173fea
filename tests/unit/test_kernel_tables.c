/* The kernel's tables of routes and of processor times: its own lines, and foreign ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "processor_times.h"
#include "route_table.h"
#include "scratch.h"
#include "tests/writer.h"

static char path[64];

static int file_of(const char *text)
{
	int file = memfd_create("table", MFD_CLOEXEC);

	assert_true(file >= 0);
	assert_int_equal(write(file, text, strlen(text)), strlen(text));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	return file;
}

static void assert_gathered(const char *expected)
{
	json_writer_flush();
	gathered[gathered_size] = '\0';
	assert_string_equal(gathered, expected);
}

static void assert_routes(unsigned version, const char *text, const char *expected)
{
	int file = file_of(text);

	writer_start(0);
	assert_true(route_table_put(path, version));
	close(file);
	assert_gathered(expected);
}

static void assert_times(const char *text, const char *expected)
{
	int file = file_of(text);

	writer_start(0);
	assert_true(processor_times_put(path));
	close(file);
	assert_gathered(expected);
}

#define HEADING \
	"Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"

static void ipv4(void **state)
{
	(void)state;
	assert_routes(4, "", "");
	assert_routes(4, HEADING, "");
	assert_routes(4,
		HEADING "eth0\t0000320A\t4D00010A\t10003\t-1\t2\t-1\t0000FFFF\t1440\t3\t4   \n",
		"{\"version\": 4, \"iface\": \"eth0\", \"destination\": \"10.50.0.0\", "
		"\"gateway\": \"10.1.0.77\", \"flags\": 65539, \"refcnt\": -1, \"use\": 2, "
		"\"metric\": -1, \"mask\": \"255.255.0.0\", \"mtu\": 1440, \"window\": 3, "
		"\"irtt\": 4}");
}

#define ZEROS "00000000000000000000000000000000"

static void ipv6(void **state)
{
	(void)state;
	assert_routes(6,
		"fd0000000000000000000000000000ab 40 " ZEROS " 00 "
		"fe800000000000000000000000000001 ffffffff 00000001 0000000a 80200001     eth0\n",
		"{\"version\": 6, \"destination\": \"fd00::ab\", \"desprefixlen\": \"64\", "
		"\"source\": \"::\", \"srcprefixlen\": \"0\", \"nexthop\": \"fe80::1\", "
		"\"metric\": 4294967295, \"refcnt\": 1, \"use\": 10, \"flags\": 2149580801, "
		"\"iface\": \"eth0\"}");
}

static void no_routes(void **state)
{
	static const char *const lines[] = {"eth0", "eth0\t0000320A\t4D00010A\t0003\t0\t0\t0",
		"eth0 0000320G 4D00010A 0003 0 0 0 0000FFFF 0 0 0",
		"eth0 10000320A 4D00010A 0003 0 0 0 0000FFFF 0 0 0",
		"eth0 0000320A 4D00010A 0003 0 0 x 0000FFFF 0 0 0",
		"eth0 0000320A 4D00010A 0003 0 0 - 0000FFFF 0 0 0",
		"eth0 0000320A 4D00010A 0003 0 0 99999999999999999999 0000FFFF 0 0 0",
		"eth0 0000320A 4D00010A 0003 0 0 0 FFFFFFFFFFFFFFFFFF 0 0 0", ZEROS " 00 " ZEROS,
		ZEROS "0 00 " ZEROS " 00 " ZEROS " 0 0 0 0 lo",
		ZEROS " 00 " ZEROS " 00 0 0 0 0 0 lo", ZEROS " 00 " ZEROS " 00 " ZEROS " 0 0 0 0 "};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		assert_routes(4, lines[i], "");
		assert_routes(6, lines[i], "");
	}
	assert_false(route_table_put("/nowhere", 4));
}

#define TIMES4 "\"user\": 10, \"nice\": 20, \"system\": 30, \"idle\": 40"

static void times(void **state)
{
	(void)state;
	assert_times("cpu  9 9 9 9 9 9 9 9 9 9\ncpu12 1 2 3 4\nintr 5 6 7 8 9\ncpufreq 1 2 3 4\n",
		"{\"type\": \"linux\", \"cpu\": 12, " TIMES4 "}");
	assert_times("cpu0 1 2 3 4 5 6 7\n",
		"{\"type\": \"linux\", \"cpu\": 0, " TIMES4
		", \"iowait\": 50, \"irq\": 60, \"softirq\": 70}");
	assert_times("cpu0 1 2 3 4 5 6 7 8 9 10 11 12\n",
		"{\"type\": \"linux\", \"cpu\": 0, " TIMES4
		", \"iowait\": 50, \"irq\": 60, \"softirq\": 70, \"steal\": 80, \"guest\": 90, "
		"\"guestnice\": 100}");
	assert_times("cpu0 1 2 3\ncpu1\ncpu2 1 2 x 4\n\ncp\nc", "");
	assert_false(processor_times_put("/nowhere"));
}

/* A line longer than any buffer, as that of the interrupts may be, harms none behind it. */
static void long_lines(void **state)
{
	static char text[3 * SCRATCH_SIZE];

	(void)state;
	memset(text, ' ', sizeof(text));
	memcpy(text, "intr 1", 6);
	strcpy(text + sizeof(text) - 20, "\ncpu3 1 2 3 4\n");
	assert_times(text, "{\"type\": \"linux\", \"cpu\": 3, " TIMES4 "}");
	memset(text, '1', 2 * SCRATCH_SIZE);
	memcpy(text, "cpu4 1 2 3 4 ", 13);
	/* What is left of a number that was cut is none to be told. */
	assert_times(text,
		"{\"type\": \"linux\", \"cpu\": 4, " TIMES4
		"}, {\"type\": \"linux\", \"cpu\": 3, " TIMES4 "}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ipv4),
		cmocka_unit_test(ipv6),
		cmocka_unit_test(no_routes),
		cmocka_unit_test(times),
		cmocka_unit_test(long_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
