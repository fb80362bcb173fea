/* What must outlive the agent, in its state folder: the counter of file handles; and whether
 * filesystems are frozen, which freeze.c keeps there. */
#ifndef STATE_H
#define STATE_H

#include <stdbool.h>
#include <stdint.h>

/* In the state folder. Name and format are those of QEMU's agent, so that either can follow the
 * other. */
#define STATE_FILE "qga.state"
#define STATE_FROZEN_FILE STATE_FILE ".isfrozen"

/* Filesystems are frozen: who makes, changes or removes a file on one of them waits for the thaw,
 * which then never comes if it is the agent. Set by freeze.c alone; without it always false. */
#ifdef WITHOUT_FREEZE
enum { state_frozen = false };
#else
extern bool state_frozen;
#endif

/* A file handle that was never handed out before, by this agent or the one before it: 1000, 1001,
 * … Where the state folder cannot be used, only by this one. Returns -1 with errno where there is
 * no descriptor left to keep it. */
int64_t state_next_handle(void);

#endif
