/* Any bytes as requests for commands that take every type of argument and do no harm. Each request
 * gets one line of JSON, as the protocol has it, and a stream cut anywhere gets the same lines. A
 * handler finds its arguments as its row says.
 *
 * Covers: commands.c
 */
#include "commands.h"
#include "state.h"
#include "tests/fuzz/harness.h"
#include "tests/writer.h"

#define INPUT_MAX 4096
/* Small enough to be exceeded. */
#define REQUEST_MAX 2048
#define TOKENS_MAX 64
#define LONG_MAX_SIZE 9999

static bool silent; /* the last command sends no reply, and has not failed */
static bool delimited;

/* ---- The commands ---- */

/* An argument goes back as it came. Not of an object: the keys that were looked for are marked. */
static void put_argument(const struct request *request, unsigned argument)
{
	if (request_has(request, argument))
		json_put_value(request->arguments[argument]);
	else
		json_put_bool(false);
}

static void check_string(const struct request *request, unsigned argument)
{
	size_t size = 0;
	const char *string = request_string(request, argument, &size);

	check((string != NULL) == request_has(request, argument));
	check(!string || strlen(string) == size);
	check(request_string(request, argument, NULL) == string);
	check(!string || string == request->arguments[argument]->text);
}

static void check_int(const struct request *request, unsigned argument)
{
	int64_t value = request_int(request, argument, -7);

	check(request_int(request, argument, -8) == value || !request_has(request, argument));
	check(value == -7 || request_has(request, argument));
	json_put_int(value);
}

static void check_bool(const struct json_token *token)
{
	check(token->type == JSON_FALSE || token->type == JSON_TRUE);
}

static void answer_scalars(struct request *request)
{
	uint64_t number;

	check_string(request, 0);
	check(request_has(request, 0) && request_has(request, 1));
	json_begin('[');
	put_argument(request, 0);
	check_int(request, 1);
	if (request_has(request, 2)) {
		check(json_uint(request->arguments[2], &number));
		json_put_uint(number);
	}
	if (request_has(request, 3))
		check_bool(request->arguments[3]);
	json_put_bool(request_bool(request, 3));
	json_end(']');
}

static struct json_token *member(struct json_token *object, const char *name)
{
	return json_member(object, name, strlen(name));
}

static struct json_token *end_of(struct json_token *list)
{
	return list + list->span;
}

static void answer_lists(struct request *request)
{
	struct json_token *list = request->arguments[0];
	struct json_token *objects = request->arguments[1];
	struct json_token *rows = request->arguments[2];
	struct json_token *item;
	int64_t number;

	check(list->type == JSON_ARRAY);
	for (item = list + 1; item < end_of(list); item += item->span)
		check(item->type == JSON_STRING && strlen(item->text) == item->size);
	for (item = objects ? objects + 1 : NULL; objects && item < end_of(objects);
		item += item->span) {
		struct json_token *can = member(item, "can-offline");
		struct json_token *id = member(item, "logical-id");

		check(id && json_int(id, &number));
		check_bool(member(item, "online"));
		if (can)
			check_bool(can);
	}
	for (struct json_token *row = rows ? rows + 1 : NULL; rows && row < end_of(rows);
		row += row->span) {
		check(row->type == JSON_ARRAY);
		for (item = row + 1; item < end_of(row); item += item->span)
			check(json_int(item, &number));
	}
	put_argument(request, 0);
}

static void answer_object(struct request *request)
{
	struct json_token *size = request->arguments[0];
	int64_t number = -1;

	if (size) {
		struct json_token *inner = member(size, "inner");

		check(json_int(member(size, "rows"), &number));
		check(!inner || member(inner, "on"));
	}
	check(request->arguments[1]->type == JSON_STRING);
	json_begin('{');
	json_member_int("rows", number);
	json_put_key("name");
	put_argument(request, 1);
	json_end('}');
}

static void answer_choice(struct request *request)
{
	int whence = request_choice(request, 0);
	int capture = request_choice(request, 1);

	check(request_choice(request, 2) == -1);
	check(whence >= -1 && whence < 3 && capture >= -1 && capture < 5);
	check(whence >= 0 || request->arguments[0]->type == JSON_NUMBER);
	json_begin('[');
	json_put_int(whence);
	json_put_int(capture);
	json_put_bool(request_bool(request, 1));
	json_end(']');
}

static void answer_base64(struct request *request)
{
	char *bytes;
	size_t size;

	json_begin('{'); /* which the error must drop */
	if (!request_base64(request, 0, &bytes, &size))
		return;
	json_put_key("buf-b64");
	json_begin_base64();
	json_put_base64(bytes, size);
	json_end_base64();
	json_end('}');
}

static void answer_nothing(struct request *request)
{
	if (request_bool(request, 0))
		reply_error(request, "%s: %d", "it is asked for", 1);
	else
		silent = true;
}

static void answer_sync(struct request *request)
{
	delimited = true;
	check_int(request, 0);
}

/* Of two errors the first stands. */
static void fail(struct request *request)
{
	json_begin('[');
	put_argument(request, 0);
	reply_error(request, "failed: %s", request_string(request, 0, NULL));
	reply_error(request, "failed again");
}

/* What outgrows the writer's buffer has left when it fails. */
static void answer_long(struct request *request)
{
	static char text[LONG_MAX_SIZE];
	int64_t size = request_int(request, 0, 0);

	memset(text, 'x', sizeof(text));
	json_put_string(text, size >= 0 && size <= LONG_MAX_SIZE ? (size_t)size : 0);
	if (request_has(request, 1))
		reply_error(request, "too late");
}

static void allow_all(void)
{
	memset(&commands_allowed, 0, sizeof(commands_allowed));
	memset(&commands_blocked, 0, sizeof(commands_blocked));
}

/* Put the commands whose names the text holds on a list. */
static void mark(struct command_list *list, const char *names)
{
	const struct command *row;

	list->given = names != NULL;
	for (size_t i = 0; names && (row = commands_at(i)); i++)
		list->has[i] = strstr(names, row->name) != NULL;
}

static void restrict_commands(struct request *request)
{
	allow_all();
	mark(&commands_allowed, request_string(request, 0, NULL));
	mark(&commands_blocked, request_string(request, 1, NULL));
}

static void freeze(struct request *request)
{
	state_frozen = request_bool(request, 0);
}

static void list_commands(struct request *request)
{
	const struct command *row;

	(void)request;
	json_begin('[');
	for (size_t i = 0; (row = commands_at(i)); i++) {
		check(!state_frozen || commands_enabled(i) == !!(row->flags & COMMAND_FROZEN));
		if (commands_enabled(i))
			json_put_string(row->name, strlen(row->name));
	}
	json_end(']');
}

COMMANDS = {
	{"scalars", "path:s handle:i count:u? online:b?", 0, answer_scalars},
	{"lists", "arg:[s] vcpus:[{logical-id:i online:b can-offline:b?}]? rows:[[i]]?", 0,
		answer_lists},
	{"object", "size:{rows:i columns:i? inner:{on:b}?}? name:s", 0, answer_object},
	{"choice",
		"whence:<Whence>i|set|cur|end capture:<Capture>b|none|stdout|stderr|all|end? x:s?",
		0, answer_choice},
	{"base64", "data:s", 0, answer_base64},
	{"silent", "fail:b?", COMMAND_NO_REPLY, answer_nothing},
	{"sync", "id:i", COMMAND_FROZEN | COMMAND_DELIMITED, answer_sync},
	{"fail", "text:s", 0, fail},
	{"long", "size:i fail:b?", 0, answer_long},
	{"restrict", "allow:s? block:s", COMMAND_FROZEN, restrict_commands},
	{"freeze", "on:b", COMMAND_FROZEN, freeze},
	{"list", "", COMMAND_FROZEN, list_commands},
};

/* ---- Their replies ---- */

/* An object with either return or error, perhaps id, and nothing else. */
static void check_object(struct json_token *reply)
{
	struct json_token *error = member(reply, "error");
	struct json_token *id = member(reply, "id");
	struct json_token *result = member(reply, "return");
	unsigned count = (error != NULL) + (id != NULL) + (result != NULL);

	check(reply->type == JSON_OBJECT && (error != NULL) != (result != NULL));
	check(reply->size == count);
	if (error) {
		struct json_token *class = member(error, "class");
		struct json_token *desc = member(error, "desc");

		check(error->size == 2 && class && desc);
		check(strcmp(class->text, "GenericError") == 0 ||
			strcmp(class->text, "CommandNotFound") == 0);
		check(desc->type == JSON_STRING && desc->size > 0);
	}
}

static void check_line(const char *line, size_t size)
{
	static char text[sizeof(gathered) + JSON_SLACK];
	static struct json_token tokens[8 * TOKENS_MAX];
	struct json_reader reader;
	size_t room;
	char *space;

	check(size > 3 && line[size - 1] == '\n' && line[size - 2] == '}');
	for (size_t i = 0; i < size - 1; i++)
		check(line[i] >= ' ' && line[i] < 0x7F);
	json_reader_init(&reader, text, sizeof(text), tokens, 8 * TOKENS_MAX);
	space = json_reader_space(&reader, &room);
	check(room >= size);
	memcpy(space, line, size);
	json_reader_fill(&reader, size);
	check(json_reader_next(&reader) == JSON_VALUE);
	check_object(reader.tokens);
	check(json_reader_next(&reader) == JSON_MORE);
}

/* All replies to a stream. */
static struct replies {
	char bytes[1 << 21];
	size_t size;
} replies[3];

static void answer(const struct json_reader *reader, enum json_event event, struct replies *to)
{
	bool with_sentinel;

	writer_start(0);
	silent = delimited = false;
	check(event != JSON_MORE);
	commands_answer(reader);
	check(silent == (gathered_size == 0));
	if (silent)
		return;
	with_sentinel = gathered[0] == '\xFF';
	check(with_sentinel == delimited);
	check_line(gathered + with_sentinel, gathered_size - with_sentinel);
	check(gathered_size <= sizeof(to->bytes) - to->size);
	memcpy(to->bytes + to->size, gathered, gathered_size);
	to->size += gathered_size;
}

/* Serve data in pieces of step bytes; 0: of as many as their own first bytes say. */
static void serve(const uint8_t *data, size_t size, size_t step, struct replies *to)
{
	static char text[REQUEST_MAX + JSON_SLACK];
	static struct json_token tokens[TOKENS_MAX];
	struct json_reader reader;

	to->size = 0;
	state_frozen = false;
	allow_all();
	json_reader_init(&reader, text, sizeof(text), tokens, TOKENS_MAX);
	while (size > 0) {
		size_t part = step ? step : 1 + *data % 29;
		enum json_event event;
		size_t room;
		char *space = json_reader_space(&reader, &room);

		check(room > 0);
		if (part > room)
			part = room;
		if (part > size)
			part = size;
		memcpy(space, data, part);
		json_reader_fill(&reader, part);
		data += part;
		size -= part;
		while ((event = json_reader_next(&reader)) != JSON_MORE)
			answer(&reader, event, to);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t steps[] = {INPUT_MAX, 1, 0};

	if (size > INPUT_MAX)
		return -1;
	for (unsigned i = 0; i < 3; i++) {
		serve(data, size, steps[i], &replies[i]);
		check(replies[i].size == replies[0].size);
		check(memcmp(replies[i].bytes, replies[0].bytes, replies[0].size) == 0);
	}
	return 0;
}
