#include "channel.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static const char ping[] = "{\"execute\": \"guest-ping\"}\n";
static const char error_prefix[] = "{\"error\"";
static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

enum {
	NUMBER_WINDOW = 256, /* numbers stand at most this far from either end of a reply */
	REPLY_TIMEOUT_S = 120,
};

_Noreturn void fail(const char *format, ...)
{
	va_list values;

	va_start(values, format);
	vfprintf(stderr, format, values);
	va_end(values);
	fputc('\n', stderr);
	exit(1);
}

uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

void *memory_get(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (memory == MAP_FAILED)
		fail("no memory for %zu bytes: %s", size, strerror(errno));
	return memory;
}

int channel_connect(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd;

	if (strlen(path) >= sizeof(address.sun_path))
		fail("the path of the socket is too long: %s", path);
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

void channel_open(struct channel *channel, const char *path, size_t reply_max)
{
	struct timeval limit = {.tv_sec = REPLY_TIMEOUT_S};

	channel->fd = channel_connect(path);
	if (channel->fd < 0)
		fail("cannot connect to %s: %s", path, strerror(errno));
	setsockopt(channel->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(channel->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	channel->capacity = reply_max;
	channel->reply = memory_get(reply_max);
	channel_ask(channel, ping, sizeof(ping) - 1);
}

static void send_all(int fd, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t sent = send(fd, data, size, MSG_NOSIGNAL);

		if (sent < 0)
			fail("sending a request: %s", strerror(errno));
		data += sent;
		size -= (size_t)sent;
	}
}

/* Only one request is under way, so a newline ends what there is to read: the last byte tells. */
static void receive_line(struct channel *channel)
{
	size_t size = 0;

	do {
		ssize_t got =
			recv(channel->fd, channel->reply + size, channel->capacity - size - 1, 0);

		if (got <= 0)
			fail("no whole reply after %zu bytes: %s", size,
				got < 0 ? strerror(errno) : "closed or too long");
		size += (size_t)got;
	} while (channel->reply[size - 1] != '\n');
	channel->reply[size] = '\0';
	channel->reply_size = size;
}

void channel_ask(struct channel *channel, const char *request, size_t size)
{
	send_all(channel->fd, request, size);
	receive_line(channel);
	if (strncmp(channel->reply, error_prefix, sizeof(error_prefix) - 1) == 0)
		fail("an error: %.300s", channel->reply);
}

void channel_askf(struct channel *channel, const char *format, ...)
{
	char request[1024];
	va_list values;
	int size;

	va_start(values, format);
	size = vsnprintf(request, sizeof(request), format, values);
	va_end(values);
	if (size < 0 || (size_t)size >= sizeof(request))
		fail("the request is too long");
	channel_ask(channel, request, (size_t)size);
}

/* Where the value of a member begins within a part of the reply, or NULL. */
static const char *find_member(const char *from, size_t size, const char *name)
{
	char key[64];
	int length = snprintf(key, sizeof(key), "\"%s\": ", name);
	const char *at = memmem(from, size, key, (size_t)length);

	return at ? at + length : NULL;
}

uint64_t channel_number(const struct channel *channel, const char *name)
{
	size_t size = channel->reply_size;
	size_t window = size < NUMBER_WINDOW ? size : NUMBER_WINDOW;
	const char *value = find_member(channel->reply, window, name);

	if (!value)
		value = find_member(channel->reply + size - window, window, name);
	if (!value)
		fail("no %s in the reply: %.300s", name, channel->reply);
	return strtoull(value, NULL, 10);
}

const char *channel_string(const struct channel *channel, const char *name, size_t *size)
{
	const char *end = channel->reply + channel->reply_size;
	const char *text = find_member(channel->reply, channel->reply_size, name);
	const char *quote = text ? memchr(text + 1, '"', (size_t)(end - text - 1)) : NULL;

	if (!quote)
		return NULL;
	*size = (size_t)(quote - text - 1);
	return text + 1;
}

/* splitmix64's finalizer: every eight bytes are known from their place alone. */
static uint64_t mix(uint64_t value)
{
	value += 0x9e3779b97f4a7c15U;
	value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9U;
	value = (value ^ (value >> 27)) * 0x94d049bb133111ebU;
	return value ^ (value >> 31);
}

void pattern_fill(unsigned char *data, uint64_t offset, size_t size)
{
	for (size_t i = 0; i < size; i += sizeof(uint64_t)) {
		uint64_t word = mix(offset + i);

		memcpy(data + i, &word, sizeof(word));
	}
}

size_t base64_length(size_t size)
{
	return (size + 2) / 3 * 4;
}

char *base64_encode(char *text, const unsigned char *data, size_t size)
{
	for (size_t i = 0; i < size; i += 3) {
		size_t left = size - i;
		uint32_t bits = (uint32_t)data[i] << 16;

		if (left > 1)
			bits |= (uint32_t)data[i + 1] << 8;
		if (left > 2)
			bits |= data[i + 2];
		*text++ = alphabet[bits >> 18];
		*text++ = alphabet[bits >> 12 & 63];
		*text++ = left > 1 ? alphabet[bits >> 6 & 63] : '=';
		*text++ = left > 2 ? alphabet[bits & 63] : '=';
	}
	return text;
}

/* The six bits of a character; 64 for what is none. */
static void decoder_fill(unsigned char values[256])
{
	memset(values, 64, 256);
	for (unsigned char i = 0; i < 64; i++)
		values[(unsigned char)alphabet[i]] = i;
}

size_t base64_decode(unsigned char *data, const char *text, size_t length)
{
	unsigned char values[256];
	unsigned char *out = data;
	size_t padding = 0;

	decoder_fill(values);
	if (length % 4 != 0)
		fail("base64 of %zu characters", length);
	while (padding < 2 && length > 0 && text[length - 1 - padding] == '=')
		padding++;
	for (size_t i = 0; i < length; i += 4) {
		uint32_t bits = 0;

		for (size_t j = i; j < i + 4; j++) {
			unsigned char value =
				j < length - padding ? values[(unsigned char)text[j]] : 0;

			if (value > 63)
				fail("base64 with the byte 0x%02x", (unsigned char)text[j]);
			bits = bits << 6 | value;
		}
		*out++ = (unsigned char)(bits >> 16);
		*out++ = (unsigned char)(bits >> 8);
		*out++ = (unsigned char)bits;
	}
	return (size_t)(out - data) - padding;
}
