#include "commands.h"

#include <string.h>

#include "base64.h"
#include "log.h"
#include "text.h"

/* families.h is made from the Makefile's COMMANDS: a line FAMILY(name) for each. */
#define FAMILY(name) extern const struct command commands_##name[];
#include "families.h"
#undef FAMILY

#define FAMILY(name) commands_##name,
static const struct command *const families[] = {
#include "families.h"
};
#undef FAMILY

/* Twice as many as there are, for families to come. */
#define COMMANDS_MAX 128

static bool blocked[COMMANDS_MAX];
static bool frozen;

const struct command *commands_at(size_t index)
{
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		for (const struct command *row = families[i]; row->name; row++) {
			if (index-- == 0)
				return row;
		}
	}
	return NULL;
}

bool commands_enabled(size_t index)
{
	return frozen ? (commands_at(index)->flags & COMMAND_FROZEN) != 0 : !blocked[index];
}

void commands_set_frozen(bool now)
{
	frozen = now;
}

bool commands_frozen(void)
{
	return frozen;
}

static bool list_has(const char *list, const char *name)
{
	size_t size = strlen(name);

	for (;; list++) {
		size_t item = strcspn(list, ",");

		if (item == size && memcmp(list, name, size) == 0)
			return true;
		list += item;
		if (*list == '\0')
			return false;
	}
}

void commands_restrict(const char *allow, const char *block)
{
	const struct command *row;

	for (size_t i = 0; (row = commands_at(i)); i++)
		blocked[i] = (allow && !list_has(allow, row->name)) || list_has(block, row->name);
}

/* ---- Errors ---- */

static void put_id(struct request *request)
{
	if (request->id) {
		json_put_key(request->reply, "id");
		json_put_value(request->reply, request->json, request->id);
	}
}

void reply_error(struct request *request, const char *format, ...)
{
	struct json_writer *reply = request->reply;
	va_list values;

	if (request->failed)
		return;
	if (!json_writer_rewind(reply)) {
		log_error("%s failed in the middle of its reply", request->command->name);
		return;
	}
	request->failed = true;
	json_begin(reply, '{');
	put_id(request);
	json_put_key(reply, "error");
	json_begin(reply, '{');
	json_member_text(reply, "class", request->not_found ? "CommandNotFound" : "GenericError");
	json_put_key(reply, "desc");
	va_start(values, format);
	json_put_vformat(reply, format, values);
	va_end(values);
	json_end(reply, '}');
}

/* ---- Arguments ---- */

/* Where in the request an argument is: vcpus[0].logical-id. Our own names alone, so bounded. */
static char place_bytes[96];
static struct text place = {.bytes = place_bytes, .size = sizeof(place_bytes)};

static void leave_place(size_t used)
{
	place.used = used;
	place_bytes[used] = '\0';
}

/* The position of a string among the names of |name|name…, or -1. *names is left behind them. */
static int find_choice(const char **names, const char *string, size_t size)
{
	int found = -1;

	for (int choice = 0; **names == '|'; choice++) {
		const char *name = *names + 1;

		*names = name + strcspn(name, "| ?}]");
		if ((size_t)(*names - name) == size && memcmp(name, string, size) == 0)
			found = choice;
	}
	return found;
}

static const char *check_members(
	struct request *request, const char *items, uint32_t object, uint32_t *arguments);

static bool has_type(const struct request *request, char type, uint32_t token)
{
	/* Letter and type of what is told by its token alone. */
	static const char kinds[][2] = {{'s', JSON_STRING}, {'b', JSON_FALSE}, {'b', JSON_TRUE},
		{'[', JSON_ARRAY}, {'{', JSON_OBJECT}};
	int64_t integer;
	uint64_t number;

	if (type == 'i')
		return json_int(request->json, token, &integer);
	if (type == 'u')
		return json_uint(request->json, token, &number);
	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (kinds[i][0] == type &&
			(uint32_t)kinds[i][1] == request->json->tokens[token].type)
			return true;
	}
	return false;
}

/* What an argument was expected to be: a name that the type gives itself, or the letter's. */
static void fail_type(struct request *request, const char *type)
{
	static const char *const names[] = {"string", "integer", "boolean", "[array", "{object"};
	const char *name = type + 1;

	for (unsigned i = 0; *type != '<' && i < sizeof(names) / sizeof(names[0]); i++) {
		if (*names[i] == *type)
			name = names[i] + (i > 2);
	}
	if (*type == 'u')
		reply_error(request, "Parameter '%s' expects uint64", place_bytes);
	else
		reply_error(request, "Invalid parameter type for '%s', expected: %.*s", place_bytes,
			(int)strcspn(name, ">"), name);
}

static const char *check_choice(struct request *request, const char *type, uint32_t token)
{
	const struct json_token *value = &request->json->tokens[token];
	const char *string = request->json->text + value->at;
	const char *base = strchr(type, '>') + 1;
	const char *names = base + 1;
	bool named = token && value->type == JSON_STRING;

	if (find_choice(&names, string, named ? value->size : 0) < 0 && named)
		reply_error(request, "Parameter '%s' does not accept value '%.*s'", place_bytes,
			(int)value->size, string);
	else if (token && !named && !has_type(request, *base, token))
		fail_type(request, type);
	return names;
}

/* Check token (0: there is none) against the type that begins at type; returns what is behind
 * the type. */
static const char *check_type(struct request *request, const char *type, uint32_t token)
{
	const struct json_token *tokens = request->json->tokens;
	const struct json_token *value = &tokens[token];
	size_t used = place.used;
	unsigned index = 0;

	if (*type == '<')
		return check_choice(request, type, token);
	if (token && !has_type(request, *type, token)) {
		fail_type(request, type);
		token = 0;
	}
	if (*type == '{') {
		text_put(&place, ".", 1);
		return check_members(request, type + 1, token, NULL) + 1;
	}
	if (*type == '[') {
		for (uint32_t item = token + 1; token && item < value->next;
			item = tokens[item].next) {
			text_format(&place, "[%u]", index++);
			(void)check_type(request, type + 1, item);
			leave_place(used);
		}
		return check_type(request, type + 1, 0) + 1;
	}
	if (*type == 's' && token && memchr(request->json->text + value->at, '\0', value->size))
		reply_error(
			request, "Parameter '%s' must not contain a NUL character", place_bytes);
	return type + 1;
}

/* Check the members of object (0: there is none, and nothing is missing in it) against items;
 * returns what is behind them. With arguments, those of the command, which are missing even if
 * there is no object: note where each is. */
static const char *check_members(
	struct request *request, const char *items, uint32_t object, uint32_t *arguments)
{
	const struct json_reader *json = request->json;
	size_t used = place.used;

	while (*items && *items != '}') {
		size_t size = strcspn(items, ":");
		const char *type = items + size + 1;
		uint32_t token = object ? json_member(json, object, items, size) : 0;

		text_put(&place, items, size);
		if (arguments) {
			request->types[arguments - request->arguments] = type;
			*arguments++ = token;
		}
		items = check_type(request, type, token);
		if (!token && *items != '?' && (object || arguments))
			reply_error(request, "Parameter '%s' is missing", place_bytes);
		leave_place(used);
		items += *items == '?';
		items += *items == ' ';
	}
	/* Those that were looked for are marked. */
	for (uint32_t key = object + 1; object && key < json->tokens[object].next;
		key = json->tokens[key + 1].next) {
		if (json->tokens[key].type == JSON_KEY)
			reply_error(request, "Parameter '%s%.*s' is unexpected", place_bytes,
				(int)json->tokens[key].size, json->text + json->tokens[key].at);
	}
	return items;
}

bool request_has(const struct request *request, unsigned argument)
{
	return request->arguments[argument] != 0;
}

int64_t request_int(const struct request *request, unsigned argument, int64_t otherwise)
{
	int64_t value = otherwise;

	if (request->arguments[argument])
		(void)json_int(request->json, request->arguments[argument], &value);
	return value;
}

bool request_bool(const struct request *request, unsigned argument)
{
	uint32_t token = request->arguments[argument];

	return token && request->json->tokens[token].type == JSON_TRUE;
}

char *request_string(const struct request *request, unsigned argument, size_t *size)
{
	size_t unused;

	if (!request->arguments[argument])
		return NULL;
	return json_string(request->json, request->arguments[argument], size ? size : &unused);
}

int request_choice(const struct request *request, unsigned argument)
{
	const char *names = request->types[argument];
	uint32_t token = request->arguments[argument];
	size_t size;
	const char *string;

	if (!token || request->json->tokens[token].type != JSON_STRING)
		return -1;
	string = json_string(request->json, token, &size);
	names = strchr(names, '>') + 2;
	return find_choice(&names, string, size);
}

bool request_base64(struct request *request, unsigned argument, char **bytes, size_t *size)
{
	*bytes = request_string(request, argument, size);
	*size = base64_decode(*bytes, *size);
	if (*size == BASE64_BAD)
		reply_error(request, "Base64 data contains invalid characters");
	else if (*size == BASE64_SHORT)
		reply_error(request, "Base64 data is incomplete");
	else
		return true;
	return false;
}

/* ---- Requests ---- */

/* Look through the envelope: raise whatever is wrong in it, and note where its members are. */
static void check_envelope(struct request *request, uint32_t *execute, uint32_t *arguments)
{
	static const struct {
		char name[10];
		uint8_t type;
		char expected[10];
	} members[] = {{"execute", JSON_STRING, "a string"},
		{"arguments", JSON_OBJECT, "an object"}, {"id", 0, ""}};
	const struct json_reader *json = request->json;
	uint32_t found[3] = {0};

	if (json->tokens[0].type != JSON_OBJECT)
		reply_error(request, "QMP input must be a JSON object");
	request->id = json_member(json, 0, "id", 2);
	for (uint32_t key = 1; !request->failed && key < json->tokens[0].next;
		key = json->tokens[key + 1].next) {
		unsigned i = 0;

		while (i < 3 && !json_equals(json, key, members[i].name))
			i++;
		if (i == 3)
			reply_error(request, "QMP input member '%.*s' is unexpected",
				(int)json->tokens[key].size, json->text + json->tokens[key].at);
		else if (i < 2 && json->tokens[key + 1].type != members[i].type)
			reply_error(request, "QMP input member '%s' must be %s", members[i].name,
				members[i].expected);
		else
			found[i] = key + 1;
	}
	*execute = found[0];
	*arguments = found[1];
	if (!found[0])
		reply_error(request, "QMP input lacks member 'execute'");
}

static void find_command(struct request *request, uint32_t execute)
{
	size_t size;
	const char *name = json_string(request->json, execute, &size);
	size_t index = 0;

	request->not_found = true;
	while ((request->command = commands_at(index)) &&
		!json_equals(request->json, execute, request->command->name))
		index++;
	if (!request->command)
		reply_error(request, "The command %.*s has not been found", (int)size, name);
	else if (!commands_enabled(index))
		reply_error(request, "Command %s has been disabled: %s", request->command->name,
			frozen ? "the agent is in frozen state" : "the command is not allowed");
	request->not_found = false;
}

static void execute_command(struct request *request, uint32_t arguments)
{
	struct json_writer *reply = request->reply;

	leave_place(0);
	(void)check_members(request, request->command->arguments, arguments, request->arguments);
	if (request->failed)
		return;
	log_debug("carrying out %s", request->command->name);
	if (request->command->flags & COMMAND_DELIMITED)
		json_put_raw(reply, "\xff", 1);
	json_begin(reply, '{');
	json_put_key(reply, "return");
	request->command->execute(request);
	if (request->failed)
		return;
	if (!reply->comma) {
		json_begin(reply, '{');
		json_end(reply, '}');
	}
	put_id(request);
}

static void finish_reply(struct request *request)
{
	json_end(request->reply, '}');
	json_put_raw(request->reply, "\n", 1);
	json_writer_flush(request->reply);
}

void commands_dispatch(const struct json_reader *reader, struct json_writer *reply)
{
	struct request request = {.json = reader, .reply = reply};
	uint32_t execute;
	uint32_t arguments;

	json_writer_reset(reply);
	check_envelope(&request, &execute, &arguments);
	if (!request.failed)
		find_command(&request, execute);
	if (!request.failed)
		execute_command(&request, arguments);
	if (!request.failed && (request.command->flags & COMMAND_NO_REPLY))
		json_writer_rewind(reply);
	else
		finish_reply(&request);
}

void commands_reject(const struct json_reader *reader, struct json_writer *reply)
{
	struct request request = {.json = reader, .reply = reply};

	json_writer_reset(reply);
	if (reader->limit)
		reply_error(
			&request, "%s: a request may hold %u bytes", reader->error, reader->limit);
	else if (text_after(reader->error, "JSON "))
		reply_error(&request, "%s", reader->error);
	else
		reply_error(&request, "JSON parse error, %s", reader->error);
	finish_reply(&request);
}
