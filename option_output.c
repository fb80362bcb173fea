#include "option_output.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "keyfile.h"
#include "option_table.h"
#include "options.h"
#include "text.h"
#include "version.h"

#define STATUS_OUTPUT 1

static bool output_failed;

static void put_to_descriptor(void *to, const char *bytes, size_t size)
{
	const int *fd = to;

	while (size > 0) {
		ssize_t wrote = write(*fd, bytes, size);

		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote <= 0) {
			output_failed |= *fd == STDOUT_FILENO;
			return;
		}
		bytes += wrote;
		size -= (size_t)wrote;
	}
}

__attribute__((format(printf, 2, 3))) static void say(int fd, const char *format, ...)
{
	va_list values;

	va_start(values, format);
	format_pieces(put_to_descriptor, &fd, format, values);
	va_end(values);
}

bool option_complain(const struct place *place, const char *format, ...)
{
	int fd = STDERR_FILENO;
	va_list values;

	say(fd, "tinyqga: ");
	if (place)
		say(fd, "%s:%u: ", place->file, place->line);
	va_start(values, format);
	format_pieces(put_to_descriptor, &fd, format, values);
	va_end(values);
	say(fd, "\n");
	return false;
}

void option_hint_at_help(void)
{
	say(STDERR_FILENO, "Try 'tinyqga --help' for more information.\n");
}

static int output_status(void)
{
	return output_failed ? STATUS_OUTPUT : 0;
}

int option_print_help(void)
{
	const char *help = option_helps;

	say(STDOUT_FILENO,
		"Usage: tinyqga [OPTION]...\n"
		"Serve the QEMU guest agent's commands to the host.\n\n");
	for (const struct option_row *row = option_rows; *row->name; row++) {
		if (!option_is_other_name(row)) {
			if (row->letter > ' ')
				say(STDOUT_FILENO, "-%c, ", row->letter);
			else
				say(STDOUT_FILENO, "    ");
			say(STDOUT_FILENO, "--%s%.*s%s\n", row->name,
				(int)(OPTION_NAME_MAX + 1 - strlen(row->name)), "              ",
				help);
		}
		help += strlen(help) + 1;
	}
	return output_status();
}

int option_print_version(void)
{
	say(STDOUT_FILENO,
		"tinyqga " TINYQGA_VERSION " (QEMU guest agent protocol " QGA_PROTOCOL_VERSION
		")\n");
	return output_status();
}

int option_print_commands(void)
{
	const struct command *command;

	for (size_t i = 0; (command = commands_at(i)); i++)
		say(STDOUT_FILENO, "%s\n", command->name);
	return output_status();
}

/* Unset texts are left out, and what QEMU's agent does not know while it is the default. */
static bool is_dumped(const struct option_row *row)
{
	bool is_ours = row->letter < ' ';
	const char *const *text = option_field(row);

	if (row->key_size == 0 || option_is_other_name(row))
		return false;
	if (option_is_text(row))
		return **text && !(is_ours && text_equals(*text, OPTION_HEALTH_DIR_DEFAULT));
	return !is_ours || options.vsock_any_peer;
}

static void dump_text(const char *text)
{
	for (size_t leading = strspn(text, " \t"); *text; text++) {
		char letter = keyfile_escape(*text);

		if (letter && (leading > 0 || !strchr(" \t", *text)))
			say(STDOUT_FILENO, "\\%c", letter);
		else
			say(STDOUT_FILENO, "%c", *text);
		leading -= leading > 0;
	}
}

static void dump_choice(const struct option_row *row)
{
	const void *field = option_field(row);
	const char *words = option_words(row);
	unsigned choice = row->kind == OPTION_METHOD ? *(const enum channel_method *)field
						     : *(const bool *)field;

	for (; choice > 0; choice--)
		words += strcspn(words, "|") + 1;
	say(STDOUT_FILENO, "%.*s", (int)strcspn(words, "|"), words);
}

int option_print_dump(void)
{
	say(STDOUT_FILENO, "[general]\n");
	for (const struct option_row *row = option_rows; *row->name; row++) {
		if (!is_dumped(row))
			continue;
		say(STDOUT_FILENO, "%.*s=", row->key_size, row->name);
		if (option_is_text(row))
			dump_text(*(const char *const *)option_field(row));
		else if (row->kind == OPTION_NAMES)
			say(STDOUT_FILENO, "%s", (const char *)option_field(row));
		else
			dump_choice(row);
		say(STDOUT_FILENO, "\n");
	}
	return output_status();
}
