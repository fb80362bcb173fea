/* Putting the guest to sleep: by systemd, else by pm-utils, else by the kernel. */
#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "commands.h"
#include "error_text.h"
#include "kernel_file.h"
#include "text.h"

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
static char said[512];		      /* by the one who was asked last */

static bool run(const char *program, const char *word)
{
	const char *const words[] = {program, word, NULL};
	const struct child child = {.words = words, .output = said, .output_size = sizeof(said)};

	return child_run(&child) == 0;
}

static int write_state(int report)
{
	(void)report;
	return kernel_file_write("/sys/power/state", mode->state) ? 0 : errno;
}

static bool kernel_knows(const char *state)
{
	char states[64];

	if (!kernel_file_read_line("/sys/power/state", states, sizeof(states)))
		return false;
	return *state != '\0' && text_find_word(states, " ", state, strlen(state)) >= 0;
}

/* Returns once the guest is awake again. */
static bool ask_kernel(void)
{
	static const struct child child = {
		.work = write_state, .output = said, .output_size = sizeof(said)};
	int status = child_run(&child);

	if (status > 0)
		errno = WEXITSTATUS(status);
	if (status != 0)
		text_print(said, sizeof(said), "%s", error_text(errno));
	return status == 0;
}

/* Ask everybody who knows the mode in turn. True if one of them did it; otherwise reason is what
 * the last of them said. */
static bool try_all(char reason[sizeof(said)])
{
	char option[sizeof(mode->pm_program)];

	text_print(option, sizeof(option), "-%s", mode->pm_program + 2);
	for (int i = 0; i < 3; i++) {
		bool is_known = i == 0 ? access("/run/systemd/system", F_OK) == 0
			: i == 1       ? run("pm-is-supported", option)
				       : kernel_knows(mode->state);

		if (!is_known)
			continue;
		if (i == 0		 ? run("systemctl", mode->systemctl)
				: i == 1 ? run(mode->pm_program, NULL)
					 : ask_kernel())
			return true;
		memcpy(reason, said, sizeof(said));
		commands_set_resumed(true);
	}
	return false;
}

static void suspend(struct request *request)
{
	const char *name = request->command->name + sizeof(NAME_BEGINNING) - 1;
	char reason[sizeof(said)] = "";

	mode = modes;
	while (!text_equals(name, mode->name))
		mode++;
	if (try_all(reason))
		return;
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
