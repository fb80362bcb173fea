/* One connection to an agent with one request under way at a time, and the test data. */
#ifndef BENCH_CHANNEL_H
#define BENCH_CHANNEL_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct channel {
	int fd;
	char *reply; /* the last reply line, NUL after it; valid until the next request */
	size_t reply_size;
	size_t capacity;
};

/* Ends the program with a message in printf's format. */
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* CLOCK_MONOTONIC. */
uint64_t now_ns(void);

/* Memory that is already paged in, so that no measurement pays for the client's page faults. */
void *memory_get(size_t size);

/* A socket connected to the unix socket at path, or -1 with errno set. */
int channel_connect(const char *path);

/* Connects, with room for replies of reply_max bytes, and gets one pong, so that an agent that
 * sleeps while it has no client is awake. */
void channel_open(struct channel *channel, const char *path, size_t reply_max);

/* Sends size bytes and reads one whole reply line. An error reply ends the program. */
void channel_ask(struct channel *channel, const char *request, size_t size);

/* The same with a request in printf's format. */
void channel_askf(struct channel *channel, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The number that follows `"name": ` in the reply. Looks only at its first and last bytes, which
 * is where an agent has numbers, so that it costs the same for a reply of any length. */
uint64_t channel_number(const struct channel *channel, const char *name);

/* The text of the string member name, and its length in *size; it may be long. NULL if absent. */
const char *channel_string(const struct channel *channel, const char *name, size_t *size);

/* The bytes that a test file has at offset, a multiple of 8; size is one, too. */
void pattern_fill(unsigned char *data, uint64_t offset, size_t size);

/* The length of the base64 text of size bytes. */
size_t base64_length(size_t size);

/* Encodes size bytes; returns where the text ends. */
char *base64_encode(char *text, const unsigned char *data, size_t size);

/* Decodes length characters into data, which has room for length / 4 * 3 bytes, and returns how
 * many there are. What is not base64 ends the program. */
size_t base64_decode(unsigned char *data, const char *text, size_t length);

#endif
