/* Any bytes as a utmp file: each user comes once, with a name and no time before its others.
 *
 * Covers: utmp.c
 */
#include <string.h>

#include "tests/fuzz/harness.h"
#include "utmp.h"

#define USERS_MAX 64

static void check_record(const uint8_t *data, size_t size)
{
	struct login login;
	char record[UTMP_SIZE] = {0};

	memcpy(record, data, size < sizeof(record) ? size : sizeof(record));
	if (utmp_login(record, &login))
		check(login.user_size > 0 && login.user_size <= UTMP_USER_SIZE &&
			login.user >= record && login.user + login.user_size <= record + UTMP_SIZE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char users[USERS_MAX][UTMP_USER_SIZE + 1];
	struct utmp utmp;
	struct login login;
	size_t count = 0;
	FILE *file;

	check_record(data, size);
	utmp_open(&utmp);
	utmp_close(&utmp);
	file = fopen(file_of(data, size), "r");
	check(file);
	utmp = (struct utmp){.file = dup(fileno(file))};
	fclose(file);
	while (utmp_next(&utmp, &login)) {
		if (count == USERS_MAX)
			continue;
		memset(users[count], 0, sizeof(users[count]));
		memcpy(users[count], login.user, login.user_size);
		for (size_t i = 0; i < count; i++)
			check(strcmp(users[i], users[count]) != 0);
		count++;
	}
	check(count <= size / UTMP_SIZE);
	utmp_close(&utmp);
	return 0;
}
