#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "pages.h"
#include "state.h"
#include "text.h"

/* /dev/kmsg refuses longer records: 1024 bytes less the kernel's own prefix of up to 48. */
#define LINE_SIZE_MAX 976
#define FACILITY_DAEMON (3 << 3)
#define NANOS 1000000000 /* in a second */
#define MICROS_DIGITS 6

static struct {
	struct pollfd file;
	enum log_level level;
	const char *path;  /* NULL before the first call */
	bool has_priority; /* of each line, instead of the time */
} output = {.file = {.fd = STDERR_FILENO, .events = POLLOUT}, .level = LOG_LEVEL_NOTICE};

static int open_syslog(void)
{
	static const struct {
		sa_family_t family;
		char path[sizeof("/dev/log")];
	} address = {AF_UNIX, "/dev/log"};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (connect(fd, (const void *)&address, sizeof(address)) != 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

bool log_open(const char *path, enum log_level level)
{
	bool is_syslog = text_equals(path, "syslog");
	int fd;

	/* O_NONBLOCK, because nobody may read a FIFO or a terminal; 0600, because the lines may
	 * tell what the host sent. */
	if (state_frozen || *path == '\0')
		fd = STDERR_FILENO;
	else if (is_syslog)
		fd = open_syslog();
	else
		fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
			0600);
	if (fd < 0)
		return false;
	if (output.file.fd > STDERR_FILENO)
		close(output.file.fd);
	output.file.fd = fd;
	output.level = level;
	output.path = path;
	output.has_priority = is_syslog | text_equals(path, "/dev/kmsg");
	return true;
}

void log_reopen(void)
{
	if (!state_frozen)
		(void)log_open(output.path, output.level);
}

static void put_prefix(struct text *line, enum log_level level)
{
	static const char words[][8] = {"error", "warning", "message", "info", "debug"};
	char nanos[DIGITS_MAX];
	struct timespec now;

	if (output.has_priority) {
		/* A syslogd that was started again has another socket. */
		log_reopen();
		text_format(line, "<%d>tinyqga: ", FACILITY_DAEMON | (int)level);
		return;
	}
	if (!output.path) {
		text_format(line, "tinyqga: ");
		return;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	/* The leading 1 keeps the zeros. */
	format_number(nanos, NANOS + (uint64_t)now.tv_nsec, false);
	text_format(line, "%lld.%.*s: %s: ", (long long)now.tv_sec, MICROS_DIGITS, nanos + 1,
		words[level - LOG_LEVEL_ERROR]);
}

void log_line(enum log_level level, const char *format, ...)
{
	static PAGES_SELDOM char bytes[LINE_SIZE_MAX];
	struct text line = text_in(bytes, sizeof(bytes));
	va_list values;

	if (state_frozen || level > output.level)
		return;
	put_prefix(&line, level);
	va_start(values, format);
	text_vformat(&line, format, values);
	va_end(values);
	/* A line can neither forge another, nor speak to the terminal. */
	for (char *byte = bytes; *byte; byte++) {
		if ((unsigned char)*byte < ' ')
			*byte = '?';
	}
	bytes[line.used] = '\n';
	/* Asked for room rather than made non-blocking, because others share stderr. */
	if (poll(&output.file, 1, 0) != 0 && write(output.file.fd, bytes, line.used + 1) < 0)
		return; /* there is nowhere to tell */
}
