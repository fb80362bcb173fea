/* The one poll() of the agent: descriptors, signals and children.
 *
 * Whatever waits, waits here: the agent for its next request, a reply for room in the channel, a
 * handler for a child. Each calls loop_turn until it has what it needs, and meanwhile everything
 * else is served: pipes are drained, children reaped, signals taken. No callback parses requests
 * or writes replies, so turns may nest.
 */
#ifndef LOOP_H
#define LOOP_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* A driver's news of the channel, by F_SETSIG: queued, not merged. One of the kernel's real-time
 * signals behind those that C libraries keep. */
#define LOOP_SIGNAL_PORT 40

/* Take signals through the loop from now on: SIGCHLD is its own; taken is called for each SIGTERM,
 * SIGINT, SIGHUP, SIGIO and LOOP_SIGNAL_PORT that comes. All others have their default action, but
 * what a write may raise is left to its errno. Returns false, with errno, if that cannot be. */
bool loop_start(void (*taken)(int signal));

/* Watch fd for events (POLLIN, POLLOUT): when one of them, or POLLHUP or POLLERR, is there, ready
 * is called with revents. fd must not be watched yet. Returns false if the table is full. */
bool loop_watch(int fd, short events, void (*ready)(void *context, short revents), void *context);
/* Watch fd for other events (0: for POLLHUP and POLLERR alone); harmless if it is not watched. */
void loop_rewatch(int fd, short events);
/* Forget fd; harmless if it is not watched. Call it before closing fd. */
void loop_unwatch(int fd);

/* Take the signals that are queued now, without a turn. */
void loop_take_signals(void);
/* In a new child, before exec: the signal mask and dispositions that a program expects. */
void loop_reset_signals(void);

/* What is to be done when the agent ends by itself, or NULL. One room sets it. */
extern void (*loop_at_end)(void);
/* What is to be done when children have ended, or NULL. children.c sets it. */
extern void (*loop_child_ended)(void);

/* Milliseconds of CLOCK_MONOTONIC. */
int64_t loop_now_ms(void);

/* As loop_turn(-1), for the time between two requests: after a moment without an event, what
 * requests took of memory is given back before the wait goes on. */
void loop_idle_turn(void);

/* Wait for at most wait_ms (-1: for ever) until something happened, and serve it. */
void loop_turn(int wait_ms);

#endif
