#include "commands.h"
#include "version.h"

static void answer_sync(struct request *request)
{
	json_put_int(request_int(request, 0, 0));
}

static void answer_ping(struct request *request)
{
	(void)request;
}

static void answer_info(struct request *request)
{
	const struct command *row;

	(void)request;
	json_begin('{');
	json_member_text("version", QGA_PROTOCOL_VERSION);
	json_put_key("supported_commands");
	json_begin('[');
	for (size_t i = 0; (row = commands_at(i)); i++) {
		json_begin('{');
		json_member_text("name", row->name);
		json_member_bool("enabled", commands_enabled(i));
		json_member_bool("success-response", !(row->flags & COMMAND_NO_REPLY));
		json_end('}');
	}
	json_end(']');
	json_end('}');
}

COMMANDS = {
	{"guest-sync", "id:i", COMMAND_FROZEN, answer_sync},
	{"guest-sync-delimited", "id:i", COMMAND_FROZEN | COMMAND_DELIMITED, answer_sync},
	{"guest-ping", "", COMMAND_FROZEN, answer_ping},
	{"guest-info", "", COMMAND_FROZEN, answer_info},
};
