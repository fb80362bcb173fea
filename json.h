/* JSON both ways, without memory of its own: a tokenizer that is fed bytes as they come, over one
 * fixed buffer, and a writer that streams through another. Neither knows of agents.
 */
#ifndef JSON_H
#define JSON_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- Reading ---- */

#define JSON_DEPTH_MAX 1024
#define JSON_KEYS_MAX 4096 /* of an object: each is compared with all before */

enum json_type {
	JSON_NULL,
	JSON_FALSE,
	JSON_TRUE,
	JSON_NUMBER,
	JSON_STRING,
	JSON_KEY, /* of an object */
	JSON_ARRAY,
	JSON_OBJECT,
};

/* A value. The values of an array follow their array, each behind the whole of the one before;
 * in an object a key stands before each value. */
struct json_token {
	union {
		char *text;		   /* a string's ends in a NUL that size does not count */
		struct json_token *around; /* array, object: what it stands in, while it is open */
	};
	uint32_t size; /* bytes of its text, which may be changed in place; object: its keys */
	uint32_t span; /* how many tokens the value takes with all it holds; of a key: its hash */
	uint8_t type;  /* enum json_type */
	bool has_nul;  /* string: there is one in its text */
};

enum json_event {
	JSON_MORE,  /* all input is used up: read more */
	JSON_VALUE, /* tokens[0] is a complete value, until the next call */
	JSON_BAD,   /* error says what is wrong; the recovery is under way */
};

/* The reader's state. What a caller may look at: text, tokens, error, limit, resets. */
struct json_reader {
	char *text;
	struct json_token *tokens;
	struct json_token *container; /* the innermost that is open */
	const char *error;	      /* what is wrong, or NULL: a format that may take limit */
	uint32_t kept;		      /* text before it belongs to tokens */
	uint32_t parsed;	      /* text before it has been looked at; never less than kept */
	uint32_t filled;	      /* text before it has been read */
	uint32_t begun;		      /* where the text of the token being read begins */
	uint32_t count;		      /* of tokens */
	uint32_t depth;		      /* how many containers are open */
	uint8_t lexing;		      /* enum lexing */
	uint8_t expecting;	      /* enum expecting */
	uint8_t dropping;	      /* enum dropping */
	uint8_t partial;   /* bytes of a character that is not complete, from parsed on */
	uint8_t quote;	   /* that ends the string being read */
	bool has_nul;	   /* there is one in it */
	uint32_t capacity; /* of text */
	uint32_t limit;	   /* the bytes that a request may hold, if that is what is wrong */
	uint32_t touched;  /* the highest that filled has been since the last release */
	uint32_t token_capacity;
	uint32_t tokens_touched;
	uint32_t resets; /* how often the byte that drops what is half read has come */
};

#define JSON_SLACK 16 /* bytes of the buffer that hold no input */

/* Read over text (capacity bytes: the largest request, without the white space and the escapes
 * in it, and JSON_SLACK) and tokens. Both must outlive the reader. */
void json_reader_init(struct json_reader *reader, char *text, size_t capacity,
	struct json_token *tokens, uint32_t token_capacity);

/* Where the next input goes; *room may be 0 while unparsed input fills the buffer. */
char *json_reader_space(struct json_reader *reader, size_t *room);
/* Say that size bytes were put there. */
void json_reader_fill(struct json_reader *reader, size_t size);
/* Parse on until something is known. */
enum json_event json_reader_next(struct json_reader *reader);
/* Drop what is half read, and any recovery; unparsed input stays. */
void json_reader_reset(struct json_reader *reader);
/* Is there something in the buffer that must stay: part of a value, or unparsed input? */
bool json_reader_busy(const struct json_reader *reader);
/* Between values: give the pages of the text and the tokens that a large one touched back to the
 * kernel. Does nothing while there is input in the buffer. */
void json_reader_release(struct json_reader *reader);

/* The member of object whose name has these size bytes, or NULL, also where object is none. Its
 * key's token gets the type JSON_NULL, so that the keys that nobody looked for can be found. */
struct json_token *json_member(struct json_token *object, const char *name, size_t size);
/* The value of a number token as an integer. False if it is none, or out of range. */
bool json_int(const struct json_token *token, int64_t *value);
bool json_uint(const struct json_token *token, uint64_t *value);

/* ---- Writing ---- */

/* The writer, of which there is one. What a caller may look at: flushed, closed, comma. */
extern struct json_writer {
	char *buffer;
	bool (*flush)(const char *bytes, size_t size);
	uint32_t capacity;
	uint32_t used;
	uint32_t touched; /* the most that was used since the last release */
	bool flushed;	  /* something has left: there is no way back */
	bool closed;	  /* flush said no: the rest goes nowhere */
	bool comma;	  /* a value stands before */
	uint8_t carried;  /* bytes of a base64 string that wait for a third */
	uint8_t carry[3];
} json_writer;

/* Write through a buffer of capacity bytes (at least 4096). flush takes what is full and returns
 * false when nobody wants the rest. */
void json_writer_init(char *buffer, size_t capacity, bool (*flush)(const char *bytes, size_t size));
/* Start afresh: nothing written, nothing flushed, not closed. */
void json_writer_reset(void);
/* Drop all that was written. False, and nothing done, if some of it was flushed. */
bool json_writer_rewind(void);
/* Flush what is there. */
void json_writer_flush(void);
void json_writer_release(void);

/* Bytes as they are. */
void json_put_raw(const char *bytes, size_t size);
void json_begin(char bracket);
void json_end(char bracket);
void json_put_key(const char *key);
void json_put_int(int64_t value);
void json_put_uint(uint64_t value);
void json_put_bool(bool value);
/* value with a point before its last digits (at most 19): 25 and 2 are 0.25. */
void json_put_decimal(uint64_t value, unsigned digits);
static inline void json_put_hundredths(uint64_t value)
{
	json_put_decimal(value, 2);
}
/* A string of size bytes: UTF-8; what is none becomes U+FFFD. */
void json_put_string(const char *bytes, size_t size);
void json_put_text(const char *text);
/* The same in pieces; a character must not be split between two. */
static inline void json_begin_string(void)
{
	json_begin('"');
}
void json_put_characters(const char *bytes, size_t size);
static inline void json_end_string(void)
{
	json_end('"');
}
void json_put_vformat(const char *format, va_list values);
/* A string of base64 in pieces of any size. */
static inline void json_begin_base64(void)
{
	json_begin_string();
}
void json_put_base64(const void *bytes, size_t size);
void json_end_base64(void);
/* A value that was read, as it was written but for white space and escapes. */
void json_put_value(const struct json_token *value);

/* Key and value. */
void json_member_int(const char *key, int64_t value);
void json_member_uint(const char *key, uint64_t value);
void json_member_bool(const char *key, bool value);
void json_member_text(const char *key, const char *value);

#endif
