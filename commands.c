#include "commands.h"

#include <string.h>

#include "base64.h"
#include "log.h"
#include "state.h"
#include "text.h"

/* The linker puts the rows of all families together, and says where that is. */
extern const struct command rows_begin[] __asm__("__start_commands");
extern const struct command rows_end[] __asm__("__stop_commands");

struct command_list commands_allowed, commands_blocked;

const struct command *commands_at(size_t index)
{
	size_t size = (uintptr_t)rows_end - (uintptr_t)rows_begin;

	return index * sizeof(struct command) < size ? rows_begin + index : NULL;
}

bool commands_enabled(size_t index)
{
	if (state_frozen)
		return (commands_at(index)->flags & COMMAND_FROZEN) != 0;
	return !commands_blocked.has[index] &&
		(!commands_allowed.given || commands_allowed.has[index]);
}

/* ---- Errors ---- */

static void put_id(struct request *request)
{
	if (request->id) {
		json_put_key("id");
		json_put_value(request->id);
	}
}

void reply_error(struct request *request, const char *format, ...)
{
	va_list values;

	if (request->failed)
		return;
	if (!json_writer_rewind()) {
		log_error("%s failed in mid-reply", request->command->name);
		return;
	}
	request->failed = true;
	json_begin('{');
	put_id(request);
	json_put_key("error");
	json_begin('{');
	json_member_text("class", request->not_found ? "CommandNotFound" : "GenericError");
	json_put_key("desc");
	va_start(values, format);
	json_put_vformat(format, values);
	va_end(values);
	json_end('}');
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

/* Fail with a format that takes place and then the text of a token. */
static void fail_at_place(
	struct request *request, const char *format, const struct json_token *token)
{
	reply_error(request, format, place_bytes, (int)token->size, token->text);
}

/* Fail if object has members that nobody looked for. */
static void check_unexpected(struct request *request, const struct json_token *object)
{
	const struct json_token *end = object + object->span;

	for (const struct json_token *key = object + 1; key < end; key += 1 + key[1].span) {
		if (key->type == JSON_KEY)
			fail_at_place(request, "Parameter '%s%.*s' is unexpected", key);
	}
}

#define BIT(type) (1u << (type))

/* What the letters of types stand for. */
static const struct kind {
	char letter;
	uint8_t tokens; /* whose type is one of these */
	char name[8];
} kinds[] = {
	{'s', BIT(JSON_STRING), "string"},
	{'i', BIT(JSON_NUMBER), "integer"},
	{'u', BIT(JSON_NUMBER), "uint64"},
	{'b', BIT(JSON_FALSE) | BIT(JSON_TRUE), "boolean"},
	{'[', BIT(JSON_ARRAY), "array"},
	{'{', BIT(JSON_OBJECT), "object"},
};

static bool has_kind(const struct kind *kind, const struct json_token *token)
{
	int64_t integer;
	uint64_t number;

	if (kind->letter == 'i')
		return json_int(token, &integer);
	if (kind->letter == 'u')
		return json_uint(token, &number);
	return kind->tokens >> token->type & 1;
}

static void check_members(struct request *request, const char *items, struct json_token *object,
	struct json_token **arguments);
static void check_type(struct request *request, const char *type, struct json_token *token);

static void check_items(struct request *request, const char *type, struct json_token *array)
{
	const struct json_token *end = array + array->span;
	size_t used = place.used;
	unsigned index = 0;

	for (struct json_token *item = array + 1; item < end; item += item->span) {
		text_format(&place, "[%u]", index++);
		check_type(request, type, item);
		leave_place(used);
	}
}

/* Check a string that is to be one of |name|name… Its size becomes its position among them. */
static void check_choice(struct request *request, const char *names, struct json_token *token)
{
	int choice = text_find_word(names + 1, "| ?}]", token->text, token->size);

	if (choice < 0)
		fail_at_place(request, "Parameter '%s' does not accept value '%.*s'", token);
	token->size = (uint32_t)choice;
}

/* Check token against the type that begins at type. */
static void check_type(struct request *request, const char *type, struct json_token *token)
{
	const struct kind *kind = kinds;
	const char *name = type + 1;

	if (*type == '<') {
		type = strchr(type, '>') + 1;
		if (token->type == JSON_STRING) {
			check_choice(request, type + 1, token);
			return;
		}
	}
	while (kind->letter != *type)
		kind++;
	if (name == ++type)
		name = kind->name;
	if (!has_kind(kind, token)) {
		reply_error(request,
			kind->letter == 'u' ? "Parameter '%s' expects %.*s"
					    : "Invalid parameter type for '%s', expected: %.*s",
			place_bytes, (int)strcspn(name, ">"), name);
	} else if (kind->letter == '{') {
		text_put(&place, ".", 1);
		check_members(request, type, token, NULL);
	} else if (kind->letter == '[') {
		check_items(request, type, token);
	} else if (kind->letter == 's' && token->has_nul) {
		fail_at_place(request, "Parameter '%s' has a NUL character", token);
	}
}

/* What is behind the type that begins at type. */
static const char *skip_type(const char *type)
{
	for (unsigned open = 0; open > 0 || !strchr("? }", *type); type++)
		open += (unsigned)(*type == '{') - (*type == '}');
	return type;
}

/* Check the members of object against items. With arguments, which are those of the command, note
 * where each is. */
static void check_members(struct request *request, const char *items, struct json_token *object,
	struct json_token **arguments)
{
	size_t used = place.used;

	while (*items && *items != '}') {
		size_t size = strcspn(items, ":");
		struct json_token *token = json_member(object, items, size);

		text_put(&place, items, size);
		if (arguments)
			*arguments++ = token;
		items += size + 1;
		if (token)
			check_type(request, items, token);
		items = skip_type(items);
		if (*items == '?')
			items++;
		else if (!token)
			reply_error(request, "Parameter '%s' is missing", place_bytes);
		leave_place(used);
		items += *items == ' ';
	}
	check_unexpected(request, object);
}

bool request_has(const struct request *request, unsigned argument)
{
	return request->arguments[argument];
}

int64_t request_int(const struct request *request, unsigned argument, int64_t otherwise)
{
	if (request->arguments[argument])
		(void)json_int(request->arguments[argument], &otherwise);
	return otherwise;
}

bool request_bool(const struct request *request, unsigned argument)
{
	const struct json_token *token = request->arguments[argument];

	return token && token->type == JSON_TRUE;
}

char *request_string(const struct request *request, unsigned argument, size_t *size)
{
	const struct json_token *token = request->arguments[argument];

	if (token && size)
		*size = token->size;
	return token ? token->text : NULL;
}

int request_choice(const struct request *request, unsigned argument)
{
	const struct json_token *token = request->arguments[argument];

	return token && token->type == JSON_STRING ? (int)token->size : -1;
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

/* Raise what is wrong with the request's members, and find them: execute, arguments. */
static void check_envelope(
	struct request *request, struct json_token *object, struct json_token *found[])
{
	/* What the one called names[i - 1] may be, and what is wrong with it otherwise. */
	static const char *const names = "execute,arguments,id";
	static const struct {
		uint8_t types;
		char fault[18];
	} members[] = {{0, "is unexpected"}, {BIT(JSON_STRING), "must be a string"},
		{BIT(JSON_OBJECT), "must be an object"}, {UINT8_MAX, ""}};
	struct json_token *value;

	for (struct json_token *key = object + 1; key < object + object->span;
		key = value + value->span) {
		int member = text_find_word(names, ",", key->text, key->size) + 1;

		value = key + 1;
		if (members[member].types >> value->type & 1)
			found[member] = value;
		else
			reply_error(request, "QMP input member '%.*s' %s", (int)key->size,
				key->text, members[member].fault);
	}
}

static void find_command(struct request *request, const struct json_token *execute)
{
	size_t index = 0;

	request->not_found = true;
	while ((request->command = commands_at(index)) &&
		!text_is(execute->text, execute->size, request->command->name))
		index++;
	if (!request->command)
		fail_at_place(request, "The command %s%.*s has not been found", execute);
	else if (!commands_enabled(index))
		reply_error(request, "Command %s has been disabled: %s", request->command->name,
			state_frozen ? "the agent is in frozen state"
				     : "the command is not allowed");
	request->not_found = false;
}

static void execute_command(struct request *request)
{
	log_debug("carrying out %s", request->command->name);
	if (request->command->flags & COMMAND_DELIMITED)
		json_put_raw("\xff", 1);
	json_begin('{');
	json_put_key("return");
	request->command->execute(request);
	if (request->failed)
		return;
	if (!json_writer.comma) {
		json_begin('{');
		json_end('}');
	}
	put_id(request);
}

/* Carry out the request, or raise what is wrong with it. */
static void serve(struct request *request, struct json_token *object)
{
	struct json_token *found[4] = {NULL};

	if (object->type != JSON_OBJECT) {
		reply_error(request, "QMP input must be a JSON object");
		return;
	}
	request->id = json_member(object, "id", 2);
	check_envelope(request, object, found);
	if (!found[1]) {
		reply_error(request, "QMP input lacks member 'execute'");
		return;
	}
	if (!request->failed)
		find_command(request, found[1]);
	if (!request->failed) /* a string has no members */
		check_members(request, request->command->arguments, found[found[2] ? 2 : 1],
			request->arguments);
	if (!request->failed)
		execute_command(request);
}

void commands_answer(const struct json_reader *reader)
{
	struct request request = {0};

	json_writer_reset();
	if (reader->error)
		reply_error(&request, reader->error, reader->limit);
	else
		serve(&request, reader->tokens);
	if (!request.failed && (request.command->flags & COMMAND_NO_REPLY)) {
		json_writer_rewind();
		return;
	}
	json_end('}');
	json_put_raw("\n", 1);
	json_writer_flush();
}
