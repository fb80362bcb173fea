/* os-release(5): a shell's quoting, and the assignment that counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "os_release.h"

static void quotes_are_undone(void **state)
{
	static const char *const values[][2] = {
		{"debian", "debian"},
		{"", ""},
		{"\"\"", ""},
		{"\"Debian GNU/Linux\"", "Debian GNU/Linux"},
		{"'single $q \"x\"'", "single $q \"x\""},
		{"\"A \\\"q\\\" \\$x \\\\ \\` \\n\"", "A \"q\" $x \\ ` \\n"},
		{"'a\\'b", "a\\b"},
		{"plain\\ x rest", "plain x"},
		{"one\nNAME=two", "one"},
		{"\"one\nNAME=two\"", "one"},
		{"end\\\nNAME=two", "end\\"},
		{"one two", "one"},
		{"one # comment", "one"},
		{"one#two", "one#two"},
		{"\"trailing\" # comment", "trailing"},
		{"\"two\"' three'\\!x", "two three!x"},
		{"\"open", "open"},
		{"end\\", "end\\"},
		{"\"end\\", "end\\"},
		{"crlf\r", "crlf"},
		{"\"tab\tin\"\t", "tab\tin"},
		{"gr\xC3\xBC\xC3\x9F\xFF", "gr\xC3\xBC\xC3\x9F\xFF"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		char value[64];
		size_t size;

		strcpy(value, values[i][0]);
		size = os_release_unquote(value);
		value[size] = '\0';
		assert_string_equal(value, values[i][1]);
	}
}

static void the_last_assignment_counts(void **state)
{
	char text[] = "# ID=comment\nNAME=x\nID=first\nVERSION_ID=\nID\n = \nid=no\nID=\"la st\"";

	(void)state;
	assert_string_equal(os_release_find(text, "id"), "\"la st\"");
	assert_string_equal(os_release_find(text, "version-id"), strstr(text, "\nID\n = "));
	assert_null(os_release_find(text, "version"));
	assert_null(os_release_find(text, "variant-id"));
	text[0] = '\0';
	assert_null(os_release_find(text, "id"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quotes_are_undone),
		cmocka_unit_test(the_last_assignment_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
