#include "commands.h"
#include "version.h"

static void answer_sync(struct request *request)
{
	json_put_int(request->reply, request_int(request, 0, 0));
}

static void answer_ping(struct request *request)
{
	(void)request;
}

static void answer_info(struct request *request)
{
	struct json_writer *reply = request->reply;
	const struct command *row;

	json_begin(reply, '{');
	json_member_text(reply, "version", QGA_PROTOCOL_VERSION);
	json_put_key(reply, "supported_commands");
	json_begin(reply, '[');
	for (size_t i = 0; (row = commands_at(i)); i++) {
		json_begin(reply, '{');
		json_member_text(reply, "name", row->name);
		json_member_bool(reply, "enabled", commands_enabled(i));
		json_member_bool(reply, "success-response", !(row->flags & COMMAND_NO_REPLY));
		json_end(reply, '}');
	}
	json_end(reply, ']');
	json_end(reply, '}');
}

const struct command commands_session[] = {
	{"guest-sync", "id:i", COMMAND_FROZEN, answer_sync},
	{"guest-sync-delimited", "id:i", COMMAND_FROZEN | COMMAND_DELIMITED, answer_sync},
	{"guest-ping", "", COMMAND_FROZEN, answer_ping},
	{"guest-info", "", COMMAND_FROZEN, answer_info},
	{0},
};
