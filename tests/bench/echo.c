/* The floor that an agent is measured against: what the socket itself costs. It answers each line
 * with a pong, a file-read with as much base64 as was asked for, a file-write with its count, and
 * looks at nothing else. One client at a time. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const char pong[] = "{\"return\": {}}\n";
static const char opened[] = "{\"return\": 1000}\n";

enum {
	HEAD_SIZE = 160, /* of a request, with everything but its data */
};

static char input[256 * 1024 + 1]; /* and a NUL for strtoul */
static char zeros[256 * 1024];	   /* as base64; paged in with the first file-read only */

static void send_all(int fd, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t sent = send(fd, data, size, MSG_NOSIGNAL);

		if (sent < 0)
			return;
		data += sent;
		size -= (size_t)sent;
	}
}

static void send_number(int fd, const char *before, size_t number, const char *after)
{
	char digits[24];
	char text[128];
	char *at = digits + sizeof(digits) - 1;

	*at = '\0';
	do
		*--at = (char)('0' + number % 10);
	while (number /= 10);
	strcpy(text, before);
	strcat(text, at);
	strcat(text, after);
	send_all(fd, text, strlen(text));
}

static void answer_read(int fd, size_t count)
{
	size_t left = (count + 2) / 3 * 4;

	if (zeros[0] == 0)
		memset(zeros, 'A', sizeof(zeros));
	send_number(fd, "{\"return\": {\"count\": ", count, ", \"buf-b64\": \"");
	while (left > 0) {
		size_t part = left < sizeof(zeros) ? left : sizeof(zeros);

		send_all(fd, zeros, part);
		left -= part;
	}
	send_all(fd, "\", \"eof\": false}}\n", 18);
}

/* What a line wants, from its beginning, which is in one piece because the client sends it so. */
struct request {
	char kind; /* the first letter of what follows guest-file-, or 0 */
	size_t count;
};

static struct request classify(const char *line, size_t size)
{
	static const char family[] = "{\"execute\": \"guest-file-";
	static const char member[] = "\"count\": ";
	struct request request = {0};
	const char *count;

	if (size < sizeof(family) || memcmp(line, family, sizeof(family) - 1) != 0)
		return request;
	request.kind = line[sizeof(family) - 1];
	count = memmem(line, size < HEAD_SIZE ? size : HEAD_SIZE, member, sizeof(member) - 1);
	if (count)
		request.count = strtoul(count + sizeof(member) - 1, NULL, 10);
	return request;
}

static void answer(int fd, struct request request)
{
	if (request.kind == 'r')
		answer_read(fd, request.count);
	else if (request.kind == 'w')
		send_number(fd, "{\"return\": {\"count\": ", request.count, ", \"eof\": false}}\n");
	else if (request.kind == 'o')
		send_all(fd, opened, sizeof(opened) - 1);
	else
		send_all(fd, pong, sizeof(pong) - 1);
}

static void serve(int fd)
{
	struct request request = {0};
	int at_start = 1;
	ssize_t got;

	while ((got = read(fd, input, sizeof(input) - 1)) > 0) {
		char *at = input;
		char *end = input + got;

		*end = '\0';
		while (at < end) {
			char *newline;

			if (at_start)
				request = classify(at, (size_t)(end - at));
			newline = memchr(at, '\n', (size_t)(end - at));
			at_start = newline != NULL;
			if (newline)
				answer(fd, request);
			at = newline ? newline + 1 : end;
		}
	}
	close(fd);
}

int main(int argc, char **argv)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (argc != 2 || strlen(argv[1]) >= sizeof(address.sun_path))
		return 2;
	strcpy(address.sun_path, argv[1]);
	unlink(argv[1]);
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		listen(listener, 1) < 0) {
		perror(argv[1]);
		return 1;
	}
	for (;;) {
		int fd = accept(listener, NULL, NULL);

		if (fd >= 0)
			serve(fd);
		else if (errno != EINTR)
			return 1;
	}
}
