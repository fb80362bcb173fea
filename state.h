/* What must outlive the agent, in its state folder: the counter of file handles. */
#ifndef STATE_H
#define STATE_H

#include <stdint.h>

/* In the state folder. Name and format are those of QEMU's agent, so that either can follow the
 * other. */
#define STATE_FILE "qga.state"

/* A file handle that was never handed out before, by this agent or the one before it: 1000, 1001,
 * … Where the state folder cannot be used, only by this one. */
int64_t state_next_handle(void);

#endif
