#include "keys_text.h"

#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "scratch.h"

static bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t' || byte == '\r';
}

/* Hand over a line, or the next piece of it. */
static void read_piece(const struct keys_reader *reader, const char *at, const char *end,
	bool is_first, bool is_last)
{
	static bool is_key;

	if (is_first) {
		while (at < end && is_blank(*at))
			at++;
		is_key = at < end && *at != '#';
		if (is_key)
			reader->begun();
	}
	while (is_last && end > at && is_blank(end[-1]))
		end--;
	if (is_key && end > at)
		reader->put(at, (size_t)(end - at));
	if (is_key && is_last)
		reader->ended();
}

void keys_read(int file, const struct keys_reader *reader)
{
	size_t filled = 0;
	bool is_first = true;
	ssize_t count;

	do {
		const char *at = scratch;
		const char *end;

		count = read(file, scratch + filled, SCRATCH_SIZE - filled);
		filled += count > 0 ? (size_t)count : 0;
		while ((end = memchr(at, '\n', (size_t)(scratch + filled - at)))) {
			read_piece(reader, at, end, is_first, true);
			is_first = true;
			at = end + 1;
		}
		end = scratch + filled;
		if (count <= 0 && (at < end || !is_first)) {
			read_piece(reader, at, end, is_first, true);
		} else if (at == scratch && filled == SCRATCH_SIZE) {
			read_piece(reader, at, end, is_first, false);
			is_first = false;
			at = end;
		}
		filled = (size_t)(end - at);
		memmove(scratch, at, filled);
	} while (count > 0);
	scratch_release(SCRATCH_SIZE);
}

/* Does the line still begin a key with this byte behind what is held? A NUL stands for its end. */
static bool follow_key(struct keys_filter *filter, char byte)
{
	const char *line = filter->count > 0 ? filter->keys[filter->key].text : NULL;

	for (size_t i = filter->key; i < filter->count; i++) {
		const struct json_token *key = &filter->keys[i];

		/* What is held is known to begin the key it was compared with. */
		if (key->size >= filter->held && key->text[filter->held] == byte &&
			(i == filter->key || memcmp(key->text, line, filter->held) == 0)) {
			filter->key = i;
			return true;
		}
	}
	return false;
}

static void filter_put(const struct keys_filter *filter, const char *bytes, size_t size)
{
	if (filter->put && size > 0)
		filter->put(filter->to, bytes, size);
}

void keys_filter_bytes(struct keys_filter *filter, const char *bytes, size_t size)
{
	for (; size > 0; size--, bytes++) {
		bool ends = *bytes == '\n';

		if (!filter->copying && *bytes != '\0' &&
			follow_key(filter, ends ? '\0' : *bytes)) {
			filter->dropped += ends;
			filter->held++;
		} else {
			if (!filter->copying && filter->held > 0)
				filter_put(filter, filter->keys[filter->key].text, filter->held);
			filter_put(filter, bytes, 1);
			filter->held = 1;
			filter->copying = true;
		}
		if (ends) {
			filter->key = filter->held = 0;
			filter->copying = false;
		}
	}
}

void keys_filter_end(struct keys_filter *filter)
{
	if (filter->held > 0)
		keys_filter_bytes(filter, "\n", 1);
}
