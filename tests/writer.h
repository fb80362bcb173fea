/* The JSON writer as the tests use it: over the smallest buffer that it may have, with its output
 * gathered.
 */
#ifndef TESTS_WRITER_H
#define TESTS_WRITER_H

#include <string.h>

#include "json.h"
#include "pages.h"

#define WRITER_CAPACITY 4096

static _Alignas(PAGES_ALIGNMENT) char writer_buffer[WRITER_CAPACITY];

/* What was flushed. */
static char gathered[1 << 18];
static size_t gathered_size;
static unsigned flushes;
static unsigned flushes_wanted; /* the one after these is refused */

static inline bool gather(const char *bytes, size_t size)
{
	if (size == 0 || size > sizeof(gathered) - gathered_size)
		__builtin_trap();
	memcpy(gathered + gathered_size, bytes, size);
	gathered_size += size;
	return flushes++ < flushes_wanted;
}

/* Begin with so many bytes in the buffer, all spaces. */
static inline void writer_start(size_t filled)
{
	static char spaces[WRITER_CAPACITY];

	memset(spaces, ' ', filled);
	json_writer_init(writer_buffer, WRITER_CAPACITY, gather);
	json_writer_reset();
	gathered_size = 0;
	flushes = 0;
	flushes_wanted = -1u;
	json_put_raw(spaces, filled);
}

static inline void put_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
static inline void put_format(const char *format, ...)
{
	va_list values;

	va_start(values, format);
	json_put_vformat(format, values);
	va_end(values);
}

#endif
