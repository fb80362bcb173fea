#include "lines.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "kernel_file.h"
#include "scratch.h"

bool lines_open(struct lines *lines, const char *path, int flags)
{
	*lines = (struct lines){.file = kernel_file_open(path, flags)};
	return lines->file >= 0;
}

/* What is kept of a line that does not fit. */
#define KEPT (SCRATCH_SIZE / 2)

/* Move what there is of a line to the front; of one that fills the buffer the rest is let go. */
static void make_room(struct lines *lines)
{
	lines->filled -= lines->at;
	memmove(scratch, scratch + lines->at, lines->filled);
	lines->at = 0;
	if (lines->filled == SCRATCH_SIZE - 1) {
		lines->cut = true;
		lines->filled = KEPT;
	}
}

static bool read_more(struct lines *lines)
{
	ssize_t count;

	do
		count = read(
			lines->file, scratch + lines->filled, SCRATCH_SIZE - 1 - lines->filled);
	while (count < 0 && errno == EINTR);
	if (count > 0)
		lines->filled += (size_t)count;
	return count > 0;
}

char *lines_next(struct lines *lines)
{
	char *line = scratch + lines->at;
	char *from = line;
	char *end;

	lines->cut = false;
	while (!(end = memchr(from, '\n', (size_t)(scratch + lines->filled - from)))) {
		make_room(lines);
		line = scratch;
		from = scratch + lines->filled;
		if (!read_more(lines)) {
			if (from == line)
				return NULL;
			end = from;
			lines->filled++;
			break;
		}
	}
	*end = '\0';
	if (lines->cut)
		scratch[KEPT] = '\0';
	lines->at = (size_t)(end + 1 - scratch);
	return line;
}

void lines_close(struct lines *lines)
{
	close(lines->file);
	scratch_release(SCRATCH_SIZE);
}

bool lines_each(const char *path, void (*visit)(char *line))
{
	struct lines lines;
	char *line;

	if (!lines_open(&lines, path, 0))
		return false;
	while ((line = lines_next(&lines)))
		visit(line);
	lines_close(&lines);
	return true;
}

char *lines_word(char **rest)
{
	char *word = *rest + strspn(*rest, " \t");
	char *end = word + strcspn(word, " \t");

	*rest = *end ? end + 1 : end;
	*end = '\0';
	return word;
}
