#include "json_grammar.h"

#include <string.h>

#include "text.h"

#define BIT(kind) (1u << (kind))
#define VALUES (BIT(CLOSE_ARRAY) - 1)

/* What each enum expecting takes, and what comes next after it unless it is a value. */
struct rule {
	uint16_t kinds;
	uint8_t next;
};

static const struct rule rules[] = {
	[VALUE] = {VALUES, VALUE},
	[FIRST_VALUE] = {VALUES | BIT(CLOSE_ARRAY), VALUE},
	[FIRST_KEY] = {BIT(JSON_KEY) | BIT(CLOSE_OBJECT), COLON},
	[KEY] = {BIT(JSON_KEY), COLON},
	[COLON] = {BIT(PAIR), VALUE},
	[ARRAY_GOES_ON] = {BIT(COMMA) | BIT(CLOSE_ARRAY), VALUE},
	[OBJECT_GOES_ON] = {BIT(COMMA) | BIT(CLOSE_OBJECT), KEY},
};

enum json_event json_fail(struct json_reader *reader, enum dropping dropping, const char *error)
{
	bool first = reader->dropping == NOTHING;

	if (reader->dropping < dropping)
		reader->dropping = (uint8_t)dropping;
	if (!first)
		return JSON_MORE;
	reader->error = error;
	return JSON_BAD;
}

__attribute__((noinline)) static uint32_t hash_bytes(const char *bytes, size_t size)
{
	uint32_t hash = 2166136261u; /* FNV-1a */

	while (size-- > 0)
		hash = (hash ^ (uint8_t)*bytes++) * 16777619u;
	return hash;
}

/* The hash makes long lists of keys that are alike cheap to tell apart. */
struct json_token *json_member(struct json_token *object, const char *name, size_t size)
{
	uint32_t hash = hash_bytes(name, size);
	const struct json_token *end = object + object->span;

	if (object->type != JSON_OBJECT)
		return NULL;
	for (struct json_token *key = object + 1; key < end; key += 1 + key[1].span) {
		if (key->span == hash && key->size == size && memcmp(key->text, name, size) == 0) {
			key->type = JSON_NULL;
			return key + 1;
		}
	}
	return NULL;
}

/* Add a token, if there may be one more; returns what is wrong, or NULL. */
static const char *add_token(struct json_reader *reader, unsigned kind)
{
	struct json_token *container = reader->container;
	struct json_token *token = reader->tokens + reader->count;

	if (reader->depth > JSON_DEPTH_MAX)
		return "JSON nesting depth limit exceeded";
	if (reader->count == reader->token_capacity ||
		(kind == JSON_KEY && container->size++ == JSON_KEYS_MAX))
		return "JSON token count limit exceeded";
	token->type = (uint8_t)kind;
	token->has_nul = reader->has_nul;
	token->text = reader->text + reader->begun;
	token->size = reader->kept - reader->begun;
	token->span = 1;
	if (kind == JSON_KEY) {
		container->span = (uint32_t)(token - container); /* those before it, for now */
		if (json_member(container, token->text, token->size))
			return "JSON parse error, duplicate key";
		token->span = hash_bytes(token->text, token->size);
	} else if (kind >= JSON_ARRAY) {
		token->around = container;
		reader->container = token;
	}
	reader->count++;
	return NULL;
}

enum json_event json_accept(struct json_reader *reader, unsigned kind)
{
	const struct rule *rule = &rules[reader->expecting];
	const char *error = "JSON parse error, unexpected input";
	struct json_token *container;
	unsigned next;

	reader->lexing = BETWEEN;
	if (kind == JSON_ARRAY || kind == JSON_OBJECT)
		reader->depth++;
	if ((kind == CLOSE_ARRAY || kind == CLOSE_OBJECT) && reader->depth > 0)
		reader->depth--;
	if (reader->dropping != NOTHING)
		return JSON_MORE;
	if (kind == JSON_STRING && rule->next == COLON)
		kind = JSON_KEY;
	if (rule->kinds & BIT(kind))
		error = kind <= JSON_OBJECT ? add_token(reader, kind) : NULL;
	if (error)
		return json_fail(reader, TO_BRACKETS, error);
	next = rule->next;
	container = reader->container;
	if (kind == JSON_ARRAY || kind == JSON_OBJECT) {
		next = FIRST_VALUE + kind - JSON_ARRAY;
	} else if (kind != JSON_KEY && kind < COMMA) {
		if (kind >= CLOSE_ARRAY) {
			container->span = (uint32_t)(reader->tokens + reader->count - container);
			reader->container = container->around;
		}
		if (reader->depth == 0)
			return JSON_VALUE;
		next = ARRAY_GOES_ON + reader->container->type - JSON_ARRAY;
	}
	reader->expecting = (uint8_t)next;
	return JSON_MORE;
}

static bool read_integer(const struct json_token *number, bool is_signed, uint64_t *value)
{
	const char *digits = number->text;
	uint64_t most = UINT64_MAX >> is_signed;

	if (number->type != JSON_NUMBER)
		return false;
	if (is_signed && *digits == '-') {
		digits++;
		most++;
	}
	if (parse_digits(digits, number->text + number->size, value) !=
			number->text + number->size ||
		*value > most)
		return false;
	if (digits > number->text)
		*value = 0 - *value;
	return true;
}

bool json_int(const struct json_token *token, int64_t *value)
{
	return read_integer(token, true, (uint64_t *)value);
}

bool json_uint(const struct json_token *token, uint64_t *value)
{
	return read_integer(token, false, value);
}
