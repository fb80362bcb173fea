/* Small files and directories: what is too long, or is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "directory.h"
#include "kernel_file.h"

static int file_of(const char *bytes, size_t size)
{
	int file = memfd_create("small", MFD_CLOEXEC);

	assert_true(file >= 0);
	assert_int_equal(write(file, bytes, size), size);
	assert_int_equal(lseek(file, 0, SEEK_SET), 0);
	return file;
}

static void files_are_read(void **state)
{
	static const char text[] = "a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80\nb";
	static const size_t whole[] = {0, 0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 12, 12};
	char path[64];
	char buffer[64] = "x";
	int file = file_of(text, sizeof(text) - 1);

	(void)state;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	for (size_t size = 1; size <= 14; size++) {
		assert_int_equal(kernel_file_read(path, 0, buffer, size), whole[size]);
		assert_memory_equal(buffer, text, whole[size]);
		assert_int_equal(buffer[whole[size]], '\0');
	}
	assert_true(kernel_file_read_line(path, buffer, sizeof(buffer)));
	assert_string_equal(buffer, "a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80");
	assert_int_equal(kernel_file_read(path, O_NOFOLLOW, buffer, sizeof(buffer)), -1);
	assert_int_equal(errno, ELOOP);
	assert_string_equal(buffer, "");
	close(file);
	file = file_of("\x80\x80\x80\x80\x80", 5);
	assert_int_equal(kernel_file_read(path, 0, buffer, 4), 0);
	close(file);
	assert_true(
		kernel_file_read_line("/proc/sys/kernel/random/boot_id", buffer, sizeof(buffer)));
	assert_int_equal(strlen(buffer), 36);
	assert_false(kernel_file_read_line("/no/such", buffer, sizeof(buffer)));
	assert_int_equal(errno, ENOENT);
	assert_string_equal(buffer, "");
	assert_false(kernel_file_read_line("/proc/no/such", buffer, sizeof(buffer)));
	assert_int_equal(kernel_file_read("/", 0, buffer, sizeof(buffer)), -1);
	assert_int_equal(errno, EISDIR);
}

static void directories_are_walked(void **state)
{
	char folder[] = "/tmp/smallXXXXXX";
	struct directory directory;
	char path[64];
	const char *name;
	unsigned seen = 0;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/.hidden", folder);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	for (int i = 0; i < 300; i++) {
		snprintf(path, sizeof(path), "%s/a-file-with-number-%d", folder, i);
		close(open(path, O_CREAT | O_WRONLY, 0600));
	}
	assert_true(directory_open(&directory, folder));
	while ((name = directory_next(&directory))) {
		assert_int_equal(strncmp(name, "a-file-with-number-", 19), 0);
		seen++;
	}
	assert_int_equal(seen, 300);
	directory_close(&directory);
	for (int i = 0; i < 300; i++) {
		snprintf(path, sizeof(path), "%s/a-file-with-number-%d", folder, i);
		unlink(path);
	}
	snprintf(path, sizeof(path), "%s/.hidden", folder);
	unlink(path);
	rmdir(folder);
	assert_false(directory_open(&directory, folder));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_are_read),
		cmocka_unit_test(directories_are_walked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
