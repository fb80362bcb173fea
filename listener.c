#include "listener.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#include "log.h"
#include "options.h"
#include "text.h"

/* Clients that wait until the one before them has left. */
#define WAITING_CLIENTS 8
#define HANDED_OVER 3 /* SD_LISTEN_FDS_START */

static bool socket_made;

static int listen_at(const void *address, sa_family_t family, socklen_t size)
{
	int listener = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (bind(listener, address, size) == 0 && listen(listener, WAITING_CLIENTS) == 0)
		return listener;
	return -1;
}

static int listen_unix(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct stat status;
	mode_t mask;
	int listener;

	if (!text_print(address.sun_path, sizeof(address.sun_path), "%s", options.path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	/* Only what an agent left behind may go. */
	if (fstatat(AT_FDCWD, options.path, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
		S_ISSOCK(status.st_mode))
		(void)unlink(options.path);
	mask = umask(0177);
	listener = listen_at(&address, AF_UNIX, sizeof(address));
	umask(mask);
	socket_made = listener >= 0;
	return listener;
}

/* CID:PORT */
static int listen_vsock(void)
{
	uint64_t cid = 0, number = 0;
	const char *at = parse_unsigned(options.path, &cid);

	if (at && *at == ':' && (at = parse_unsigned(at + 1, &number)) && *at == '\0' &&
		(cid | number) <= UINT32_MAX) {
		struct sockaddr_vm address = {.svm_family = AF_VSOCK,
			.svm_cid = (unsigned)cid,
			.svm_port = (unsigned)number};

		return listen_at(&address, AF_VSOCK, sizeof(address));
	}
	errno = EINVAL;
	return -1;
}

static int take_handed_over(void)
{
	int domain = 0, listening = 0;
	socklen_t size = sizeof(domain);

	(void)getsockopt(HANDED_OVER, SOL_SOCKET, SO_DOMAIN, &domain, &size);
	(void)getsockopt(HANDED_OVER, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size);
	errno = EINVAL;
	return listening && (domain == AF_UNIX || domain == AF_VSOCK) &&
			fcntl(HANDED_OVER, F_SETFL, O_RDWR | O_NONBLOCK) == 0
		? HANDED_OVER
		: -1;
}

int listener_open(void)
{
	if (options.socket_activated)
		return take_handed_over();
	return options.method == CHANNEL_UNIX_LISTEN ? listen_unix() : listen_vsock();
}

int listener_accept(int listener)
{
	struct sockaddr_vm peer = {0};
	socklen_t size = sizeof(peer);
	int client = accept4(listener, (void *)&peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (client < 0 || peer.svm_family != AF_VSOCK || peer.svm_cid == VMADDR_CID_HOST ||
		options.vsock_any_peer)
		return client;
	log_warning("refused CID %u: not the host", peer.svm_cid);
	close(client);
	return -1;
}

void listener_close(void)
{
	if (socket_made)
		(void)unlink(options.path);
}
