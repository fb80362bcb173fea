#include "option_table.h"

#include <string.h>

#include "text.h"

_Static_assert(sizeof(size_t) == sizeof(const char *), "every value takes one place");

const char option_flag_words[] = "false|true|0|1";

/* clang-format off */
static const char *const table =
	"d" "daemon\0" "\tor --daemonize: in the background\0"
	"m" "method=virtio-serial|isa-serial|unix-listen|vsock-listen\0" "\0"
	"p" "path=/dev/virtio-ports/org.qemu.guest_agent.0\0" "\tor a socket, CID:PORT\0"
	"l" "logfile=\0" "FILE or \"syslog\", else stderr\0"
	"f" "pidfile=/var/run/qemu-ga.pid\0" "\0"
	"F" "fsfreeze-hook=/etc/qemu/fsfreeze-hook\0" "\tonly if given\0"
	"t" "statedir=/var/run\0" "\0"
	"v" "verbose\0" "\tlog all\0"
	"r" "retry-path\0" "\talways done\0"
	"b" "block-rpcs=\0" "COMMAND,... or \"help\" to list them\0"
	"a" "allow-rpcs=\0" "COMMAND,... and no others\0"
	"\1" "health-dir=/run/health\0" "\0"
	"\2" "vsock-peers=host|any\0" "\twho connects\0"
	"c" "config=/etc/qemu/qemu-ga.conf\0" "\0"
	"D" "dump-conf\0" "\tprint as a file\0"
	"V" "version\0" "\0"
	"h" "help\0" "\0"
	"d" "daemonize\0" "\0"
	"v" "debug\0" "\0"
	"b" "blacklist=\0" "\0";
/* clang-format on */

const char *option_row(unsigned number)
{
	const char *row = table;

	for (number *= 2; number > 0; number--)
		row += strlen(row) + 1;
	return row;
}

int option_by_letter(char letter)
{
	const char *row;

	for (unsigned i = 0; *(row = option_row(i)); i++) {
		if (*row == letter)
			return (int)i;
	}
	return -1;
}

int option_by_name(const char *name, size_t size, bool exact)
{
	int found = -1;
	const char *row;

	for (unsigned i = 0; *(row = option_row(i)); i++) {
		int number = option_by_letter(*row);

		if (strncmp(row + 1, name, size) != 0)
			continue;
		if (strcspn(row + 1, "=") == size)
			return number;
		if (!exact)
			found = found == -1 || found == number ? number : -2;
	}
	return found;
}

const char *option_default(const char *row)
{
	return row + strcspn(row, "=") + 1;
}

const char *option_words(const char *row)
{
	if (!strchr(row, '='))
		return option_flag_words;
	return strchr(row, '|') ? option_default(row) : NULL;
}

struct command_list *option_list(const char *row)
{
	if (*row == 'a')
		return &commands_allowed;
	return *row == 'b' ? &commands_blocked : NULL;
}
