#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

#include "children.h"
#include "commands.h"
#include "error_text.h"
#include "loop.h"
#include "pages.h"
#include "scratch.h"
#include "spawn.h"
#include "text.h"

/* Programs that run, or whose result nobody has collected. */
#define PROGRAMS_MAX 2048
/* Pointers to arguments and environment: what execve(2) takes of the usual stack limit. */
#define VECTOR_MAX (256u << 10)
#define CAPTURE_MAX (16u << 20) /* of a stream */
/* All captured output together may take this share of the memory. */
#define CAPTURE_SHARE 4
/* What a program may write ahead of us; the system's limit for any user. */
#define PIPE_SIZE (1u << 20)
/* What is moved through our memory at a time. Not the scratch buffer: a handler may be using it. */
#define MOVE_SIZE 4096
#define DROPS_MAX 64 /* a turn, so that an endless program leaves time for the rest */

enum { PATH, ARGUMENTS, ENVIRONMENT, INPUT, CAPTURE };

enum capture { CAPTURE_NONE, CAPTURE_STDOUT, CAPTURE_STDERR, CAPTURE_SEPARATED, CAPTURE_MERGED };

/* What becomes of one output stream. Both descriptors are -1 where there is none. */
struct stream {
	int pipe;  /* our end, until the last writer has closed the other */
	int store; /* what came of it */
	uint32_t size;
	bool truncated;
};

static _Alignas(PAGES_ALIGNMENT) struct program {
	pid_t pid; /* 0: a free slot */
	int status;
	bool ended;
	uint64_t order; /* of starting */
	struct stream out;
	struct stream err;
} programs[PROGRAMS_MAX];

static unsigned program_count;
static size_t programs_touched; /* so many slots, as even looking at one takes its page */
static uint64_t started;
static uint64_t stored; /* bytes in all stores */
static uint64_t store_limit;

static _Alignas(PAGES_ALIGNMENT) char *vector[VECTOR_MAX];

/* ---- Streams ---- */

static void close_file(int *file)
{
	if (*file >= 0)
		close(*file);
	*file = -1;
}

static void end_stream(struct stream *stream)
{
	if (stream->pipe < 0)
		return;
	loop_unwatch(stream->pipe);
	close_file(&stream->pipe);
	if (stream->size == 0)
		close_file(&stream->store);
}

static void forget_stream(struct stream *stream)
{
	end_stream(stream);
	close_file(&stream->store);
	stored -= stream->size;
	stream->size = 0;
}

static uint32_t stream_room(const struct stream *stream)
{
	uint64_t room = CAPTURE_MAX - stream->size;

	if (stored + room > store_limit)
		room = stored < store_limit ? store_limit - stored : 0;
	return (uint32_t)room;
}

/* Move what is in the pipe to the store without looking at it. */
static ssize_t store_output(struct stream *stream, uint32_t room)
{
	char moved[MOVE_SIZE];
	off_t at = stream->size;
	ssize_t count;

	count = splice(stream->pipe, NULL, stream->store, &at, room, SPLICE_F_NONBLOCK);
	if (count >= 0 || errno != EINVAL)
		return count;
	/* A store that cannot be spliced to. */
	count = read(stream->pipe, moved, room < MOVE_SIZE ? room : MOVE_SIZE);
	return count <= 0 ? count : pwrite(stream->store, moved, (size_t)count, stream->size);
}

static ssize_t drop_output(struct stream *stream)
{
	char dropped[MOVE_SIZE];
	ssize_t count = 0;

	for (int i = 0; i < DROPS_MAX; i++) {
		count = read(stream->pipe, dropped, MOVE_SIZE);
		if (count <= 0)
			break;
		stream->truncated = true;
	}
	return count;
}

static void stream_ready(void *context, short revents)
{
	struct stream *stream = context;
	uint32_t room = stream->truncated ? 0 : stream_room(stream);
	ssize_t count;

	(void)revents;
	if (room == 0) {
		count = drop_output(stream);
	} else {
		count = store_output(stream, room);
		if (count > 0) {
			stream->size += (uint32_t)count;
			stored += (uint64_t)count;
		} else if (count < 0 && errno != EAGAIN && errno != EINTR) {
			stream->truncated = true;
		}
	}
	if (count == 0)
		end_stream(stream);
}

/* Open the pipe of a stream; returns the program's end of it, or -1 with errno. */
static int start_stream(struct stream *stream)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) != 0)
		return -1;
	stream->pipe = ends[0];
	stream->store = spawn_open_store();
	if (stream->store >= 0 && fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0) {
		(void)fcntl(ends[0], F_SETPIPE_SZ, PIPE_SIZE);
		if (loop_watch(ends[0], POLLIN, stream_ready, stream))
			return ends[1];
		errno = EMFILE;
	}
	close(ends[1]);
	return -1;
}

/* ---- Programs ---- */

static void program_ended(void *context, int status)
{
	struct program *program = context;

	program->ended = true;
	program->status = status;
}

static bool is_complete(const struct program *program)
{
	return program->ended && program->out.pipe < 0 && program->err.pipe < 0;
}

static void forget_program(struct program *program)
{
	forget_stream(&program->out);
	forget_stream(&program->err);
	program->pid = 0;
	if (--program_count == 0) {
		programs_touched = 0;
		pages_release(programs, sizeof(programs));
	}
}

static struct program *find_program(int64_t pid)
{
	for (size_t i = 0; i < programs_touched && pid > 0; i++) {
		if (programs[i].pid == pid)
			return &programs[i];
	}
	return NULL;
}

/* Give up the oldest result that nobody has collected. */
static bool forget_oldest(void)
{
	struct program *oldest = NULL;

	for (size_t i = 0; i < PROGRAMS_MAX; i++) {
		if (programs[i].pid && is_complete(&programs[i]) &&
			(!oldest || programs[i].order < oldest->order))
			oldest = &programs[i];
	}
	if (oldest)
		forget_program(oldest);
	return oldest != NULL;
}

static struct program *new_program(void)
{
	for (;;) {
		for (size_t i = 0; i < PROGRAMS_MAX; i++) {
			if (programs[i].pid == 0) {
				program_count++;
				pages_keep(programs);
				if (programs_touched <= i)
					programs_touched = i + 1;
				programs[i] = (struct program){
					.order = started++,
					.out = {.pipe = -1, .store = -1},
					.err = {.pipe = -1, .store = -1},
				};
				return &programs[i];
			}
		}
		if (!forget_oldest())
			return NULL;
	}
}

/* ---- guest-exec ---- */

/* Point into the vector, from used on, at the strings of a list argument, and end them by NULL.
 * Returns the new used, or 0 if there are too many. */
static size_t add_strings(const struct request *request, unsigned argument, size_t used)
{
	const struct json_token *list = request->arguments[argument];

	for (uint32_t item = 1; list && item < list->span; item++) {
		if (used + 1 >= VECTOR_MAX)
			return 0;
		vector[used++] = list[item].text;
	}
	vector[used++] = NULL;
	return used;
}

/* Put the input into an unnamed file and stand at its beginning: a program reads that as from a
 * pipe, and it needs no feeding. Without input *file is left as it is. */
static bool store_input(struct request *request, int *file)
{
	char *bytes;
	size_t size;

	if (!request_has(request, INPUT))
		return true;
	if (!request_base64(request, INPUT, &bytes, &size))
		return false;
	*file = spawn_open_store();
	while (size > 0) {
		ssize_t count = write(*file, bytes, size);

		if (count < 0) {
			reply_error(request, "failed to store the input of a program: %s",
				error_text(errno));
			close_file(file);
			return false;
		}
		bytes += count;
		size -= (size_t)count;
	}
	(void)lseek(*file, 0, SEEK_SET);
	return true;
}

static enum capture requested_capture(const struct request *request)
{
	int choice = request_choice(request, CAPTURE);

	if (choice >= 0)
		return (enum capture)choice;
	return request_bool(request, CAPTURE) ? CAPTURE_SEPARATED : CAPTURE_NONE;
}

/* Open the program's three descriptors; false, with errno, if one cannot be had. files[0] and
 * null are the caller's to close in any case, as are files[1] and files[2] where they differ. */
static bool open_files(struct program *program, enum capture capture, int null, int files[3])
{
	bool out = capture != CAPTURE_NONE && capture != CAPTURE_STDERR;
	bool err = capture == CAPTURE_STDERR || capture == CAPTURE_SEPARATED;

	files[1] = out ? start_stream(&program->out) : null;
	files[2] = err ? start_stream(&program->err) : capture == CAPTURE_MERGED ? files[1] : null;
	return files[0] >= 0 && files[1] >= 0 && files[2] >= 0;
}

static void close_files(int files[3], int null)
{
	int error = errno;

	for (int i = 0; i < 3; i++) {
		if (files[i] >= 0 && files[i] != null && (i != 2 || files[2] != files[1]))
			close(files[i]);
	}
	if (null >= 0)
		close(null);
	errno = error;
}

/* Start the program that vector describes, its environment beginning at environment. */
static bool start_program(
	struct request *request, struct program *program, int input, char *const *environment)
{
	int null = spawn_open_null();
	int files[3] = {input >= 0 ? input : null, -1, -1};
	struct spawn spawn = {.path = vector[0], .arguments = vector, .environment = environment};

	if (null < 0 || !open_files(program, requested_capture(request), null, files)) {
		reply_error(request, "failed to prepare the streams of a program: %s",
			error_text(errno));
		close_files(files, null);
		return false;
	}
	memcpy(spawn.files, files, sizeof(files));
	program->pid = spawn_start(&spawn);
	close_files(files, null);
	if (program->pid > 0)
		return true;
	program->pid = 0;
	reply_error(request,
		"Guest agent command failed, error was 'Failed to execute child process "
		"\xe2\x80\x9c%s\xe2\x80\x9d (%s)'",
		vector[0], error_text(errno));
	return false;
}

static void limit_stores(void)
{
	struct sysinfo info;

	store_limit = sysinfo(&info) == 0 ? (uint64_t)info.totalram * info.mem_unit / CAPTURE_SHARE
					  : CAPTURE_MAX;
}

/* The result of an earlier program with this number, which nobody asked for, is lost. */
static void replace_result(pid_t pid)
{
	struct program *old = find_program(pid);

	if (old)
		forget_program(old);
}

static void execute(struct request *request)
{
	size_t environment, end;
	struct program *program;
	int input = -1;
	pid_t pid;

	vector[0] = request_string(request, PATH, NULL);
	environment = add_strings(request, ARGUMENTS, 1);
	end = environment ? add_strings(request, ENVIRONMENT, environment) : 0;
	if (end == 0) {
		reply_error(
			request, "too many arguments and variables: at most %u", VECTOR_MAX - 3);
		return;
	}
	if (!store_input(request, &input))
		return;
	program = children_room() ? new_program() : NULL;
	if (!program) {
		close_file(&input);
		reply_error(request, "%d programs are running", PROGRAMS_MAX);
		return;
	}
	limit_stores();
	if (!start_program(request, program, input,
		    request_has(request, ENVIRONMENT) ? vector + environment : environ)) {
		forget_program(program);
	} else {
		pid = program->pid;
		program->pid = 0;
		replace_result(pid);
		program->pid = pid;
		(void)children_add(pid, program_ended, program);
		json_begin('{');
		json_member_int("pid", pid);
		json_end('}');
	}
	pages_release(vector, end * sizeof(vector[0]));
}

/* ---- guest-exec-status ---- */

static void put_stream(const struct stream *stream, const char *data, const char *truncated)
{
	off_t at = 0;
	ssize_t count;

	if (stream->store < 0)
		return;
	json_member_bool(truncated, stream->truncated);
	json_put_key(data);
	json_begin_base64();
	while (!json_writer.closed &&
		(count = pread(stream->store, scratch, SCRATCH_SIZE, at)) > 0) {
		json_put_base64(scratch, (size_t)count);
		at += count;
	}
	json_end_base64();
	scratch_release(SCRATCH_SIZE);
}

static void report_status(struct request *request)
{
	int64_t pid = request_int(request, 0, 0);
	struct program *program = find_program(pid);
	bool complete;

	if (!program) {
		reply_error(request, "PID %lld does not exist", (long long)pid);
		return;
	}
	complete = is_complete(program);
	json_begin('{');
	json_member_bool("exited", complete);
	if (complete) {
		if (WIFSIGNALED(program->status))
			json_member_int("signal", WTERMSIG(program->status));
		else
			json_member_int("exitcode", WEXITSTATUS(program->status));
		put_stream(&program->out, "out-data", "out-truncated");
		put_stream(&program->err, "err-data", "err-truncated");
	}
	json_end('}');
	/* A client that left in the middle has not got it, and may ask again. */
	if (complete && !json_writer.closed)
		forget_program(program);
}

COMMANDS = {
	{"guest-exec",
		"path:s arg:[s]? env:[s]? input-data:s? "
		"capture-output:<GuestExecCaptureOutput>b|none|stdout|stderr|separated|merged?",
		0, execute},
	{"guest-exec-status", "pid:i", 0, report_status},
};
