#include "options.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "error_text.h"
#include "keyfile.h"
#include "lines.h"
#include "option_output.h"
#include "option_table.h"
#include "text.h"

#define STATUS_USAGE 2

struct options options;

static const char *config_name; /* of --config */
static bool dump_wanted;
static bool socket_activated;

static int misuse(void)
{
	option_hint_at_help();
	return STATUS_USAGE;
}

/* The place of word in a list separated by bars, or -1. */
static int word_index(const char *words, const char *word)
{
	size_t size = strlen(word);

	for (int index = 0;; index++) {
		size_t at = strcspn(words, "|");

		if (at == size && memcmp(words, word, size) == 0)
			return index;
		if (!words[at])
			return -1;
		words += at + 1;
	}
}

static bool is_command(const char *name, size_t size)
{
	const struct command *command;

	for (size_t i = 0; (command = commands_at(i)); i++) {
		if (strncmp(command->name, name, size) == 0 && !command->name[size])
			return true;
	}
	return false;
}

static bool add_names(
	const struct place *place, const struct option_row *row, const char *names, char *list)
{
	struct text text = {.bytes = list, .size = OPTIONS_LIST_MAX, .used = strlen(list)};

	for (;;) {
		size_t size = strcspn(names, ",");

		if (size > 0) {
			if (!is_command(names, size))
				return option_complain(place, "%s: unknown command '%.*s'",
					row->name, (int)size, names);
			if (text.used > 0)
				text_put(&text, ",", 1);
			text_put(&text, names, size);
		}
		if (!names[size])
			break;
		names += size + 1;
	}
	return !text.cut ||
		option_complain(place, "%s: longer than %d bytes", row->name, OPTIONS_LIST_MAX - 1);
}

static bool set(const struct place *place, const struct option_row *row, const char *value)
{
	void *field = option_field(row);
	int choice;

	if (row->kind == OPTION_NAMES)
		return add_names(place, row, value, field);
	if (option_is_text(row)) {
		*(const char **)field = value;
		return true;
	}
	choice = word_index(option_words(row), value);
	if (choice < 0)
		return option_complain(
			place, "%s: '%s' is none of %s", row->name, value, option_words(row));
	if (row->kind == OPTION_METHOD)
		*(enum channel_method *)field = (enum channel_method)choice;
	else
		*(bool *)field = choice & 1;
	return true;
}

static bool set_from_file(const struct place *place, const char *key, char *value)
{
	const struct option_row *row = option_by_key(key);

	if (!row) {
		option_complain(place, "unknown key '%s' is ignored", key);
		return true;
	}
	if (!option_is_text(row))
		keyfile_trim(value);
	if (!keyfile_unescape(value))
		return option_complain(place, "%s: only s, t, n, r or \\ may follow a \\", key);
	return set(place, row, value);
}

bool options_parse_file(char *text, size_t size, const char *name)
{
	struct keyfile file = {.text = text, .end = text + size};
	struct place place = {.file = name};

	while (keyfile_next(&file)) {
		place.line = file.line;
		if (text_equals(file.group, "general") &&
			!set_from_file(&place, file.key, file.value))
			return false;
	}
	place.line = file.line;
	return !file.problem || option_complain(&place, "%s", file.problem);
}

static bool load_file(void)
{
	static char text[OPTIONS_FILE_MAX + 1];
	const char *name = config_name ? config_name : getenv("QGA_CONF");
	bool required = name && *name;
	ssize_t size = -1;
	int fd;

	if (!name)
		name = OPTION_CONFIG_DEFAULT;
	fd = open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0 && errno == ENOENT && !required)
		return true;
	if (fd >= 0)
		size = lines_read_all(fd, text, sizeof(text));
	if (size < 0)
		option_complain(NULL, "%s: %s", name, error_text(errno));
	else if (size > OPTIONS_FILE_MAX)
		option_complain(NULL, "%s: larger than %d bytes", name, OPTIONS_FILE_MAX);
	if (fd >= 0)
		close(fd);
	return size >= 0 && size <= OPTIONS_FILE_MAX &&
		options_parse_file(text, (size_t)size, name);
}

/* The first time through the command line: what is done rather than set. */
static int take_action(const struct option_row *row, const char *value)
{
	switch (row->letter) {
	case 'a':
	case 'b':
		if (word_index("help|?", value) < 0)
			return OPTIONS_DONE;
		return option_print_commands();
	case 'c':
		config_name = value;
		return OPTIONS_DONE;
	case 'D':
		dump_wanted = true;
		return OPTIONS_DONE;
	case 'h':
		return option_print_help();
	case 'V':
		return option_print_version();
	default:
		return OPTIONS_DONE;
	}
}

static int take_setting(const struct option_row *row, const char *value)
{
	if (row->kind == OPTION_ACTION || row->kind == OPTION_CONFIG)
		return OPTIONS_DONE;
	return set(NULL, row, value) ? OPTIONS_DONE : STATUS_USAGE;
}

/* The command line while it is read: the words that are left, and what to do with an option. */
struct reading {
	char *const *word;
	char *const *end;
	int (*take)(const struct option_row *row, const char *value);
};

/* value is what was attached, or NULL. */
static int take_option(struct reading *reading, const struct option_row *row, const char *value)
{
	if (row->kind <= OPTION_ACTION) {
		if (value) {
			option_complain(NULL, "option '--%s' takes no value", row->name);
			return misuse();
		}
		value = "true";
	} else if (!value && row->kind == OPTION_HOOK) {
		value = OPTION_HOOK_DEFAULT;
	} else if (!value) {
		if (reading->word == reading->end) {
			option_complain(NULL, "option '--%s' needs a value", row->name);
			return misuse();
		}
		value = *reading->word++;
	}
	return reading->take(row, value);
}

static int take_letters(struct reading *reading, const char *letters)
{
	for (; *letters; letters++) {
		const struct option_row *row = *letters > ' ' ? option_by_letter(*letters) : NULL;
		int status;

		if (!row) {
			option_complain(NULL, "unknown option '-%c'", *letters);
			return misuse();
		}
		if (row->kind > OPTION_ACTION)
			return take_option(reading, row, letters[1] ? letters + 1 : NULL);
		status = take_option(reading, row, NULL);
		if (status != OPTIONS_DONE)
			return status;
	}
	return OPTIONS_DONE;
}

static int take_name(struct reading *reading, const char *name)
{
	size_t size = strcspn(name, "=");
	bool ambiguous;
	const struct option_row *row = option_by_name(name, size, &ambiguous);

	if (!row) {
		option_complain(
			NULL, "%s option '--%s'", ambiguous ? "ambiguous" : "unknown", name);
		return misuse();
	}
	return take_option(reading, row, name[size] ? name + size + 1 : NULL);
}

static int read_words(int count, char *const words[],
	int (*take)(const struct option_row *row, const char *value))
{
	struct reading reading = {.word = words + 1, .end = words + count, .take = take};
	int status = OPTIONS_DONE;

	while (status == OPTIONS_DONE && reading.word < reading.end) {
		const char *word = *reading.word++;
		bool is_end = text_equals(word, "--");

		if (is_end && reading.word == reading.end)
			break;
		if (is_end)
			word = *reading.word;
		if (is_end || word[0] != '-' || !word[1]) {
			option_complain(NULL, "unexpected argument '%s'", word);
			return misuse();
		}
		status = word[1] == '-' ? take_name(&reading, word + 2)
					: take_letters(&reading, word + 1);
	}
	return status;
}

static const char *default_text(const struct option_row *row)
{
	switch (row->letter) {
	case 'p':
		if (options.method == CHANNEL_VIRTIO_SERIAL)
			return "/dev/virtio-ports/org.qemu.guest_agent.0";
		return options.method == CHANNEL_ISA_SERIAL ? "/dev/ttyS0" : "";
	case 'f':
		return OPTION_PID_FILE_DEFAULT;
	case 't':
		return OPTION_STATE_DIR_DEFAULT;
	case OPTION_HEALTH_DIR:
		return OPTION_HEALTH_DIR_DEFAULT;
	default:
		return "";
	}
}

static unsigned environment_number(const char *name)
{
	const char *text = getenv(name);
	uint64_t number;
	const char *end = text ? parse_unsigned(text, &number) : NULL;

	return end && !*end && number <= INT_MAX ? (unsigned)number : 0;
}

static bool is_given(const char *text)
{
	return text && *text;
}

/* Asked only once, because a daemon has another process number later. */
static unsigned count_sockets(void)
{
	return environment_number("LISTEN_PID") == (unsigned)getpid()
		? environment_number("LISTEN_FDS")
		: 0;
}

static bool fill_defaults(void)
{
	unsigned sockets = count_sockets();

	socket_activated = sockets > 0;
	options.pid_file_given = is_given(options.pid_file);
	options.state_dir_given = is_given(options.state_dir);
	options.allow_given = *options.allow;
	for (const struct option_row *row = option_rows; *row->name; row++) {
		const char **text = option_field(row);

		if (option_is_text(row) && !is_given(*text))
			*text = default_text(row);
	}
	if (sockets > 1)
		return option_complain(NULL, "only one listening socket can be served");
	return *options.path || sockets == 1 || option_complain(NULL, "this method needs a path");
}

bool options_socket_activated(void)
{
	return socket_activated;
}

int options_read(int count, char *const words[])
{
	int status;

	config_name = NULL;
	dump_wanted = false;
	status = read_words(count, words, take_action);
	if (status == OPTIONS_DONE && !load_file())
		status = STATUS_USAGE;
	if (status == OPTIONS_DONE)
		status = read_words(count, words, take_setting);
	if (status == OPTIONS_DONE && !fill_defaults())
		status = STATUS_USAGE;
	if (status == OPTIONS_DONE && dump_wanted)
		status = option_print_dump();
	return status;
}
