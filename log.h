/* The log: one line an event, to stderr, a file, syslog's socket or the kernel's ring. */
#ifndef LOG_H
#define LOG_H

#include <stdbool.h>

/* Severities of syslog (RFC 5424), as far as they are used. */
enum log_level {
	LOG_LEVEL_ERROR = 3,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_NOTICE,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG
};

/* Where to: "" for stderr, "syslog" for syslog's socket, or a file that is appended to, new ones
 * with mode 0600; /dev/kmsg gets each line with its priority. path stays in use. Lines above level
 * are left out; before the first call the log is stderr at LOG_LEVEL_NOTICE, each
 * line as "tinyqga: text". Returns false, with
 * errno, if path cannot be opened or no syslogd listens; the log then stays as it was. While
 * filesystems are frozen nothing is opened, nor written: log_reopen does that afterwards. */
bool log_open(const char *path, enum log_level level);

/* Open the path again, as after a rotation; the old file stays in use if that fails, and while
 * filesystems are frozen. */
void log_reopen(void);

/* Write one line: "SECONDS.MICROSECONDS: level: text" as QEMU's agent does, or
 * "<PRIORITY>tinyqga: text" for syslog and the kernel. A format as text.h has it. Control
 * characters become '?', and a line is cut at 976 bytes. Never waits: a line that finds no room is
 * lost. May change errno. */
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...) log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
