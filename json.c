#include "json.h"

#include <string.h>

#include "json_grammar.h"
#include "pages.h"
#include "text.h"

#if defined(__x86_64__)
#include <emmintrin.h>
#define VECTORS 1
#endif

/* As many bytes are moved for one byte of room at most, as a power of 2. */
#define MOVED_LOG 6

/* Drops what is half read. One stands behind the input, too, so that no token reads on. */
#define RESET_BYTE 0xFF

const char json_escape_letters[JSON_ESCAPES] = "\"\\bfnrt/'";
const char json_escape_meanings[JSON_ESCAPES] = "\"\\\b\f\n\r\t/'";

void json_reader_init(struct json_reader *reader, char *text, size_t capacity,
	struct json_token *tokens, uint32_t token_capacity)
{
	*reader = (struct json_reader){
		.text = text,
		.capacity = (uint32_t)capacity - JSON_SLACK,
		.tokens = tokens,
		.container = tokens,
		.token_capacity = token_capacity,
	};
}

static void drop_tokens(struct json_reader *reader)
{
	if (reader->tokens_touched < reader->count)
		reader->tokens_touched = reader->count;
	reader->kept = 0;
	reader->count = 0;
	reader->container = reader->tokens;
}

void json_reader_reset(struct json_reader *reader)
{
	drop_tokens(reader);
	reader->parsed += reader->partial;
	reader->partial = 0;
	reader->depth = 0;
	reader->lexing = BETWEEN;
	reader->expecting = VALUE;
	reader->dropping = NOTHING;
}

bool json_reader_busy(const struct json_reader *reader)
{
	return reader->parsed != reader->filled || reader->kept != 0 || reader->count != 0;
}

char *json_reader_space(struct json_reader *reader, size_t *room)
{
	uint32_t size = reader->filled - reader->parsed;

	if (size == 0 ||
		(reader->filled == reader->capacity &&
			size >> MOVED_LOG <= reader->parsed - reader->kept)) {
		memmove(reader->text + reader->kept, reader->text + reader->parsed, size);
		reader->parsed = reader->kept;
		reader->filled = reader->kept + size;
	}
	*room = reader->capacity - reader->filled;
	return reader->text + reader->filled;
}

void json_reader_fill(struct json_reader *reader, size_t size)
{
	reader->filled += (uint32_t)size;
	if (reader->touched < reader->filled)
		reader->touched = reader->filled;
}

void json_reader_release(struct json_reader *reader)
{
	if (json_reader_busy(reader))
		return;
	pages_release(reader->text, reader->touched + 1); /* and the reset byte */
	pages_release(reader->tokens, reader->tokens_touched * sizeof(reader->tokens[0]));
	reader->touched = reader->tokens_touched = 0;
}

/* ---- Lexing: bytes become tokens ---- */

/* text[kept] is written when text[parsed] or what stands behind it is not needed any more. */
static void keep(struct json_reader *reader, uint32_t byte)
{
	reader->text[reader->kept++] = (char)byte;
}

static enum json_event take(struct json_reader *reader, char byte)
{
	keep(reader, (uint8_t)byte);
	reader->parsed++;
	return JSON_MORE;
}

/* Move the bytes that stand for themselves in a string to to, which is bytes or before it: no
 * quote, backslash, control character or byte above ASCII. One that does not comes before the end
 * of the buffer. Returns how many they are. */
#ifdef VECTORS
__attribute__((target("sse2"))) static uint32_t move_plain(char *to, const char *bytes, char quote)
{
	const __m128i stop = _mm_set1_epi8(quote);

	for (uint32_t i = 0;; i += 16) {
		__m128i in = _mm_loadu_si128((const void *)(bytes + i));
		/* As signed numbers, bytes above ASCII are below the space, too. */
		__m128i odd = _mm_cmplt_epi8(in, _mm_set1_epi8(' '));
		unsigned found;

		odd = _mm_or_si128(odd, _mm_cmpeq_epi8(in, _mm_set1_epi8('\\')));
		odd = _mm_or_si128(odd, _mm_cmpeq_epi8(in, stop));
		found = (unsigned)_mm_movemask_epi8(odd);
		if (found != 0) {
			/* What follows must stay as it is. */
			found = (unsigned)__builtin_ctz(found);
			memmove(to + i, bytes + i, found);
			return i + found;
		}
		_mm_storeu_si128((void *)(to + i), in);
	}
}
#else
static uint32_t move_plain(char *to, const char *bytes, char quote)
{
	uint32_t i = 0;

	for (; (uint8_t)bytes[i] >= ' ' && (uint8_t)bytes[i] < 0x80 && bytes[i] != '\\' &&
		bytes[i] != quote;
		i++)
		to[i] = bytes[i];
	return i;
}
#endif

static void keep_code(struct json_reader *reader, uint32_t code)
{
	unsigned more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;

	keep(reader, more ? 0xFF80u >> more | code >> 6 * more : code);
	while (more-- > 0)
		keep(reader, 0x80 | (code >> 6 * more & 0x3F));
}

static int hex_value(char byte)
{
	if (byte >= '0' && byte <= '9')
		return byte - '0';
	byte |= 0x20;
	return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* Read what follows a backslash. */
static struct character read_escape(const char *at)
{
	const char *letter;
	int32_t high = 0;

	while (*at == 'u') {
		int32_t code = 0;

		for (unsigned i = 0; i < 4; i++) {
			int digit = hex_value(*++at);

			if (digit < 0)
				return (struct character){at, -1};
			code = code << 4 | digit;
		}
		if ((code >> 10 == 0xDC00 >> 10) != (high != 0))
			return (struct character){at, -1};
		at++;
		if (high != 0)
			code += 0x10000 - 0xDC00 + ((high - 0xD800) << 10);
		if (code >> 10 != 0xD800 >> 10)
			return (struct character){at, code};
		high = code;
		if (*at != '\\')
			return (struct character){at, -1};
		at++;
	}
	letter = memchr(json_escape_letters, *at, JSON_ESCAPES);
	if (!letter || high != 0)
		return (struct character){at, -1};
	return (struct character){at + 1, json_escape_meanings[letter - json_escape_letters]};
}

/* What does not stand for itself in a string. It is taken when all of it has been read. */
static enum json_event lex_character(struct json_reader *reader)
{
	const char *begin = reader->text + reader->parsed;
	const char *end = reader->text + reader->filled;
	struct character character = {begin + (*begin == '\\'), -1};
	bool dropping = reader->dropping == TO_NEWLINE; /* also what is no character */
	uint32_t size;

	if (!dropping && *begin == '\\')
		character = read_escape(character.at);
	else if (!dropping && (uint8_t)*begin >= ' ')
		character = decode_utf8(begin, end);
	size = (uint32_t)(character.at - begin);
	if (character.code < 0 && character.at == end) {
		reader->partial = (uint8_t)size;
		return JSON_MORE;
	}
	reader->parsed += size;
	if (character.code == 0)
		reader->has_nul = true;
	if (character.code >= 0)
		keep_code(reader, (uint32_t)character.code);
	else if ((uint8_t)*character.at == RESET_BYTE)
		return JSON_MORE;
	else if (!dropping)
		return json_fail(reader, TO_NEWLINE, "JSON parse error, invalid string");
	else if (*character.at == '\n')
		reader->lexing = BETWEEN;
	else
		reader->parsed++;
	return JSON_MORE;
}

static enum json_event lex_string(struct json_reader *reader)
{
	char *from = reader->text + reader->parsed;
	uint32_t size = move_plain(reader->text + reader->kept, from, (char)reader->quote);

	reader->kept += size;
	reader->parsed += size;
	from += size;
	if (*from == (char)reader->quote) {
		enum json_event event;

		reader->parsed++;
		event = json_accept(reader, JSON_STRING);
		keep(reader, '\0');
		return event;
	}
	if (reader->parsed == reader->filled)
		return JSON_MORE;
	return lex_character(reader);
}

/* The part of a number that a byte makes of the part before, by its place in number_bytes (behind
 * them 1 to 9); 0 where there is none. */
#define NUMBER_BYTES 6
static const char number_bytes[NUMBER_BYTES] = "0.-+eE";
static const uint8_t number_parts[][NUMBER_BYTES + 1] = {
	{AFTER_ZERO, 0, AFTER_MINUS, 0, 0, 0, IN_INTEGER},		     /* BEFORE_NUMBER */
	{AFTER_ZERO, 0, 0, 0, 0, 0, IN_INTEGER},			     /* AFTER_MINUS */
	{IN_FRACTION, 0, 0, 0, 0, 0, IN_FRACTION},			     /* AFTER_POINT */
	{IN_EXPONENT, 0, AFTER_SIGN, AFTER_SIGN, 0, 0, IN_EXPONENT},	     /* AFTER_E */
	{IN_EXPONENT, 0, 0, 0, 0, 0, IN_EXPONENT},			     /* AFTER_SIGN */
	{BEFORE_NUMBER, AFTER_POINT, 0, 0, AFTER_E, AFTER_E, BEFORE_NUMBER}, /* AFTER_ZERO */
	{IN_INTEGER, AFTER_POINT, 0, 0, AFTER_E, AFTER_E, IN_INTEGER},	     /* IN_INTEGER */
	{IN_FRACTION, 0, 0, 0, AFTER_E, AFTER_E, IN_FRACTION},		     /* IN_FRACTION */
	{IN_EXPONENT, 0, 0, 0, 0, 0, IN_EXPONENT},			     /* IN_EXPONENT */
};

static enum json_event lex_number(struct json_reader *reader, char byte)
{
	const char *found = byte >= '1' && byte <= '9' ? number_bytes + NUMBER_BYTES
						       : memchr(number_bytes, byte, NUMBER_BYTES);
	unsigned part = BETWEEN;

	if (found)
		part = number_parts[reader->lexing - BEFORE_NUMBER][found - number_bytes];
	if (part > BEFORE_NUMBER) {
		reader->lexing = (uint8_t)part;
		return take(reader, byte);
	}
	if (part == BETWEEN && reader->lexing >= AFTER_ZERO)
		return json_accept(reader, JSON_NUMBER);
	/* A byte that begins no token at all is dropped; others may yet end what is dropped. */
	if (reader->lexing == BEFORE_NUMBER)
		reader->parsed++;
	reader->lexing = BETWEEN;
	return json_fail(reader, TO_NEWLINE, "JSON parse error, unexpected input");
}

static enum json_event lex_keyword(struct json_reader *reader, char byte)
{
	size_t size = reader->kept - reader->begun;
	int type; /* the first three, in their order */

	if (byte >= 'a' && byte <= 'z')
		return take(reader, byte);
	type = text_find_word("null,false,true", ",", reader->text + reader->begun, size);
	return json_accept(reader, type < 0 ? NO_TOKEN : (unsigned)type);
}

static enum json_event lex_between(struct json_reader *reader, char byte)
{
	static const char bytes[12] = "[{]},:\"'\n\r\t ";
	const char *found = memchr(bytes, byte, sizeof(bytes));
	unsigned index = found ? (unsigned)(found - bytes) : 0;

	if (reader->depth == 0 && reader->dropping != NOTHING) {
		if (byte != '{') {
			reader->parsed++;
			return JSON_MORE;
		}
		json_reader_reset(reader);
	}
	reader->begun = reader->kept;
	if (!found) {
		reader->lexing = byte >= 'a' && byte <= 'z' ? IN_KEYWORD : BEFORE_NUMBER;
		return JSON_MORE;
	}
	reader->parsed++;
	if (index < 6)
		return json_accept(reader, JSON_ARRAY + index);
	if (index < 8) {
		reader->lexing = IN_STRING;
		reader->quote = (uint8_t)byte;
		reader->has_nul = false;
	} else if (byte == '\n' && reader->dropping == TO_NEWLINE) {
		reader->depth = 0;
	}
	return JSON_MORE;
}

static enum json_event lex(struct json_reader *reader)
{
	char byte = reader->text[reader->parsed];

	if ((uint8_t)byte == RESET_BYTE) {
		json_reader_reset(reader);
		reader->parsed++;
		reader->resets++;
		return JSON_MORE;
	}
	switch (reader->lexing) {
	case BETWEEN:
		return lex_between(reader, byte);
	case IN_STRING:
		return lex_string(reader);
	case IN_KEYWORD:
		return lex_keyword(reader, byte);
	default:
		return lex_number(reader, byte);
	}
}

enum json_event json_reader_next(struct json_reader *reader)
{
	enum json_event event = JSON_MORE;

	/* Was the last event a value? It has been looked at. */
	if (reader->lexing == BETWEEN && reader->depth == 0 && reader->dropping == NOTHING)
		json_reader_reset(reader);
	reader->partial = 0;
	reader->limit = 0;
	reader->error = NULL;
	reader->text[reader->filled] = (char)RESET_BYTE;
	while (event == JSON_MORE && reader->parsed + reader->partial < reader->filled)
		event = lex(reader);
	if (event != JSON_MORE)
		return event;
	if (reader->dropping != NOTHING) {
		drop_tokens(reader);
	} else if (reader->kept + reader->partial == reader->capacity) {
		reader->limit = reader->capacity;
		return json_fail(
			reader, TO_BRACKETS, "JSON token size limit exceeded: at most %u bytes");
	}
	return JSON_MORE;
}
