/* Putting the guest to sleep: by systemd, else by pm-utils, else by the kernel. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "child.h"
#include "commands.h"
#include "error_text.h"
#include "kernel_file.h"
#include "pages.h"
#include "text.h"

#define STATE "/sys/power/state"
#define NAME_BEGINNING "guest-suspend-"

/* A way of sleeping, in the words of each who may be asked for it. */
static const struct sleep_mode {
	char name[7]; /* of the command, behind its beginning */
	char systemctl[13];
	char pm_program[18]; /* its support is asked for by what stands behind "pm-" */
	char state[5];	     /* of the kernel, if it has one */
} modes[] = {
	{"ram", "suspend", "pm-suspend", "mem"},
	{"disk", "hibernate", "pm-hibernate", "disk"},
	{"hybrid", "hybrid-sleep", "pm-suspend-hybrid", ""},
};

static const struct sleep_mode *mode; /* that is asked for */
static PAGES_SELDOM char said[512];   /* by the one who was asked last */

static struct child child = {.output = said, .output_size = sizeof(said)};

/* One copy of it is smaller than three. */
__attribute__((noinline)) static int run(const char *program, const char *word)
{
	const char *const words[] = {program, word, NULL};
	int status;

	child.words = words;
	status = child_run(&child);
	child.words = NULL;
	return status;
}

/* Who is asked, in this order. Each returns 0 if the guest has slept, above 0 if it could not,
 * below if the mode is not known there. */

static int by_systemd(void)
{
	return access("/run/systemd/system", F_OK) == 0 ? run("systemctl", mode->systemctl) : -1;
}

static int by_pm_utils(void)
{
	char option[sizeof(mode->pm_program)];

	text_print(option, sizeof(option), "-%s", mode->pm_program + 2);
	return run("pm-is-supported", option) == 0 ? run(mode->pm_program, NULL) : -1;
}

static int write_state(int report)
{
	return kernel_file_write(STATE, mode->state) ? 0
						     : child_fail(report, "%s", error_text(errno));
}

static int by_kernel(void)
{
	char states[64];

	if (!kernel_file_read_line(STATE, states, sizeof(states)) || *mode->state == '\0' ||
		text_find_word(states, " ", mode->state, strlen(mode->state)) < 0)
		return -1;
	child.work = write_state;
	return child_run(&child);
}

static void suspend(struct request *request)
{
	static int (*const ways[])(void) = {by_systemd, by_pm_utils, by_kernel};
	const char *name = request->command->name + sizeof(NAME_BEGINNING) - 1;
	char reason[sizeof(said)] = "";

	mode = modes;
	while (!text_equals(name, mode->name))
		mode++;
	for (int i = 0; i < 3; i++) {
		int status = ways[i]();

		if (status == 0)
			return;
		if (status > 0)
			memcpy(reason, said, sizeof(said));
	}
	if (*reason != '\0')
		reply_error(request, "failed to suspend: %s", reason);
	else
		reply_error(request, "the requested suspend mode is not supported by the guest");
}

COMMANDS = {
	{NAME_BEGINNING "disk", "", COMMAND_NO_REPLY, suspend},
	{NAME_BEGINNING "ram", "", COMMAND_NO_REPLY, suspend},
	{NAME_BEGINNING "hybrid", "", COMMAND_NO_REPLY, suspend},
};
