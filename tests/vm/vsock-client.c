#define _GNU_SOURCE
#include <errno.h>
#include <linux/vm_sockets.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { CHUNK_BYTES = 65536, REPLY_LIMIT_S = 10 };

static int fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	return 1;
}

static bool write_all(int fd, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t done = write(fd, data, size);

		if (done < 0)
			return false;
		data += done;
		size -= (size_t)done;
	}
	return true;
}

/* vsock-client CID PORT: sends its standard input and prints one line of reply. */
int main(int argc, char **argv)
{
	static char chunk[CHUNK_BYTES];
	struct sockaddr_vm peer = {.svm_family = AF_VSOCK};
	struct timeval limit = {.tv_sec = REPLY_LIMIT_S};
	ssize_t got;
	int fd;

	if (argc != 3)
		return 2;
	peer.svm_cid = (unsigned int)strtoul(argv[1], NULL, 10);
	peer.svm_port = (unsigned int)strtoul(argv[2], NULL, 10);
	signal(SIGPIPE, SIG_IGN);
	fd = socket(AF_VSOCK, SOCK_STREAM, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0)
		return fail("socket");
	if (connect(fd, (struct sockaddr *)&peer, sizeof(peer)) < 0)
		return fail("connect");
	while ((got = read(STDIN_FILENO, chunk, sizeof(chunk))) > 0)
		if (!write_all(fd, chunk, (size_t)got))
			return fail("send");
	while ((got = recv(fd, chunk, sizeof(chunk), 0)) > 0) {
		if (!write_all(STDOUT_FILENO, chunk, (size_t)got))
			return fail("write");
		if (chunk[got - 1] == '\n')
			return 0;
	}
	return got < 0 ? fail("recv") : 1;
}
