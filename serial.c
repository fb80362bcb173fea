#include "serial.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#include "error_text.h"
#include "log.h"
#include "loop.h"
#include "options.h"
#include "text.h"
#include "virtio_port.h"

/* How often a device that announces itself to nobody is looked for. */
#define RETRY_MS 1000
/* A client that takes over from another may be heard before the driver says that it is there: a
 * reply waits this long for that. */
#define TAKEOVER_MS 100
/* The driver copies no more at a time, and between two pieces a change of clients is noticed. */
#define VIRTIO_WRITE_MAX 32768
/* Clients that wait until the one before them has left. */
#define WAITING_CLIENTS 8
#define HANDED_OVER 3 /* SD_LISTEN_FDS_START */

static enum channel_method method;
static int port = -1;	  /* the device, or the client that was accepted */
static int listener = -1; /* of the socket methods */
static int edges = -1;	  /* an epoll descriptor: new input on a virtio port, reported once */
static int uevents = -1;  /* the kernel's announcements, while a device is missing */
static int last_error;	  /* what was said about the missing device */
static bool retrying;	  /* it is looked for now and then, as nothing announces it */

static bool ready;	 /* channel_read may find something */
static bool input_ended; /* a socket's client sends no more */
static bool hung_up;	 /* and reads no more: its descriptor is no longer watched */
static unsigned clients;

/* The driver queues a signal for each batch of input and for each coming and going of a client.
 * More signals than buffers of input are therefore clients that changed, also where polling did
 * not see the gap between them. */
static unsigned signals;
static unsigned buffers;
static bool host_left;	   /* nobody was connected when last looked */
static bool doubtful;	   /* the last input came together with a change */
static int64_t away_until; /* of the reply in hand: when waiting for the host ends, or 0 */

static struct termios saved_line;
static bool line_saved;
static bool socket_bound;

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

static bool watch_virtio(void)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLET};

	(void)fcntl(port, F_SETOWN, getpid());
	(void)fcntl(port, F_SETSIG, LOOP_SIGNAL_PORT);
	(void)fcntl(port, F_SETFL, O_RDWR | O_NONBLOCK | O_ASYNC);
	edges = epoll_create1(EPOLL_CLOEXEC);
	return edges >= 0 && epoll_ctl(edges, EPOLL_CTL_ADD, port, &event) == 0 &&
		loop_watch(edges, POLLIN, edge_seen, NULL);
}

/* Raw, 8 bits, no parity, one stop bit, no flow control; the modem's lines do not matter. */
static bool set_raw(void)
{
	struct termios line;

	if (tcgetattr(port, &line) != 0)
		return false;
	if (!line_saved) {
		saved_line = line;
		line_saved = true;
	}
	line.c_iflag = line.c_oflag = line.c_lflag = 0;
	line.c_cflag = B115200 | CS8 | CLOCAL | CREAD;
	line.c_cc[VMIN] = 1;
	line.c_cc[VTIME] = 0;
	return tcsetattr(port, TCSANOW, &line) == 0;
}

static void close_port(void)
{
	loop_unwatch(port);
	if (edges >= 0) {
		loop_unwatch(edges);
		close(edges);
		edges = -1;
	}
	close(port);
	port = -1;
	ready = input_ended = hung_up = host_left = false;
	signals = buffers = 0;
	clients++;
}

static void stop_waiting(void)
{
	if (uevents < 0)
		return;
	loop_unwatch(uevents);
	close(uevents);
	uevents = -1;
}

static void open_device(void)
{
	bool virtio = method == CHANNEL_VIRTIO_SERIAL;

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
	stop_waiting();
}

static void device_announced(void *context, short revents)
{
	char message[64]; /* what it says does not matter: the port is looked for */

	(void)context;
	(void)revents;
	while (recv(uevents, message, sizeof(message), MSG_DONTWAIT) >= 0 || errno == ENOBUFS)
		continue;
	if (port < 0)
		open_device();
}

static bool hear_announcements(void)
{
	struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = 1};

	if (uevents >= 0)
		return true;
	uevents = socket(
		AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);
	if (uevents < 0)
		return false;
	if (bind(uevents, (const void *)&address, sizeof(address)) == 0 &&
		loop_watch(uevents, POLLIN, device_announced, NULL))
		return true;
	close(uevents);
	uevents = -1;
	return false;
}

/* A virtio port that is missing is announced by the kernel; anything else is looked for. */
static void wait_for_device(void)
{
	bool named = text_after(options.path, VIRTIO_PORT_LINKS) ||
		text_after(options.path, "/dev/vport");

	if (!named || method != CHANNEL_VIRTIO_SERIAL || last_error == EBUSY || uevents < 0)
		retrying = true;
}

static void device_lost(void)
{
	log_warning("lost %s", options.path);
	close_port();
	last_error = 0;
	if (method == CHANNEL_VIRTIO_SERIAL) {
		(void)hear_announcements();
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

static bool peer_allowed(int client)
{
	struct sockaddr_vm peer = {0};
	socklen_t size = sizeof(peer);

	if (method != CHANNEL_VSOCK_LISTEN || options.vsock_any_peer)
		return true;
	if (getpeername(client, (void *)&peer, &size) == 0 && peer.svm_cid == VMADDR_CID_HOST)
		return true;
	log_warning("refused a client that is not the host: CID %u", peer.svm_cid);
	return false;
}

static void client_came(void *context, short revents)
{
	int client = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)context;
	(void)revents;
	if (client < 0)
		return;
	if (!peer_allowed(client) || !loop_watch(client, POLLIN, line_ready, NULL)) {
		close(client);
		return;
	}
	port = client;
	loop_rewatch(listener, 0);
}

static bool bind_unix(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct stat status;
	mode_t mask;
	int result;

	if (strlen(options.path) >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return false;
	}
	memcpy(address.sun_path, options.path, strlen(options.path));
	/* Only what an agent left behind may go. */
	if (fstatat(AT_FDCWD, options.path, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
		S_ISSOCK(status.st_mode))
		(void)unlink(options.path);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (listener < 0)
		return false;
	mask = umask(0177);
	result = bind(listener, (const void *)&address, sizeof(address));
	umask(mask);
	socket_bound = result == 0;
	return socket_bound;
}

/* CID:PORT */
static bool bind_vsock(void)
{
	struct sockaddr_vm address = {.svm_family = AF_VSOCK};
	uint64_t cid = 0, number;
	const char *at = parse_unsigned(options.path, &cid);

	if (!at || *at != ':' || !(at = parse_unsigned(at + 1, &number)) || *at != '\0' ||
		(cid | number) > UINT32_MAX) {
		errno = EINVAL;
		return false;
	}
	address.svm_cid = (unsigned)cid;
	address.svm_port = (unsigned)number;
	listener = socket(AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	return bind(listener, (const void *)&address, sizeof(address)) == 0;
}

/* Take the socket that the service manager hands over (sd_listen_fds(3)). */
static bool take_listener(void)
{
	int domain = 0, listening = 0;
	socklen_t size = sizeof(domain);

	listener = HANDED_OVER;
	(void)getsockopt(listener, SOL_SOCKET, SO_DOMAIN, &domain, &size);
	(void)getsockopt(listener, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size);
	method = domain == AF_VSOCK ? CHANNEL_VSOCK_LISTEN : CHANNEL_UNIX_LISTEN;
	errno = EINVAL;
	return listening && (domain == AF_UNIX || domain == AF_VSOCK) &&
		fcntl(listener, F_SETFL, O_RDWR | O_NONBLOCK) == 0;
}

/* ---- The channel ---- */

static bool is_socket(void)
{
	return listener >= 0;
}

bool channel_start(void)
{
	bool bound;

	method = options.method;
	if (options_socket_activated()) {
		bound = take_listener();
	} else if (method == CHANNEL_UNIX_LISTEN) {
		bound = bind_unix() && listen(listener, WAITING_CLIENTS) == 0;
	} else if (method == CHANNEL_VSOCK_LISTEN) {
		bound = bind_vsock() && listen(listener, WAITING_CLIENTS) == 0;
	} else {
		(void)hear_announcements();
		open_device();
		return true;
	}
	return bound && loop_watch(listener, POLLIN, client_came, NULL);
}

void channel_stop(void)
{
	if (port >= 0 && line_saved)
		(void)tcsetattr(port, TCSANOW, &saved_line);
	if (socket_bound)
		(void)unlink(options.path);
}

unsigned channel_clients(void)
{
	return clients;
}

bool channel_ready(void)
{
	if (edges >= 0) {
		sched_yield(); /* to the kernel's thread that has the driver's news */
		loop_take_signals();
	}
	return ready;
}

void channel_settle(void)
{
	if (!input_ended)
		return;
	close_port();
	loop_rewatch(listener, POLLIN);
}

static bool host_away(void)
{
	struct pollfd state = {.fd = port};

	return poll(&state, 1, 0) > 0 && (state.revents & POLLHUP);
}

/* With all input read: have clients changed since this was last asked? */
static void notice_change(void)
{
	bool away = host_away();
	bool changed = signals >= buffers + 2 || (away && !host_left);

	if (changed)
		clients++;
	doubtful = changed && buffers > 0;
	host_left = away;
	signals = buffers = 0;
}

bool channel_tells_late(void)
{
	return edges >= 0;
}

bool channel_doubtful(void)
{
	return doubtful;
}

static ssize_t read_virtio(char *to, size_t size)
{
	for (;;) {
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
		if (signals == before)
			break;
	}
	notice_change();
	return 0;
}

ssize_t channel_read(char *to, size_t size)
{
	ssize_t count;

	if (edges >= 0)
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

ssize_t channel_write(const char *bytes, size_t size)
{
	ssize_t count;

	if (port < 0)
		return -1;
	if (is_socket()) {
		count = send(port, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
	} else {
		if (edges >= 0 && size > VIRTIO_WRITE_MAX)
			size = VIRTIO_WRITE_MAX;
		count = write(port, bytes, size);
	}
	if (count >= 0) {
		away_until = 0;
		return count;
	}
	return errno == EAGAIN || errno == EINTR || errno == ENOMEM ? 0 : -1;
}

static void room_seen(void *context, short revents)
{
	(void)context;
	(void)revents;
}

/* The host side is closed, as far as the driver knows: wait for the next client. */
static bool wait_for_host(void)
{
	int64_t left;

	if (away_until == 0)
		away_until = loop_now_ms() + TAKEOVER_MS;
	left = away_until - loop_now_ms();
	if (left <= 0) {
		away_until = 0;
		return false;
	}
	loop_turn((int)left);
	return true;
}

bool channel_wait(bool *replaced, int wait_ms)
{
	if (hung_up)
		return false;
	if (edges < 0) {
		loop_rewatch(port, ready || input_ended ? POLLOUT : POLLIN | POLLOUT);
		loop_turn(wait_ms);
		loop_rewatch(port, ready || input_ended ? 0 : POLLIN);
		return true;
	}
	*replaced = true;
	if (host_away())
		return wait_for_host();
	if (!loop_watch(port, POLLOUT, room_seen, NULL))
		return false;
	loop_turn(wait_ms);
	loop_unwatch(port);
	return true;
}
