#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "error_text.h"
#include "log.h"
#include "options.h"
#include "text.h"

#ifndef WITHOUT_FREEZE
bool state_frozen;
#endif

#define FIRST_HANDLE 1000

/* The number has a fixed width, so that a new one replaces the old in one write. */
#define WIDTH 19 /* digits of INT64_MAX */
static const char beginning[] = "[general]\nfd_counter=";
#define KEY_AT 10 /* in it */

/* More than are ever handed out: who says so is damaged. */
#define HANDLE_MAX (INT64_MAX / 2)

/* What the file says: the next handle, or the first. */
static int64_t read_counter(int file)
{
	char content[256];
	ssize_t size = pread(file, content, sizeof(content) - 1, 0);
	const char *at = content;
	const char *value = NULL;
	uint64_t counter;

	content[size > 0 ? size : 0] = '\0';
	while (*at && !(value = text_after(at++, beginning + KEY_AT)))
		;
	return value && parse_unsigned(value, &counter) && counter > FIRST_HANDLE &&
			counter < HANDLE_MAX
		? (int64_t)counter
		: FIRST_HANDLE;
}

static bool write_counter(int file, uint64_t counter)
{
	char content[sizeof(beginning) + WIDTH];
	char *end = content + sizeof(content);

	memcpy(content, beginning, sizeof(beginning) - 1);
	*--end = '\n';
	for (int i = 0; i < WIDTH; i++, counter /= 10)
		*--end = (char)('0' + counter % 10);
	return pwrite(file, content, sizeof(content), 0) == (ssize_t)sizeof(content);
}

int64_t state_next_handle(void)
{
	static int64_t next_handle;
	char path[PATH_MAX];
	int file;

	text_print(path, sizeof(path), "%s/" STATE_FILE, options.state_dir);
	file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	/* After a restart it would be handed out once more. */
	if (file < 0 && (errno == EMFILE || errno == ENFILE))
		return -1;
	if (next_handle == 0)
		next_handle = read_counter(file);
	if (file < 0 || !write_counter(file, (uint64_t)next_handle + 1))
		log_warning("failed to save the file handle counter in %s: %s", path,
			error_text(errno));
	close(file);
	return next_handle++;
}
