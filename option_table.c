#include "option_table.h"

#include <string.h>

#include "options.h"

#define FIELD(name) offsetof(struct options, name)
#define KEY(name) (sizeof(name) - 1)
#define METHODS "virtio-serial|isa-serial|unix-listen|vsock-listen"

/* Letter, long name, size of the key, kind, field, help. */
#define OPTIONS(ROW)                                                                             \
	ROW('d', "daemonize", KEY("daemon"), FLAG, FIELD(daemonize), "go into the background")   \
	ROW('m', "method", KEY("method"), METHOD, FIELD(method), METHODS)                        \
	ROW('p', "path", KEY("path"), TEXT, FIELD(path),                                         \
		"device, socket or CID:PORT of the method")                                      \
	ROW('l', "logfile", KEY("logfile"), TEXT, FIELD(log_file),                               \
		"file, /dev/kmsg or \"syslog\"; default: stderr")                                \
	ROW('f', "pidfile", KEY("pidfile"), TEXT, FIELD(pid_file),                               \
		"default: " OPTION_PID_FILE_DEFAULT)                                             \
	ROW('F', "fsfreeze-hook", KEY("fsfreeze-hook"), HOOK, FIELD(fsfreeze_hook),              \
		"run it around a freeze; -F alone: " OPTION_HOOK_DEFAULT)                        \
	ROW('t', "statedir", KEY("statedir"), TEXT, FIELD(state_dir),                            \
		"default: " OPTION_STATE_DIR_DEFAULT)                                            \
	ROW('v', "verbose", KEY("verbose"), FLAG, FIELD(verbose), "log everything")              \
	ROW('r', "retry-path", KEY("retry-path"), FLAG, FIELD(retry_path),                       \
		"wait for the path; always done")                                                \
	ROW('b', "block-rpcs", KEY("block-rpcs"), NAMES, FIELD(block),                           \
		"disable COMMAND,COMMAND...; \"help\" lists all")                                \
	ROW('a', "allow-rpcs", KEY("allow-rpcs"), NAMES, FIELD(allow),                           \
		"disable all but COMMAND,COMMAND...")                                            \
	ROW(OPTION_HEALTH_DIR, "health-dir", KEY("health-dir"), TEXT, FIELD(health_dir),         \
		"default: " OPTION_HEALTH_DIR_DEFAULT)                                           \
	ROW(OPTION_VSOCK_PEERS, "vsock-peers", KEY("vsock-peers"), PEERS, FIELD(vsock_any_peer), \
		"host|any: who may connect; default: host")                                      \
	ROW('c', "config", 0, CONFIG, 0, "default: $QGA_CONF or " OPTION_CONFIG_DEFAULT)         \
	ROW('D', "dump-conf", 0, ACTION, 0, "print the configuration")                           \
	ROW('V', "version", 0, ACTION, 0, "print the version")                                   \
	ROW('h', "help", 0, ACTION, 0, "print this")                                             \
	ROW('v', "debug", KEY("debug"), FLAG, FIELD(verbose), "")                                \
	ROW('b', "blacklist", KEY("blacklist"), NAMES, FIELD(block), "")

const struct option_row option_rows[] = {
#define ROW(letter, name, key_size, kind, field, help) \
	{letter, name, key_size, OPTION_##kind, field},
	OPTIONS(ROW)
#undef ROW
		{0},
};

const char option_helps[] =
#define ROW(letter, name, key_size, kind, field, help) help "\0"
	OPTIONS(ROW);
#undef ROW

const struct option_row *option_by_letter(char letter)
{
	for (const struct option_row *row = option_rows; *row->name; row++) {
		if (row->letter == letter)
			return row;
	}
	return NULL;
}

const struct option_row *option_by_key(const char *key)
{
	size_t size = strlen(key);

	for (const struct option_row *row = option_rows; *row->name; row++) {
		if (row->key_size == size && memcmp(row->name, key, size) == 0)
			return row;
	}
	return NULL;
}

const struct option_row *option_by_name(const char *name, size_t size, bool *ambiguous)
{
	const struct option_row *found = NULL;

	*ambiguous = false;
	for (const struct option_row *row = option_rows; *row->name; row++) {
		if (strncmp(row->name, name, size) != 0)
			continue;
		if (!row->name[size]) {
			*ambiguous = false;
			return row;
		}
		if (found && found->letter != row->letter)
			*ambiguous = true;
		found = row;
	}
	return *ambiguous ? NULL : found;
}

bool option_is_other_name(const struct option_row *row)
{
	return option_by_letter(row->letter) != row;
}

bool option_is_text(const struct option_row *row)
{
	return row->kind == OPTION_TEXT || row->kind == OPTION_HOOK;
}

const char *option_words(const struct option_row *row)
{
	if (row->kind == OPTION_METHOD)
		return METHODS;
	return row->kind == OPTION_PEERS ? "host|any" : "false|true|0|1";
}

void *option_field(const struct option_row *row)
{
	return (char *)&options + row->field;
}
