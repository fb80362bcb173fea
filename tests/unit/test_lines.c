/* Lines of files: short ones, one longer than the buffer, an end without a newline; words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lines.h"
#include "scratch.h"

static char path[64];

static int file_of(const char *bytes, size_t size)
{
	int file = memfd_create("lines", MFD_CLOEXEC);

	assert_true(file >= 0);
	assert_int_equal(write(file, bytes, size), size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	return file;
}

static void ends_are_found(void **state)
{
	static const char *const texts[] = {"", "\n", "a", "a\n", "a\n\nb", "a\nbc\n"};
	static const char *const joined[] = {"", "|", "a|", "a|", "a||b|", "a|bc|"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct lines lines;
		char got[32] = "";
		char *line;
		int file = file_of(texts[i], strlen(texts[i]));

		assert_true(lines_open(&lines, path, 0));
		while ((line = lines_next(&lines))) {
			strcat(got, line);
			strcat(got, "|");
			assert_false(lines.cut);
		}
		assert_null(lines_next(&lines));
		assert_string_equal(got, joined[i]);
		lines_close(&lines);
		close(file);
	}
}

/* Lines of every length around that of the buffer keep their beginning, and spoil no other. */
static void long_lines_are_cut(void **state)
{
	static char text[3 * SCRATCH_SIZE];

	(void)state;
	for (size_t size = SCRATCH_SIZE - 4; size < SCRATCH_SIZE + 4; size++) {
		for (size_t before = 0; before < 3; before++) {
			struct lines lines;
			char *line;
			int file;

			memset(text, 'x', sizeof(text));
			if (before > 0)
				text[before - 1] = '\n';
			memcpy(text + before + size, "\nlast", 5);
			file = file_of(text, before + size + 5);
			assert_true(lines_open(&lines, path, 0));
			if (before > 0)
				assert_int_equal(strlen(lines_next(&lines)), before - 1);
			line = lines_next(&lines);
			assert_int_equal(lines.cut, size > SCRATCH_SIZE - 2);
			assert_int_equal(strlen(line), lines.cut ? SCRATCH_SIZE / 2 : size);
			assert_string_equal(lines_next(&lines), "last");
			assert_false(lines.cut);
			assert_null(lines_next(&lines));
			lines_close(&lines);
			close(file);
		}
	}
}

static void words_are_cut_off(void **state)
{
	char text[] = "  one\ttwo   three ";
	char *rest = text;

	(void)state;
	assert_string_equal(lines_word(&rest), "one");
	assert_string_equal(lines_word(&rest), "two");
	assert_string_equal(lines_word(&rest), "three");
	assert_string_equal(lines_word(&rest), "");
	assert_string_equal(lines_word(&rest), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ends_are_found),
		cmocka_unit_test(long_lines_are_cut),
		cmocka_unit_test(words_are_cut_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
