#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "commands.h"
#include "error_text.h"
#include "freeze.h"
#include "json.h"
#include "log.h"
#include "loop.h"
#include "options.h"
#include "pages.h"
#include "serial.h"
#include "spawn.h"
#include "state.h"
#include "text.h"

/* The largest request: 4 MiB of data for guest-file-write is 5.34 MiB of base64, and newlines. */
#define REQUEST_MAX (6u << 20)
/* As many arguments as execve(2) takes of the usual stack limit, if they are short. */
#define TOKENS_MAX (256u << 10)
/* Large enough that the pieces of a long reply cost no more than the copying of them. */
#define REPLY_BUFFER (64u << 10)
/* Input that is read before it is parsed: at least as much as a socket holds. */
#define READ_AHEAD_MAX (256u << 10)
/* So many requests that came together are answered before children and signals have their turn. */
#define ANSWERS_A_TURN 64
/* How long a reply of which nobody knows whose it is waits for a client, and for its first words.
 */
#define HANDSHAKE_MS 100
/* How long a reply may wait for a host that does not read it when the agent is to end. */
#define LAST_REPLY_MS 3000

#define STATUS_FAILED 1

/* Where the kernel (before 5.9) cannot do it at once, so many descriptors are looked through. */
#define INHERITED_MAX 1024

static _Alignas(PAGES_ALIGNMENT) char request_text[REQUEST_MAX];
static _Alignas(PAGES_ALIGNMENT) struct json_token request_tokens[TOKENS_MAX];
static _Alignas(PAGES_ALIGNMENT) char reply_buffer[REPLY_BUFFER];

static struct json_reader reader;

static bool ending;

/* Who asked for what is in hand. */
static enum {
	ASKER_THERE,
	ASKER_DOUBTFUL, /* clients changed at about that time: see channel_doubtful */
	ASKER_GONE,	/* nobody wants the replies to what was read, up to a reset byte */
} asker;
static bool pid_file_taken;
static int waiting_caller; /* of a daemon that is starting: a pipe to it, or 0 */

/* ---- Requests and replies ---- */

/* Read what there is, at most size bytes or what the buffer takes. Does it hold a reset byte? */
static bool read_input(size_t size, bool look)
{
	bool found = false;
	size_t room;
	char *space = json_reader_space(&reader, &room);

	while (room > 0 && size > 0) {
		ssize_t count = channel_read(space, room < size ? room : size);

		if (count <= 0)
			break;
		found |= look && memchr(space, 0xFF, (size_t)count);
		json_reader_fill(&reader, (size_t)count);
		size -= (size_t)count;
		space = json_reader_space(&reader, &room);
	}
	channel_hold_input(room == 0);
	return found;
}

/* Has the agent been about to end for as long as a host may take to read a reply? */
static bool last_chance_over(void)
{
	static int64_t over_at_ms;

	if (ending && over_at_ms == 0)
		over_at_ms = loop_now_ms() + LAST_REPLY_MS;
	return ending && loop_now_ms() >= over_at_ms;
}

/* Is there a reset byte in the input that has not been parsed? */
static bool handshake_waits(void)
{
	return memchr(reader.text + reader.parsed, 0xFF, reader.filled - reader.parsed) != NULL;
}

/* Take a turn of the loop, and read what comes. Returns false once it is until_ms. */
static bool listen_until(int64_t until_ms)
{
	int64_t left_ms = until_ms - loop_now_ms();

	if (left_ms <= 0)
		return false;
	loop_turn((int)left_ms);
	if (channel_ready())
		(void)read_input(SIZE_MAX, false);
	return true;
}

/* Has there been a change of clients since this was last asked? */
static bool client_changed(void)
{
	static unsigned known;
	unsigned before = known;

	known = channel_clients();
	return known != before;
}

/* Wait until it is known whether the client who asked is there. The next one begins with a
 * handshake, which is read already or comes soon; but news of a change may be late, and of the
 * client's own coming. */
static void settle_doubt(void)
{
	int64_t until_ms = loop_now_ms() + HANDSHAKE_MS;

	asker = ASKER_GONE;
	while (!handshake_waits()) {
		bool deserted = channel_deserted();

		if (!listen_until(until_ms)) {
			if (!deserted)
				asker = ASKER_THERE;
			return;
		}
		if (deserted && !channel_deserted())
			until_ms = loop_now_ms() + HANDSHAKE_MS;
	}
}

static bool asker_is_gone(void)
{
	static unsigned resets;

	if (reader.resets != resets)
		asker = ASKER_THERE;
	resets = reader.resets;
	if (asker != ASKER_GONE && (client_changed() || channel_deserted()))
		asker = ASKER_DOUBTFUL;
	if (asker == ASKER_DOUBTFUL)
		settle_doubt();
	return asker == ASKER_GONE;
}

/* Of the reply in hand: some has been written. */
static bool begun;

/* Write a piece of a reply, however long the host takes to read it. Returns false when the client
 * that asked is gone, or wants no more of it. */
static bool write_reply(const char *bytes, size_t size)
{
	static bool handshake_seen; /* a reset byte came since this reply was begun */
	bool resets = json_writer.flushed || size == REPLY_BUFFER; /* a long reply, 0xFF ends it */

	if (!json_writer.flushed)
		handshake_seen = begun = false;
	while (size > 0) {
		ssize_t count;

		if (channel_ready())
			handshake_seen |= read_input(SIZE_MAX, true);
		if ((begun ? client_changed() : asker_is_gone()) || (resets && handshake_seen))
			return false;
		count = channel_write(bytes, size);
		if (count < 0)
			return false;
		begun |= count > 0;
		bytes += count;
		size -= (size_t)count;
		if (count == 0 &&
			(last_chance_over() || !channel_wait(&resets, ending ? LAST_REPLY_MS : -1)))
			return false;
	}
	return true;
}

static bool send_reply(const char *bytes, size_t size)
{
	if (write_reply(bytes, size))
		return true;
	channel_drop_reply(begun);
	asker = ASKER_GONE;
	return false;
}

static void answer_requests(void)
{
	unsigned answered = 0;

	while (!ending && json_reader_next(&reader) != JSON_MORE) {
		commands_answer(&reader);
		json_writer_release();
		if (state_frozen) /* perhaps told to end while it came to that */
			ending = false;
		if (++answered % ANSWERS_A_TURN == 0)
			loop_turn(0);
	}
	json_reader_release(&reader);
}

static bool wants_pid_file(void)
{
	return options.daemonize || options.pid_file_given;
}

/* Write the process number to the file, and hold it locked as long as we live. */
static bool take_pid_file(void)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char digits[DIGITS_MAX + 1];
	size_t size = format_number(digits, (uint64_t)getpid(), false);
	int file = open(options.pid_file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	digits[size++] = '\n';
	pid_file_taken = file >= 0 && fcntl(file, F_SETLK, &lock) == 0 && ftruncate(file, 0) == 0 &&
		write(file, digits, size) == (ssize_t)size;
	return pid_file_taken;
}

static void serve(void)
{
	bool starts_frozen = state_frozen; /* what the start would have written waits */
	bool all_read = true;

	while (!ending) {
		if (json_reader_busy(&reader))
			loop_turn(-1);
		else
			channel_idle_turn();
		while (channel_ready() && !ending) {
			(void)read_input(READ_AHEAD_MAX, false);
			/* What a client left half said must not spoil the next one's words. */
			if (client_changed())
				json_reader_reset(&reader);
			if (all_read || asker != ASKER_GONE)
				asker = channel_doubtful() ? ASKER_DOUBTFUL : ASKER_THERE;
			all_read = !channel_ready();
			answer_requests();
		}
		channel_settle();
		if (starts_frozen && !state_frozen) {
			starts_frozen = false;
			if (wants_pid_file())
				(void)take_pid_file();
		}
	}
}

/* ---- The process ---- */

static void take_signal(int signal)
{
	if (signal == SIGHUP)
		log_reopen();
	else if (signal != SIGTERM && signal != SIGINT)
		channel_signalled();
	else if (state_frozen)
		log_warning("not ending while filesystems are frozen");
	else
		ending = true;
}

static enum log_level log_level(void)
{
	return options.verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARNING;
}

/* Go into the background. The caller's process waits, and ends as the start goes: 0 when
 * finish_start is reached. */
static bool become_daemon(void)
{
	char started;
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return false;
	pid = spawn_fork();
	if (pid < 0)
		return false;
	close(ends[pid > 0]);
	if (pid > 0)
		_exit(read(ends[0], &started, 1) == 1 ? 0 : STATUS_FAILED);
	waiting_caller = ends[1];
	setsid();
	return true;
}

/* Started: let the caller of a daemon, its folder and its terminal go. */
static void finish_start(void)
{
	int null;

	if (waiting_caller == 0)
		return;
	if (*options.log_file == '\0' && !log_open("syslog", log_level()))
		(void)log_open("/dev/kmsg", log_level());
	(void)chdir("/");
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = 0; fd <= 2; fd++)
		dup2(null, fd);
	close(null);
	(void)write(waiting_caller, "", 1);
	close(waiting_caller);
	waiting_caller = 0;
}

/* Descriptors 0 to 2 that came closed would be taken by our own; those above that came open are
 * no program's business. */
static void settle_files(void)
{
	int file;

	do
		file = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (file >= 0 && file <= 2);
	close(file);
	if (syscall(SYS_close_range, 3, UINT32_MAX, CLOSE_RANGE_CLOEXEC) != 0) {
		for (file = 3; file < INHERITED_MAX; file++)
			(void)fcntl(file, F_SETFD, FD_CLOEXEC);
	}
}

/* Make the state folder, and those above it, if it is not there, and see whether files can be
 * written in it. */
static bool take_state_folder(void)
{
	char path[PATH_MAX];
	int file;

	text_print(path, sizeof(path), "%s/" STATE_FILE, options.state_dir);
	for (char *slash = path; (slash = strchr(slash + 1, '/'));) {
		*slash = '\0';
		(void)mkdir(path, 0755);
		*slash = '/';
	}
	file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	if (file < 0)
		return false;
	close(file);
	return true;
}

/* Why the start fails: what could not be done with name, and errno. */
static bool fail(const char *what, const char *name)
{
	log_error("failed to %s%s: %s", what, name, error_text(errno));
	return false;
}

static bool start(void)
{
	freeze_resume();
	if (!log_open(options.log_file, log_level()))
		return fail("open log ", options.log_file);
	if (options.daemonize && !become_daemon())
		return fail("daemonize", "");
	if (wants_pid_file() && !state_frozen && !take_pid_file())
		return fail("take pid file ", options.pid_file);
	if (!state_frozen && !take_state_folder()) {
		if (options.state_dir_given)
			return fail("use state folder ", options.state_dir);
		log_warning("no state kept: %s: %s", options.state_dir, error_text(errno));
	}
	if (!loop_start(take_signal))
		return fail("get signals", "");
	return channel_start() || fail("listen on ", options.path);
}

int main(int count, char *words[])
{
	int status = STATUS_FAILED;

	(void)count;
	settle_files();
	options_read(words);
	spawn_prepare();
	json_reader_init(&reader, request_text, REQUEST_MAX, request_tokens, TOKENS_MAX);
	json_writer_init(reply_buffer, REPLY_BUFFER, send_reply);
	if (start()) {
		finish_start();
		pages_give_back();
		serve();
		if (loop_at_end)
			loop_at_end();
		status = 0;
	}
	channel_stop();
	if (pid_file_taken)
		(void)unlink(options.pid_file);
	return status;
}
