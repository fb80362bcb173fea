/* Between the two halves of the JSON reader: json.c makes tokens of bytes, json_grammar.c makes
 * values of tokens; and what the writer shares with them. Of no use to anyone else.
 */
#ifndef JSON_GRAMMAR_H
#define JSON_GRAMMAR_H

#include "json.h"

/* What the next byte belongs to. */
enum lexing {
	BETWEEN,
	IN_STRING,
	IN_KEYWORD,
	/* Numbers: what the part so far is. From AFTER_ZERO on it may be all. */
	BEFORE_NUMBER,
	AFTER_MINUS,
	AFTER_POINT,
	AFTER_E,
	AFTER_SIGN,
	AFTER_ZERO,
	IN_INTEGER,
	IN_FRACTION,
	IN_EXPONENT,
};

/* What the grammar wants next. Two follow the order of JSON_ARRAY and JSON_OBJECT. */
enum expecting {
	VALUE,
	FIRST_VALUE, /* or the end of the array */
	FIRST_KEY,   /* or the end of the object */
	KEY,
	COLON,
	ARRAY_GOES_ON, /* or its end */
	OBJECT_GOES_ON,
};

/* How far the input is dropped after an error, and further to the next {. */
enum dropping {
	NOTHING,
	TO_BRACKETS, /* until all that were opened are closed */
	TO_NEWLINE,  /* until that, or a newline */
};

/* How a token looks to the grammar: an enum json_type but JSON_KEY, or one of these. */
enum kind { CLOSE_ARRAY = JSON_OBJECT + 1, CLOSE_OBJECT, COMMA, PAIR, NO_TOKEN };

/* Take a complete token. A string's text, with its NUL, or a scalar's lies from begun to kept. */
enum json_event json_accept(struct json_reader *reader, unsigned kind);

/* Start dropping; report the error unless one has been reported that is still being dropped. */
enum json_event json_fail(struct json_reader *reader, enum dropping dropping, const char *error);

/* Escapes: the letters behind the backslash, and what they stand for. */
#define JSON_ESCAPES 9
extern const char json_escape_letters[JSON_ESCAPES];
extern const char json_escape_meanings[JSON_ESCAPES];

#endif
