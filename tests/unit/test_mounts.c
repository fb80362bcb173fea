/* Lines of mountinfo: what of them is which, escapes, and lines that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/sysmacros.h>

#include "mounts.h"

static bool parse(const char *text, struct mount *mount)
{
	static char line[512];

	strcpy(line, text);
	return mount_parse(line, mount);
}

static void fields_are_found(void **state)
{
	static const char *const lines[] = {
		"36 35 98:4 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue",
		"36 35 98:4 / /mnt2 rw - ext3 /dev/root rw",
		"36 35 98:4 / /mnt2 rw shared:2 master:1 propagate_from:3 - ext3 /dev/root",
	};
	struct mount mount;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		assert_true(parse(lines[i], &mount));
		assert_true(mount.device == makedev(98, 4));
		assert_string_equal(mount.point, "/mnt2");
		assert_string_equal(mount.type, "ext3");
		assert_string_equal(mount.source, "/dev/root");
		assert_false(mount_is_btrfs(&mount));
	}
	assert_true(parse("1 2 0:29 /@home /home rw - btrfs /dev/sda2 rw", &mount));
	assert_true(mount_is_btrfs(&mount));
	assert_true(parse("1 2 4095:1048575 / / rw - ext4 /dev/x rw", &mount));
	assert_true(mount.device == makedev(4095, 1048575));
}

static void escapes_are_undone(void **state)
{
	static const struct {
		const char *escaped;
		const char *plain;
	} points[] = {
		{"/a\\040b", "/a b"},
		{"/a\\011\\012\\134\\043", "/a\t\n\\#"},
		{"/\\134040", "/\\040"},
		{"/\\303\\244\\377", "/\xc3\xa4\xff"},
		/* The kernel writes none of these. */
		{"/\\", "/\\"},
		{"/\\04", "/\\04"},
		{"/\\000", "/\\000"},
		{"/\\400", "/\\400"},
		{"/\\x41", "/\\x41"},
		{"/\\08x", "/\\08x"},
		{"\\\\040", "\\ "},
	};
	char line[128];
	struct mount mount;

	(void)state;
	for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
		strcpy(line, "1 2 8:1 / ");
		strcat(strcat(line, points[i].escaped), " rw - ext4 ");
		strcat(strcat(line, points[i].escaped), " rw");
		assert_true(parse(line, &mount));
		assert_string_equal(mount.point, points[i].plain);
		assert_string_equal(mount.source, points[i].plain);
	}
}

static void other_lines_are_refused(void **state)
{
	static const char *const lines[] = {
		"",
		" ",
		"1",
		"1 2",
		"1 2 8:1",
		"1 2 8:1 / /m rw",
		"1 2 8:1 / /m rw -",
		"1 2 8 / /m rw - ext4 x rw",
		"1 2 8: / /m rw - ext4 x rw",
		"1 2 :1 / /m rw - ext4 x rw",
		"1 2 a:b / /m rw - ext4 x rw",
		"1 2 99999999999999999999:1 / /m rw - ext4 x rw",
	};
	struct mount mount;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_false(parse(lines[i], &mount));
}

static void noted_filesystems_are_known(void **state)
{
	struct mount mount = {.type = ""};

	(void)state;
	for (unsigned number = 1; number < 1000; number++) {
		mount.device = makedev(number % 4, number << 8);
		assert_false(mounts_noted(&mount));
		mounts_note(&mount);
		assert_true(mounts_noted(&mount));
	}
	/* Beyond what there is room for, none is taken for another. */
	for (unsigned number = 0; number < 20000; number++) {
		mount.device = makedev(5, number);
		assert_false(mounts_noted(&mount));
		mounts_note(&mount);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_are_found),
		cmocka_unit_test(escapes_are_undone),
		cmocka_unit_test(other_lines_are_refused),
		cmocka_unit_test(noted_filesystems_are_known),
	};

	return cmocka_run_group_tests_name("mounts", tests, NULL, NULL);
}
