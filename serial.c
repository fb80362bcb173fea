#include "serial.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "error_text.h"
#include "listener.h"
#include "log.h"
#include "loop.h"
#include "options.h"
#include "text.h"
#include "uevents.h"
#include "virtio_port.h"

/* How often a device that announces itself to nobody is looked for. */
#define RETRY_MS 1000
/* Behind room in the queue may be the news that a client has left, so late at most. */
#define NEWS_MS 2
/* What goes to a virtio port at a time: the driver's queue holds 128 such pieces. */
#define PIECE_MAX 32768

/* Descriptors, or -1; of those that most channels have not, or 0. */
static int port = -1;  /* the device, or the client that was accepted */
static int listener;   /* of the socket methods */
static int edges;      /* an epoll descriptor: new input on a virtio port, reported once */
static int last_error; /* what was said about the missing device */
static bool announced; /* it will be announced when it comes */
static bool retrying;  /* it is looked for now and then, as nothing announces it */

static bool ready;	 /* channel_read may find something */
static bool held;	 /* but there is no room for it */
static bool input_ended; /* a socket's client sends no more */
static bool hung_up;	 /* and reads no more: its descriptor is no longer watched */
static bool line_open;	 /* and was sent a part of a line */
static unsigned clients;

/* The driver queues a signal for each interrupt that brings input, which is for one buffer or more,
 * and for each coming and going of a client. More signals than buffers are therefore clients that
 * changed, also where polling did not see the gap between them. */
static unsigned signals;
static unsigned buffers;
static unsigned overdue; /* buffers that were read whose signal may be on its way */
static bool host_left;	 /* nobody was connected when last looked */
static bool doubtful;	 /* the last input came together with a change */

/* The next piece of a reply waits in a pipe, whose pages the driver takes as they are, unless its
 * own signal comes first: so hardly any time passes between the last news of the client and the
 * driver's queue, from where nothing can be taken back. */
static int stage[2] = {-1, -1};
static size_t staged;

static struct termios saved_line;
static bool line_saved;

static void wait_for_device(void);

/* ---- Devices ---- */

void channel_signalled(void)
{
	signals++;
	ready = true;
}

static void edge_seen(void *context, short revents)
{
	struct epoll_event event;

	(void)context;
	(void)revents;
	(void)epoll_wait(edges, &event, 1, 0);
	ready = true;
}

static void line_ready(void *context, short revents)
{
	(void)context;
	(void)revents;
	ready = true;
	loop_rewatch(port, 0);
	if (revents & (POLLHUP | POLLERR)) {
		loop_unwatch(port);
		hung_up = true;
	}
}

static void interrupted(int signal)
{
	(void)signal;
	channel_signalled();
}

/* Let the driver's signal interrupt a system call, or no longer. Leaves errno alone. */
static void hear_signals(int how)
{
	sigset_t news;
	int error = errno;

	sigemptyset(&news);
	sigaddset(&news, LOOP_SIGNAL_PORT);
	sigprocmask(how, &news, NULL);
	errno = error;
}

static bool watch_virtio(void)
{
	struct sigaction action = {.sa_handler = interrupted};
	struct epoll_event event = {.events = EPOLLIN | EPOLLET};

	(void)sigaction(LOOP_SIGNAL_PORT, &action, NULL);
	(void)fcntl(port, F_SETOWN, getpid());
	(void)fcntl(port, F_SETSIG, LOOP_SIGNAL_PORT);
	(void)fcntl(port, F_SETFL, O_RDWR | O_NONBLOCK | O_ASYNC);
	edges = epoll_create1(EPOLL_CLOEXEC);
	return edges > 0 && epoll_ctl(edges, EPOLL_CTL_ADD, port, &event) == 0 &&
		loop_watch(edges, POLLIN, edge_seen, NULL);
}

/* Raw, 8 bits, no parity, one stop bit, no flow control; the modem's lines do not matter. */
static bool set_raw(void)
{
	struct termios raw = {.c_cflag = B115200 | CS8 | CLOCAL | CREAD, .c_cc = {[VMIN] = 1}};

	line_saved = line_saved || tcgetattr(port, &saved_line) == 0;
	return tcsetattr(port, TCSANOW, &raw) == 0;
}

static void close_port(void)
{
	loop_unwatch(port);
	if (edges > 0) {
		loop_unwatch(edges);
		close(edges);
		edges = 0;
	}
	close(port);
	port = -1;
	ready = input_ended = hung_up = line_open = host_left = false;
	signals = buffers = overdue = 0;
	clients++;
}

static void open_device(void)
{
	bool virtio = options.method == CHANNEL_VIRTIO_SERIAL;

	port = virtio ? virtio_port_open(options.path)
		      : open(options.path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (port >= 0 &&
		!(virtio ? watch_virtio()
			 : set_raw() && loop_watch(port, POLLIN, line_ready, NULL))) {
		int error = errno;

		close_port();
		errno = error;
	}
	if (port < 0) {
		if (errno != last_error)
			log_warning("waiting for %s: %s", options.path, error_text(errno));
		last_error = errno;
		wait_for_device();
		return;
	}
	log_info("serving %s", options.path);
	last_error = 0;
	ready = true;
	uevents_ignore();
}

/* A port comes, and later has its name. */
static void device_announced(void)
{
	if (port < 0)
		open_device();
}

/* A virtio port that is missing is announced by the kernel; anything else is looked for. */
static void wait_for_device(void)
{
	bool named = text_after(options.path, VIRTIO_PORT_LINKS) ||
		text_after(options.path, "/dev/vport");

	if (!named || options.method != CHANNEL_VIRTIO_SERIAL || last_error != ENOENT || !announced)
		retrying = true;
}

static void device_lost(void)
{
	log_warning("lost %s", options.path);
	close_port();
	last_error = 0;
	if (options.method == CHANNEL_VIRTIO_SERIAL) {
		announced = uevents_hear(device_announced);
		open_device();
	} else {
		/* A line whose other side is closed opens, and is lost again at once. */
		retrying = true;
	}
}

void channel_idle_turn(void)
{
	if (!retrying) {
		loop_idle_turn();
		return;
	}
	loop_turn(RETRY_MS);
	retrying = false;
	if (port < 0)
		open_device();
}

/* ---- Sockets ---- */

static void client_came(void *context, short revents)
{
	int client = listener_accept(listener);

	(void)context;
	(void)revents;
	if (client < 0)
		return;
	if (!loop_watch(client, POLLIN, line_ready, NULL)) {
		close(client);
		return;
	}
	port = client;
	loop_rewatch(listener, 0);
}

/* ---- The channel ---- */

static bool is_socket(void)
{
	return listener > 0;
}

bool channel_start(void)
{
	if (!options.socket_activated && options.method <= CHANNEL_ISA_SERIAL) {
		announced = uevents_hear(device_announced);
		open_device();
		return true;
	}
	listener = listener_open();
	return listener > 0 && loop_watch(listener, POLLIN, client_came, NULL);
}

void channel_stop(void)
{
	if (port >= 0 && line_saved)
		(void)tcsetattr(port, TCSANOW, &saved_line);
	listener_close();
}

unsigned channel_clients(void)
{
	return clients;
}

bool channel_ready(void)
{
	if (edges > 0) {
		sched_yield(); /* to the kernel's thread that has the driver's news */
		loop_take_signals();
	}
	return ready;
}

void channel_hold_input(bool hold)
{
	held = hold;
}

void channel_settle(void)
{
	if (!input_ended)
		return;
	close_port();
	loop_rewatch(listener, POLLIN);
}

/* POLLIN if there is something to be read, or POLLHUP if no host is there. */
static short port_state(void)
{
	struct pollfd state = {.fd = port, .events = POLLIN};

	(void)poll(&state, 1, 0);
	return (state.revents & POLLHUP) ? POLLHUP : state.revents & POLLIN;
}

/* With all input read: have clients changed since this was last asked? One that comes after none
 * was there has a signal that means no change. */
static void notice_change(bool away)
{
	unsigned explained = buffers + overdue + (host_left && !away);
	bool changed = signals > explained || (away && !host_left);

	if (changed)
		clients++;
	doubtful = changed && buffers > 0;
	overdue = signals < buffers ? buffers - signals : 0;
	host_left = away;
	signals = buffers = 0;
}

bool channel_doubtful(void)
{
	return doubtful;
}

bool channel_deserted(void)
{
	return host_left;
}

static ssize_t read_virtio(char *to, size_t size)
{
	short state;

	do {
		unsigned before;
		ssize_t count;

		ready = false;
		count = read(port, to, size);
		if (count > 0) {
			buffers++;
			ready = true;
			return count;
		}
		if (count < 0 && errno != EAGAIN && errno != EINTR) {
			device_lost();
			return 0;
		}
		/* News of a change may be on its way behind the input, and input behind news. */
		before = signals;
		sched_yield();
		loop_take_signals();
		/* The device of an emulated machine may miss that the driver waits for input:
		 * then there is some without news. */
		state = signals == before ? port_state() : POLLIN;
	} while (state == POLLIN);
	notice_change(state == POLLHUP);
	return 0;
}

ssize_t channel_read(char *to, size_t size)
{
	ssize_t count;

	if (edges > 0)
		return read_virtio(to, size);
	ready = false;
	if (port < 0)
		return 0;
	count = read(port, to, size);
	if (count > 0) {
		ready = (size_t)count == size || hung_up;
		if (!ready)
			loop_rewatch(port, POLLIN);
		return count;
	}
	if (count < 0 && (errno == EAGAIN || errno == EINTR)) {
		loop_rewatch(port, POLLIN);
	} else if (is_socket()) {
		input_ended = true;
	} else {
		device_lost();
	}
	return 0;
}

void channel_drop_reply(bool begun)
{
	line_open = is_socket() && begun;
	if (staged == 0)
		return;
	close(stage[0]);
	close(stage[1]);
	stage[0] = -1;
	staged = 0;
}

/* Returns 0 also when there is something to be read first, which may be news of the client. */
static ssize_t write_virtio(const char *bytes, size_t size)
{
	ssize_t count;

	if (size > PIECE_MAX)
		size = PIECE_MAX;
	if (stage[0] < 0 && pipe2(stage, O_CLOEXEC | O_NONBLOCK) != 0)
		return write(port, bytes, size);
	count = staged > 0 ? (ssize_t)staged : write(stage[1], bytes, size);
	if (count <= 0)
		return count;
	staged = (size_t)count;
	if (channel_ready() && !held)
		return 0;
	hear_signals(SIG_UNBLOCK);
	count = ready && !held
		? 0
		: splice(stage[0], NULL, port, NULL, staged, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	hear_signals(SIG_BLOCK);
	if (count > 0) {
		staged -= (size_t)count;
	} else if (count < 0 && errno == EINVAL) {
		/* No virtio port, or none that takes pages. */
		channel_drop_reply(false);
		count = write(port, bytes, size);
	}
	return count;
}

ssize_t channel_write(const char *bytes, size_t size)
{
	ssize_t count;

	if (port < 0)
		return -1;
	if (is_socket()) {
		count = send(port, line_open ? "\n" : bytes, line_open ? 1 : size,
			MSG_NOSIGNAL | MSG_DONTWAIT);
		if (line_open && count > 0) {
			line_open = false;
			count = 0;
		}
	} else if (edges > 0) {
		count = write_virtio(bytes, size);
	} else {
		count = write(port, bytes, size);
	}
	if (count >= 0)
		return count;
	return errno == EAGAIN || errno == EINTR || errno == ENOMEM ? 0 : -1;
}

static void room_seen(void *context, short revents)
{
	(void)context;
	(void)revents;
}

bool channel_wait(bool *replaced, int wait_ms)
{
	if (hung_up)
		return false;
	if (edges <= 0) {
		loop_rewatch(port, ready || input_ended ? POLLOUT : POLLIN | POLLOUT);
		loop_turn(wait_ms);
		loop_rewatch(port, ready || input_ended ? 0 : POLLIN);
		return true;
	}
	if (ready && !held)
		return true;
	*replaced = true;
	if (port_state() == POLLHUP) {
		/* Who has not noticed that yet looks. */
		ready = true;
		return !host_left;
	}
	if (!loop_watch(port, POLLOUT, room_seen, NULL))
		return false;
	loop_turn(wait_ms);
	loop_unwatch(port);
	/* There is room also when a client has left: the driver says so a moment later. */
	loop_turn(NEWS_MS);
	return true;
}
