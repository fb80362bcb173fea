/* The children that somebody waits for. */
#ifndef CHILDREN_H
#define CHILDREN_H

#include <stdbool.h>
#include <sys/types.h>

/* Call ended with the wait status (wait(2)) when child pid has been reaped. Other children are
 * reaped silently. Returns false if the table is full: ask before starting the child. */
bool children_add(pid_t pid, void (*ended)(void *context, int status), void *context);
bool children_room(void);

#endif
