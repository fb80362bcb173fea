/* The commands: the table that they stand in, what a handler sees, and how it answers. */
#ifndef COMMANDS_H
#define COMMANDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "json.h"

#define COMMAND_ARGUMENTS_MAX 8
/* Twice as many as there are, for families to come. */
#define COMMANDS_MAX 128

/* Commands that were named: has is in the order of commands_at. */
struct command_list {
	bool given; /* one was; an empty list is none, as in QEMU's agent */
	bool has[COMMANDS_MAX];
};

/* Those to serve, if any is given, and those not to serve all the same. options.c fills them. */
extern struct command_list commands_allowed, commands_blocked;

struct request;

enum command_flags {
	COMMAND_NO_REPLY = 1,  /* sends nothing on success */
	COMMAND_FROZEN = 2,    /* served while filesystems are frozen, also if blocked */
	COMMAND_DELIMITED = 4, /* its reply has the sentinel 0xFF in front */
};

/* A row of the table. A family declares its rows in its own file, as COMMANDS[].
 *
 * arguments says what the command takes, in words like the protocol's: "path:s mode:s?" is a
 * string and an optional string. The types:
 *   s string  i integer  u unsigned integer  b boolean
 *   [T] a list of T
 *   {NAME:T …} an object with these members
 *   <TYPE>T|name|name… a T, or one of the names; TYPE is what the error text calls it.
 * The handler finds argument N (counted from 0, in this order) by the functions below. */
struct command {
	const char *name;
	const char *arguments;
	unsigned flags;
	void (*execute)(struct request *request);
};

/* All that is linked is in the table, in the order in which it is linked. */
#define COMMANDS                           \
	static const struct command rows[] \
		__attribute__((used, section("commands"), aligned(__alignof__(struct command))))

/* A request that is being carried out. The handler writes one value as its reply (nothing: {}),
 * or calls reply_error and returns. */
struct request {
	bool failed;
	bool not_found; /* what is raised now has the class CommandNotFound */
	const struct command *command;
	struct json_token *arguments[COMMAND_ARGUMENTS_MAX]; /* NULL where absent */
	struct json_token *id;				     /* NULL where absent */
};

/* The arguments of a request. What is absent reads as otherwise says, false or NULL. */
bool request_has(const struct request *request, unsigned argument);
int64_t request_int(const struct request *request, unsigned argument, int64_t otherwise);
bool request_bool(const struct request *request, unsigned argument);
/* A string without a NUL inside; it may be changed in place. size may be NULL. */
char *request_string(const struct request *request, unsigned argument, size_t *size);
/* Which of the names that its type lists an argument is, counted from 0; -1 if it is none. */
int request_choice(const struct request *request, unsigned argument);
/* A string that is base64, decoded in place. On bad data it raises the error and returns false. */
bool request_base64(struct request *request, unsigned argument, char **bytes, size_t *size);

/* Fail: the reply becomes this error. Only before the reply's first flush; after it (the reply
 * outgrew the writer's buffer) the error is logged and the reply stands. */
void reply_error(struct request *request, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Carry out the value that reader has just completed, or answer its error, and flush the reply. */
void commands_answer(const struct json_reader *reader);

/* The table, in order: NULL behind the last. */
const struct command *commands_at(size_t index);
/* Is it served: what the lists say, unless frozen. */
bool commands_enabled(size_t index);

/* The machine's devices, the channel's too, were suspended since the request came; until the next
 * piece of a reply is written. */
void commands_set_resumed(bool resumed);
bool commands_resumed(void);

/* While frozen only the rows with COMMAND_FROZEN are served. */
void commands_set_frozen(bool frozen);
bool commands_frozen(void);

#endif
