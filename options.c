#include "options.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "error_text.h"
#include "kernel_file.h"
#include "keyfile.h"
#include "log.h"
#include "option_output.h"
#include "option_table.h"
#include "pages.h"
#include "text.h"

#define STATUS_USAGE 2

struct options options;

/* What is being read, for complaints: the file and its line, or the command line's word. */
static const char *source;
static const char *before_position;
static unsigned position;

/* Say what is wrong: of a list only the one name. */
static void complain(const char *which, const char *expected)
{
	log_error("%s%s%u: '%.*s' is none of %s", source, before_position, position,
		(int)strcspn(which, ","), which, expected);
}

_Noreturn static void fail(const char *which, const char *expected)
{
	complain(which, expected);
	_exit(STATUS_USAGE);
}

/* Put a command on a list. Returns false if there is none of that name. */
static bool add_name(struct command_list *list, const char *name, size_t size)
{
	const struct command *command;

	for (size_t i = 0; (command = commands_at(i)); i++) {
		if (text_is(name, size, command->name)) {
			list->given = list->has[i] = true;
			return true;
		}
	}
	return size == 0;
}

static void set(unsigned number, const char *value)
{
	const char *row = option_row(number);
	const char *words = option_words(row);
	struct command_list *list = option_list(row);

	if (list) {
		for (size_t size;; value += size + 1) {
			size = strcspn(value, ",");
			if (!add_name(list, value, size))
				fail(value, "the commands");
			if (!value[size])
				break;
		}
	} else if (words) {
		size_t size = strcspn(value, KEYFILE_SPACE);
		int choice = text_find_word(words, "|", value, size);

		if (choice < 0 || *keyfile_skip_space(value + size))
			fail(value, words == option_flag_words ? words : row + 1);
		options.values[number].choice =
			(size_t)(words == option_flag_words ? choice & 1 : choice);
	} else {
		options.values[number].text = value;
	}
}

/* ---- The configuration file ---- */

static void take_setting(char *line)
{
	size_t size = strcspn(line, "=" KEYFILE_SPACE);
	char *value = keyfile_skip_space(line + size);
	unsigned number = (unsigned)option_by_name(line, size, true);

	if (number >= OPTION_KEYS || *value != '=') {
		complain(line, "the keys (ignored)");
		return;
	}
	value = keyfile_skip_space(value + 1);
	if (!keyfile_unescape(value))
		fail(line, "\\s \\t \\n \\r \\\\");
	set(number, value);
}

void options_parse_file(char *text, size_t size, const char *name)
{
	const char *group = NULL; /* where its name stands */
	const char *end = text + size;

	source = name;
	before_position = ":";
	for (position = 1; text < end; position++) {
		char *line = keyfile_skip_space(text);

		text = line + strcspn(line, "\n");
		if (!*text && text != end)
			fail(line, "KEY=VALUE, [GROUP], # COMMENT");
		if (text > line && text[-1] == '\r')
			text[-1] = '\0';
		*text++ = '\0';
		if (!*line || *line == '#')
			continue;
		if (*line == '[') {
			group = line + 1;
			line += strcspn(group, "[]") + 1;
			if (line == group || *line != ']' || *keyfile_skip_space(line + 1))
				fail(group - 1, "[GROUP]");
		} else {
			if (!group || *line == '=' || !strchr(line, '='))
				fail(line, "KEY=VALUE, [GROUP], # COMMENT");
			if (text_after(group, "general]"))
				take_setting(line);
		}
	}
}

static void load_file(void)
{
	/* What is longer by one byte may be cut to a whole character of up to four. */
	static PAGES_SELDOM char text[OPTIONS_FILE_MAX + 6];
	const char *given = options.config ? options.config : getenv("QGA_CONF");
	const char *name = given ? given : option_default(option_row(OPTION_NUMBER(config)));
	ssize_t size = kernel_file_read(name, 0, text, sizeof(text));

	if (size > OPTIONS_FILE_MAX) {
		errno = EFBIG;
	} else if (size >= 0) {
		options_parse_file(text, (size_t)size, name);
		return;
	} else if (errno == ENOENT && (!given || !*given)) {
		return;
	}
	log_error("%s: %s", name, error_text(errno));
	_exit(STATUS_USAGE);
}

/* ---- The command line ---- */

static char *const *command_words;

static const char *next_word(void)
{
	return command_words[++position];
}

/* Returns whether there is a value: attached, if that is not NULL, or the next word. */
static bool take_option(unsigned number, const char *attached)
{
	const char *row = option_row(number);
	const char *value = attached;

	if (*row == 'h')
		option_print_help();
	if (*row == 'V')
		option_print_version();
	if (option_words(row) == option_flag_words) {
		set(number, "true");
		return false;
	}
	if (!value && *row == 'F')
		value = option_default(row);
	if (!value)
		value = next_word();
	if (!value)
		fail(command_words[position - 1], "the options without a value");
	if (option_list(row) && (text_equals(value, "help") || text_equals(value, "?")))
		option_print_commands();
	set(number, value);
	return true;
}

static void take_letters(const char *letters)
{
	bool is_flag = true;

	while (is_flag && *letters) {
		int number = *letters > ' ' ? option_by_letter(*letters) : -1;

		if (number < 0)
			fail(command_words[position], "the options");
		letters++;
		is_flag = !take_option((unsigned)number, *letters ? letters : NULL);
	}
}

static void take_name(const char *word)
{
	const char *name = word + 2;
	size_t size = strcspn(name, "=");
	int number = option_by_name(name, size, false);
	const char *value = name[size] ? name + size + 1 : NULL;

	if (number < 0)
		fail(word, number == -1 ? "the options" : "the unambiguous options");
	if (!take_option((unsigned)number, value) && value)
		fail(word, "the options with a value");
}

static void read_words(void)
{
	const char *word;

	source = "argument";
	before_position = " ";
	position = 0;
	while ((word = next_word())) {
		if (text_equals(word, "--")) {
			word = next_word();
			if (!word)
				return;
		} else if (word[0] == '-' && word[1] == '-') {
			take_name(word);
			continue;
		} else if (word[0] == '-' && word[1]) {
			take_letters(word + 1);
			continue;
		}
		fail(word, "the options");
	}
}

/* ---- What is not given ---- */

/* Give a text that is not set its default. */
static void fill(unsigned number)
{
	if (!options.values[number].text)
		options.values[number].text = option_default(option_row(number));
}

static void take_socket(void)
{
	const char *text = getenv("LISTEN_PID");
	uint64_t pid, count;

	if (!text || !parse_unsigned(text, &pid) || pid != (uint64_t)getpid())
		return;
	text = getenv("LISTEN_FDS");
	if (!text || !parse_unsigned(text, &count) || count == 0)
		return;
	if (count > 1) {
		log_error("LISTEN_FDS=%s: only one socket", text);
		_exit(STATUS_USAGE);
	}
	options.socket_activated = true;
}

void options_read(char *const words[])
{
	command_words = words;
	/* First to find the file, then to override it. */
	read_words();
	load_file();
	read_words();
	options.pid_file_given = options.pid_file != NULL;
	options.state_dir_given = options.state_dir != NULL;
	if (!options.path && options.method != CHANNEL_VIRTIO_SERIAL)
		options.path = options.method == CHANNEL_ISA_SERIAL ? "/dev/ttyS0" : "";
	take_socket();
	if (options.path && !*options.path && !options.socket_activated) {
		log_error("--path is missing");
		_exit(STATUS_USAGE);
	}
	fill(OPTION_NUMBER(path));
	fill(OPTION_NUMBER(pid_file));
	fill(OPTION_NUMBER(state_dir));
	if (options.dump)
		option_print_dump();
	fill(OPTION_NUMBER(log_file));
	fill(OPTION_NUMBER(health_dir));
	if (!options.fsfreeze_hook)
		options.fsfreeze_hook = "";
}
