/* The measuring client of scripts/bench: one kind of measurement a call, one JSON object out.
 * Whatever can be made before the clock starts is made before it: requests are built, memory is
 * paged in, the agent is awake. While the clock runs, a reply is checked for its end and its
 * numbers; with -v its contents are checked too, after the clock has stopped. */
#include "channel.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

enum {
	SMALL_REPLY = 1 << 16,
	REPLY_OVERHEAD = 1 << 12, /* what a reply may have besides its base64 */
	WARM_UPS = 50,
	CONNECT_PAUSE_NS = 20000, /* between two attempts to connect to an agent that starts */
	START_LIMIT_S = 10,
};

struct command {
	const char *name;
	int least; /* arguments */
	const char *usage;
	void (*run)(char **arguments, bool verify);
};

static uint64_t number_parse(const char *text)
{
	char *end;
	uint64_t value = strtoull(text, &end, 10);

	if (end == text || *end != '\0' || value == 0)
		fail("not a positive number: %s", text);
	return value;
}

static int compare_times(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left;
	uint64_t b = *(const uint64_t *)right;

	return (a > b) - (a < b);
}

static void print_times(uint64_t *times_ns, size_t count)
{
	qsort(times_ns, count, sizeof(*times_ns), compare_times);
	printf("{\"p50_us\": %.2f, \"p99_us\": %.2f}\n", (double)times_ns[count / 2] / 1e3,
		(double)times_ns[count * 99 / 100] / 1e3);
}

static void print_speed(uint64_t bytes, uint64_t time_ns)
{
	printf("{\"mb_s\": %.2f}\n", (double)bytes * 1e3 / (double)time_ns);
}

static void run_latency(char **arguments, bool verify)
{
	size_t count = number_parse(arguments[1]);
	uint64_t *times_ns = memory_get(count * sizeof(*times_ns));
	size_t size = strlen(arguments[2]) + 1;
	char *request = memory_get(size + 1);
	struct channel channel;

	(void)verify;
	memcpy(request, arguments[2], size - 1);
	request[size - 1] = '\n';
	channel_open(&channel, arguments[0], SMALL_REPLY);
	for (int i = 0; i < WARM_UPS; i++)
		channel_ask(&channel, request, size);
	for (size_t i = 0; i < count; i++) {
		uint64_t start = now_ns();

		channel_ask(&channel, request, size);
		times_ns[i] = now_ns() - start;
	}
	print_times(times_ns, count);
}

/* Asks for the program's status without a pause, until it has ended. The reply that says so is
 * the long one if there is output; looking through that would cost time that is not the agent's. */
static void wait_exit(struct channel *channel, uint64_t pid)
{
	char request[128];
	int size = snprintf(request, sizeof(request),
		"{\"execute\": \"guest-exec-status\", \"arguments\": {\"pid\": %llu}}\n",
		(unsigned long long)pid);

	do
		channel_ask(channel, request, (size_t)size);
	while (channel->reply_size < REPLY_OVERHEAD && !strstr(channel->reply, "\"exited\": true"));
}

static void run_exec(char **arguments, bool verify)
{
	size_t count = number_parse(arguments[1]);
	uint64_t *times_ns = memory_get(count * sizeof(*times_ns));
	struct channel channel;

	(void)verify;
	channel_open(&channel, arguments[0], SMALL_REPLY);
	for (size_t i = 0; i < count; i++) {
		uint64_t start = now_ns();

		channel_askf(&channel,
			"{\"execute\": \"guest-exec\", \"arguments\": {\"path\": \"%s\"}}\n",
			arguments[2]);
		wait_exit(&channel, channel_number(&channel, "pid"));
		times_ns[i] = now_ns() - start;
		if (channel_number(&channel, "exitcode") != 0)
			fail("%s failed", arguments[2]);
	}
	print_times(times_ns, count);
}

/* What starting a program costs without any agent. */
static void run_spawn(char **arguments, bool verify)
{
	size_t count = number_parse(arguments[0]);
	uint64_t *times_ns = memory_get(count * sizeof(*times_ns));
	char *program[] = {arguments[1], NULL};

	(void)verify;
	for (size_t i = 0; i < count; i++) {
		uint64_t start = now_ns();
		pid_t pid = vfork();

		if (pid == 0) {
			execv(program[0], program);
			_exit(127);
		}
		if (pid < 0 || waitpid(pid, NULL, 0) != pid)
			fail("cannot start %s: %s", program[0], strerror(errno));
		times_ns[i] = now_ns() - start;
	}
	print_times(times_ns, count);
}

static void run_output(char **arguments, bool verify)
{
	uint64_t bytes = number_parse(arguments[1]);
	size_t length;
	const char *text;
	unsigned char *data;
	struct channel channel;
	uint64_t start;
	uint64_t time_ns;

	channel_open(&channel, arguments[0], base64_length(bytes) + REPLY_OVERHEAD);
	start = now_ns();
	channel_askf(&channel,
		"{\"execute\": \"guest-exec\", \"arguments\": {\"path\": \"%s\", \"arg\": [\"-c\", "
		"\"%llu\", \"/dev/zero\"], \"capture-output\": true}}\n",
		arguments[2], (unsigned long long)bytes);
	wait_exit(&channel, channel_number(&channel, "pid"));
	time_ns = now_ns() - start;
	text = channel_string(&channel, "out-data", &length);
	if (!text || length != base64_length(bytes))
		fail("the output is not %llu bytes", (unsigned long long)bytes);
	printf("{\"ms\": %.3f}\n", (double)time_ns / 1e6);
	if (!verify)
		return;
	data = memory_get(length);
	if (base64_decode(data, text, length) != bytes || data[0] != 0 ||
		memcmp(data, data + 1, bytes - 1) != 0)
		fail("the output is not what the program wrote");
}

static uint64_t file_open(struct channel *channel, const char *path, const char *mode)
{
	channel_askf(channel,
		"{\"execute\": \"guest-file-open\", \"arguments\": {\"path\": \"%s\", \"mode\": "
		"\"%s\"}}\n",
		path, mode);
	return channel_number(channel, "return");
}

static void file_close(struct channel *channel, uint64_t handle)
{
	channel_askf(channel,
		"{\"execute\": \"guest-file-close\", \"arguments\": {\"handle\": %llu}}\n",
		(unsigned long long)handle);
}

/* The pattern that a file of ours has between offset and offset + size, as base64. */
static void verify_text(const struct channel *channel, uint64_t offset, size_t size)
{
	size_t length = 0;
	const char *text = channel_string(channel, "buf-b64", &length);
	unsigned char *data = malloc(size + 3);
	unsigned char *wanted = malloc(size);

	if (!data || !wanted)
		fail("no memory for %zu bytes", size);
	pattern_fill(wanted, offset, size);
	if (!text || length != base64_length(size) || base64_decode(data, text, length) != size ||
		memcmp(data, wanted, size) != 0)
		fail("wrong data at offset %llu", (unsigned long long)offset);
	free(data);
	free(wanted);
}

/* One pass over the file; returns how long it took, which means nothing if it verified. */
static uint64_t read_file(
	struct channel *channel, const char *path, size_t chunk, uint64_t total, bool verify)
{
	uint64_t handle = file_open(channel, path, "r");
	char request[128];
	int size = snprintf(request, sizeof(request),
		"{\"execute\": \"guest-file-read\", \"arguments\": {\"handle\": %llu, \"count\": "
		"%zu}}\n",
		(unsigned long long)handle, chunk);
	uint64_t start = now_ns();
	uint64_t time_ns;

	for (uint64_t offset = 0; offset < total; offset += chunk) {
		channel_ask(channel, request, (size_t)size);
		if (channel_number(channel, "count") != chunk ||
			channel->reply_size < base64_length(chunk))
			fail("a short read at offset %llu", (unsigned long long)offset);
		if (verify)
			verify_text(channel, offset, chunk);
	}
	time_ns = now_ns() - start;
	file_close(channel, handle);
	return time_ns;
}

static void run_read(char **arguments, bool verify)
{
	size_t chunk = number_parse(arguments[2]);
	uint64_t total = number_parse(arguments[3]) / chunk * chunk;
	struct channel channel;

	channel_open(&channel, arguments[0], base64_length(chunk) + REPLY_OVERHEAD);
	if (verify)
		read_file(&channel, arguments[1], chunk, total, true);
	print_speed(total, read_file(&channel, arguments[1], chunk, total, false));
}

/* Builds every request of a transfer, back to back. They are all of one size, which is returned. */
static size_t build_writes(char **requests, uint64_t handle, size_t chunk, uint64_t total)
{
	char header[160];
	int header_size = snprintf(header, sizeof(header),
		"{\"execute\": \"guest-file-write\", \"arguments\": {\"handle\": %llu, \"count\": "
		"%zu, "
		"\"buf-b64\": \"",
		(unsigned long long)handle, chunk);
	static const char trailer[] = "\"}}\n";
	size_t size = (size_t)header_size + base64_length(chunk) + sizeof(trailer) - 1;
	unsigned char *data = memory_get(chunk);
	char *at = memory_get(total / chunk * size);

	*requests = at;
	for (uint64_t offset = 0; offset < total; offset += chunk) {
		pattern_fill(data, offset, chunk);
		memcpy(at, header, (size_t)header_size);
		at = base64_encode(at + header_size, data, chunk);
		memcpy(at, trailer, sizeof(trailer) - 1);
		at += sizeof(trailer) - 1;
	}
	return size;
}

static void run_write(char **arguments, bool verify)
{
	size_t chunk = number_parse(arguments[2]);
	uint64_t total = number_parse(arguments[3]) / chunk * chunk;
	struct channel channel;
	uint64_t handle;
	char *requests;
	size_t size;
	uint64_t start;
	uint64_t time_ns;

	channel_open(&channel, arguments[0], base64_length(chunk) + REPLY_OVERHEAD);
	handle = file_open(&channel, arguments[1], "w");
	size = build_writes(&requests, handle, chunk, total);
	start = now_ns();
	for (uint64_t i = 0; i < total / chunk; i++) {
		channel_ask(&channel, requests + i * size, size);
		if (channel_number(&channel, "count") != chunk)
			fail("a short write: %s", channel.reply);
	}
	time_ns = now_ns() - start;
	file_close(&channel, handle);
	print_speed(total, time_ns);
	if (verify)
		read_file(&channel, arguments[1], chunk, total, true);
}

static void stop_program(pid_t pid)
{
	kill(pid, SIGTERM);
	if (waitpid(pid, NULL, 0) != pid)
		fail("waiting for the agent to end: %s", strerror(errno));
}

/* Starts the program and returns how long it took until its first pong was read. */
static uint64_t start_once(const char *socket_path, char **program)
{
	static const struct timespec pause = {.tv_nsec = CONNECT_PAUSE_NS};
	static const char ping[] = "{\"execute\": \"guest-ping\"}\n";
	char reply[128];
	pid_t pid;
	int fd;
	uint64_t start;
	uint64_t time_ns;

	unlink(socket_path);
	start = now_ns();
	if (posix_spawn(&pid, program[0], NULL, NULL, program, environ) != 0)
		fail("cannot start %s", program[0]);
	while ((fd = channel_connect(socket_path)) < 0) {
		if (waitpid(pid, NULL, WNOHANG) == pid)
			fail("%s ended at once", program[0]);
		if (now_ns() - start > START_LIMIT_S * UINT64_C(1000000000))
			fail("%s does not listen", program[0]);
		nanosleep(&pause, NULL);
	}
	if (write(fd, ping, sizeof(ping) - 1) != sizeof(ping) - 1 ||
		read(fd, reply, sizeof(reply)) < 1)
		fail("%s gives no pong", program[0]);
	time_ns = now_ns() - start;
	close(fd);
	stop_program(pid);
	return time_ns;
}

static void run_start(char **arguments, bool verify)
{
	size_t count = number_parse(arguments[1]);
	uint64_t *times_ns = memory_get(count * sizeof(*times_ns));

	(void)verify;
	prctl(PR_SET_TIMERSLACK, 1UL);
	for (size_t i = 0; i < count; i++)
		times_ns[i] = start_once(arguments[0], arguments + 2);
	print_times(times_ns, count);
}

static void run_make(char **arguments, bool verify)
{
	size_t size = number_parse(arguments[1]);
	unsigned char *data = memory_get(size);
	int fd = open(arguments[0], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	(void)verify;
	pattern_fill(data, 0, size);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		fail("cannot write %s: %s", arguments[0], strerror(errno));
	puts("{}");
}

static const struct command commands[] = {
	{"latency", 3, "SOCKET COUNT REQUEST", run_latency},
	{"exec", 3, "SOCKET COUNT PROGRAM", run_exec},
	{"spawn", 2, "COUNT PROGRAM", run_spawn},
	{"output", 3, "SOCKET BYTES HEAD", run_output},
	{"read", 4, "SOCKET FILE BYTES-A-REQUEST BYTES", run_read},
	{"write", 4, "SOCKET FILE BYTES-A-REQUEST BYTES", run_write},
	{"start", 3, "SOCKET COUNT PROGRAM [ARGUMENT…]", run_start},
	{"make", 2, "FILE BYTES", run_make},
};

int main(int argc, char **argv)
{
	bool verify = argc > 1 && strcmp(argv[1], "-v") == 0;
	char **arguments = argv + (verify ? 2 : 1);
	int count = argc - (verify ? 2 : 1) - 1;

	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands) && count >= 0; i++) {
		if (strcmp(arguments[0], commands[i].name) == 0 && count >= commands[i].least) {
			commands[i].run(arguments + 1, verify);
			return 0;
		}
	}
	fprintf(stderr, "Usage: load [-v] ");
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		fprintf(stderr, "%s%s %s", i ? " | " : "", commands[i].name, commands[i].usage);
	fputc('\n', stderr);
	return 2;
}
