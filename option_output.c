#include "option_output.h"

#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "keyfile.h"
#include "option_table.h"
#include "options.h"
#include "version.h"

#define STATUS_OUTPUT 1

static void print(const char *bytes, size_t size)
{
	if (write(STDOUT_FILENO, bytes, size) != (ssize_t)size)
		_exit(STATUS_OUTPUT);
}

static void print_text(const char *text)
{
	print(text, strlen(text));
}

void option_print_help(void)
{
	const char *row;

	print_text("Usage: tinyqga [OPTION]...\n");
	for (unsigned i = 0; *(row = option_row(i)) != 'd' || i == 0; i++) {
		char letter[] = "-?, ";

		letter[1] = *row;
		print_text(*row > ' ' ? letter : "    ");
		print_text("--");
		print_text(row + 1);
		print_text(row + strlen(row) + 1);
		print_text("\n");
	}
	_exit(0);
}

void option_print_version(void)
{
	print_text("tinyqga " TINYQGA_VERSION " (QEMU guest agent protocol " QGA_PROTOCOL_VERSION
		   ")\n");
	_exit(0);
}

/* Print the names of the commands that list has (NULL: all), with separator between them. */
static void print_commands(const struct command_list *list, char separator)
{
	const struct command *command;
	bool more = false;

	for (size_t i = 0; (command = commands_at(i)); i++) {
		if (list && !list->has[i])
			continue;
		if (more)
			print(&separator, 1);
		print_text(command->name);
		more = true;
	}
	print_text("\n");
}

void option_print_commands(void)
{
	print_commands(NULL, '\n');
	_exit(0);
}

void option_print_dump(void)
{
	print_text("[general]\n");
	for (unsigned i = 0; i < OPTION_KEYS; i++) {
		const char *row = option_row(i);
		const char *words = option_words(row);
		const struct command_list *list = option_list(row);
		const char *text = options.values[i].text;

		/* Texts that are not set; and what QEMU's agent does not know, if it is not set. */
		if (!text && !list && (!words || *row < ' '))
			continue;
		print(row + 1, strcspn(row + 1, "="));
		print_text("=");
		if (list) {
			print_commands(list, ',');
			continue;
		}
		if (words) {
			for (size_t left = options.values[i].choice; left > 0; left--)
				words += strcspn(words, "|") + 1;
			text = words;
		}
		keyfile_write_value(text, strcspn(text, words ? "|" : ""), print);
		print_text("\n");
	}
	_exit(0);
}
