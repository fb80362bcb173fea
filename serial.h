/* The channel to the host: a virtio port, a serial line, or a listening socket. It is found,
 * opened, waited for, lost and opened again here, and one client is served at a time. */
#ifndef SERIAL_H
#define SERIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Set up the channel that options name; on failure says why on the log and returns false. A device
 * that is not there yet is no failure: it is waited for. */
bool channel_start(void);
/* Let go of it: a terminal's settings are restored, a unix socket is removed. */
void channel_stop(void);

/* A turn of the loop between two requests; a device that is missing, and that the kernel will not
 * announce, is looked for again after a while. */
void channel_idle_turn(void);

/* The driver has news, told by SIGIO or LOOP_SIGNAL_PORT. */
void channel_signalled(void);

/* Is there input, or something else to be found out by channel_read? */
bool channel_ready(void);

/* Read up to size bytes (at least 1). Returns 0 when there is nothing more for now; by then
 * channel_clients is up to date. Never waits. */
ssize_t channel_read(char *to, size_t size);

/* Write what there is room for, at most size bytes. Returns how many, 0 if there is no room now,
 * or -1 if nobody is there to read it. Never waits. */
ssize_t channel_write(const char *bytes, size_t size);

/* The rest of a reply will not be written. */
void channel_drop_reply(void);

/* After channel_write found no room: take a turn of the loop, of at most wait_ms (-1: for ever),
 * until there may be some, or input. Sets *replaced if another client may be there by then, in
 * which case a handshake in the input says that it is so. Returns false when nobody is there. */
bool channel_wait(bool *replaced, int wait_ms);

/* The machine's devices were suspended: wait, for a moment at most, until the host's side of the
 * channel is back. That it was away meanwhile is no change of clients. */
void channel_resumed(void);

/* How often a client has left: requests and replies of before belong to nobody. */
unsigned channel_clients(void);

/* Did the input that was read last come together with a change of clients? Then nobody can tell
 * whose it is, the one's who left or the one's who came. */
bool channel_doubtful(void);

/* All that was read has been answered: a client that ended its input can go. */
void channel_settle(void);

#endif
