/* Any bytes as the kernel's tables of routes and of processor times: what is told is JSON, an
 * object for each line at most.
 *
 * Covers: route_table.c processor_times.c lines.c address.c
 */
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "json.h"
#include "processor_times.h"
#include "route_table.h"
#include "tests/fuzz/harness.h"
#include "tests/writer.h"

#define TOKENS_MAX (1u << 16)

/* What is gathered is an array with one object for each line at most. */
static void check_told(const uint8_t *data, size_t size)
{
	static char text[sizeof(gathered) + JSON_SLACK];
	static struct json_token tokens[TOKENS_MAX];
	struct json_reader reader;
	size_t lines = 1;
	size_t objects = 0;
	size_t room;

	json_end(']');
	json_writer_flush();
	json_reader_init(&reader, text, sizeof(text), tokens, TOKENS_MAX);
	memcpy(json_reader_space(&reader, &room), gathered, gathered_size);
	json_reader_fill(&reader, gathered_size);
	check(json_reader_next(&reader) == JSON_VALUE);
	for (struct json_token *item = tokens + 1; item < tokens + tokens->span;
		item += item->span) {
		check(item->type == JSON_OBJECT);
		objects++;
	}
	for (size_t i = 0; i < size; i++)
		lines += data[i] == '\n';
	check(objects <= lines);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *path;
	char hardware[ADDRESS_TEXT_SIZE];
	struct text text = text_in(hardware, sizeof(hardware));

	if (size > 4096)
		return 0;
	path = file_of(data, size);
	for (unsigned version = 4; version <= 6; version += 2) {
		writer_start(0);
		json_begin('[');
		check(route_table_put(path, version));
		check_told(data, size);
	}
	writer_start(0);
	json_begin('[');
	check(processor_times_put(path));
	check_told(data, size);
	check(!processor_times_put("/nowhere") && !route_table_put("/nowhere", 4));
	address_put_hardware(&text, data, size < 32 ? size : 32);
	check(!text.cut);
	return 0;
}
