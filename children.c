#include "children.h"

#include <sys/wait.h>

#include "loop.h"
#include "pages.h"

/* Those whose results wait for a client, and some for the agent itself. */
#define CHILDREN_MAX 2560

static _Alignas(PAGES_ALIGNMENT) struct child_row {
	pid_t pid;
	void (*ended)(void *context, int status);
	void *context;
} children[CHILDREN_MAX];
static unsigned child_count;

static void reap(void)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (unsigned i = 0; i < child_count; i++) {
			if (children[i].pid == pid) {
				struct child_row child = children[i];

				children[i] = children[--child_count];
				child.ended(child.context, status);
				break;
			}
		}
	}
	if (child_count == 0)
		pages_release(children, sizeof(children));
}

bool children_room(void)
{
	loop_child_ended = reap; /* also of one that does not start */
	return child_count < CHILDREN_MAX;
}

bool children_add(pid_t pid, void (*ended)(void *context, int status), void *context)
{
	if (child_count == CHILDREN_MAX)
		return false;
	pages_keep(children);
	children[child_count++] =
		(struct child_row){.pid = pid, .ended = ended, .context = context};
	return true;
}
