#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands.h"
#include "error_text.h"
#include "pages.h"
#include "scratch.h"
#include "state.h"
#include "text.h"

#define READ_DEFAULT 4096
#define READ_MAX 50331648 /* 48 MiB, as QEMU's agent allows */
/* More than systems let a process have without being asked. */
#define OPEN_FILES_MAX 16384

/* The open files, in no order. */
static _Alignas(PAGES_ALIGNMENT) struct open_file {
	int64_t handle;
	int file;
} open_files[OPEN_FILES_MAX];
static size_t open_file_count;

static struct open_file *find_file(struct request *request)
{
	int64_t handle = request_int(request, 0, 0);

	for (size_t i = 0; i < open_file_count; i++) {
		if (open_files[i].handle == handle)
			return &open_files[i];
	}
	reply_error(request, "handle '%lld' has not been found", (long long)handle);
	return NULL;
}

/* The open(2) flags of an fopen(3) mode, or -1. */
static int mode_flags(const char *mode)
{
	static const char letters[] = "rwa";
	static const int creating[] = {0, O_CREAT | O_TRUNC, O_CREAT | O_APPEND};
	const char *letter = *mode ? strchr(letters, *mode) : NULL;
	bool both;

	if (!letter)
		return -1;
	both = strchr(++mode, '+') != NULL;
	if (!text_equals(mode, "") && !text_equals(mode, "b") && !text_equals(mode, "+") &&
		!text_equals(mode, "b+") && !text_equals(mode, "+b"))
		return -1;
	return creating[letter - letters] |
		(both				    ? O_RDWR
				: letter == letters ? O_RDONLY
						    : O_WRONLY);
}

static void report_open(struct request *request, const char *path, const char *mode)
{
	struct rlimit limit;

	if (errno == EMFILE && prlimit(0, RLIMIT_NOFILE, NULL, &limit) == 0)
		reply_error(request,
			"failed to open file '%s' (mode: '%s'): %s: the agent may have %llu", path,
			mode, error_text(EMFILE), (unsigned long long)limit.rlim_cur);
	else
		reply_error(request, "failed to open file '%s' (mode: '%s'): %s", path, mode,
			error_text(errno));
}

static void open_file(struct request *request)
{
	const char *path = request_string(request, 0, NULL);
	const char *mode = request_has(request, 1) ? request_string(request, 1, NULL) : "r";
	int flags = mode_flags(mode);
	int64_t handle;
	mode_t mask;
	int file;

	if (flags < 0) {
		reply_error(request, "invalid file open mode '%s'", mode);
		return;
	}
	if (open_file_count == OPEN_FILES_MAX) {
		reply_error(request, "failed to open file '%s' (mode: '%s'): %d files are open",
			path, mode, OPEN_FILES_MAX);
		return;
	}
	mask = umask(0);
	file = open(path, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0666);
	umask(mask);
	handle = file < 0 ? -1 : state_next_handle();
	if (handle < 0) {
		report_open(request, path, mode);
		if (file >= 0)
			close(file);
		return;
	}
	pages_keep(open_files);
	open_files[open_file_count++] = (struct open_file){.handle = handle, .file = file};
	json_put_int(handle);
}

static void close_file(struct request *request)
{
	struct open_file *opened = find_file(request);
	int file;

	if (!opened)
		return;
	file = opened->file;
	*opened = open_files[--open_file_count];
	if (open_file_count == 0)
		pages_release(open_files, sizeof(open_files));
	if (close(file) != 0)
		reply_error(request, "failed to close handle: %s", error_text(errno));
}

/* read(2), but a signal does not end it. */
static ssize_t read_file(int file, size_t size)
{
	ssize_t count;

	do
		count = read(file, scratch, size < SCRATCH_SIZE ? size : SCRATCH_SIZE);
	while (count < 0 && errno == EINTR);
	return count;
}

static void read_open_file(struct request *request)
{
	struct open_file *opened = find_file(request);
	int64_t wanted = request_int(request, 1, READ_DEFAULT);
	int64_t got = 0;
	ssize_t count = -1;

	if (!opened)
		return;
	if (wanted < 0 || wanted > READ_MAX) {
		reply_error(
			request, "value '%lld' is invalid for argument count", (long long)wanted);
		return;
	}
	json_begin('{');
	json_put_key("buf-b64");
	json_begin_base64();
	while (got < wanted && !json_writer.closed) {
		count = read_file(opened->file, (size_t)(wanted - got));
		if (count < 0 && errno != EAGAIN && got == 0) {
			reply_error(request, "failed to read file: %s", error_text(errno));
			return;
		}
		if (count <= 0)
			break;
		json_put_base64(scratch, (size_t)count);
		got += count;
	}
	json_end_base64();
	json_member_int("count", got);
	json_member_bool("eof", got < wanted && count == 0);
	json_end('}');
	scratch_release(got < SCRATCH_SIZE ? (size_t)got : SCRATCH_SIZE);
}

/* Write all, or as much as the file takes; -1 with errno if that is nothing. */
static ssize_t write_file(int file, const char *bytes, size_t size)
{
	size_t written = 0;

	while (written < size) {
		ssize_t count = write(file, bytes + written, size - written);

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0 && written == 0)
			return -1;
		if (count <= 0)
			break;
		written += (size_t)count;
	}
	return (ssize_t)written;
}

static void write_open_file(struct request *request)
{
	struct open_file *opened = find_file(request);
	int64_t wanted;
	ssize_t written;
	char *bytes;
	size_t size;

	if (!opened || !request_base64(request, 1, &bytes, &size))
		return;
	wanted = request_int(request, 2, (int64_t)size);
	if (wanted < 0 || wanted > (int64_t)size) {
		reply_error(
			request, "value '%lld' is invalid for argument count", (long long)wanted);
		return;
	}
	written = write_file(opened->file, bytes, (size_t)wanted);
	if (written < 0) {
		reply_error(request, "failed to write to file: %s", error_text(errno));
		return;
	}
	json_begin('{');
	json_member_int("count", written);
	json_member_bool("eof", false);
	json_end('}');
}

static void seek_open_file(struct request *request)
{
	static const int whences[] = {SEEK_SET, SEEK_CUR, SEEK_END};
	struct open_file *opened = find_file(request);
	int64_t whence = request_choice(request, 2);
	off_t position;

	if (!opened)
		return;
	if (whence < 0)
		whence = request_int(request, 2, 0);
	if (whence < 0 || whence > 2) {
		reply_error(request, "invalid whence code %lld", (long long)whence);
		return;
	}
	position = lseek(opened->file, request_int(request, 1, 0), whences[whence]);
	if (position < 0) {
		reply_error(request, "failed to seek file: %s", error_text(errno));
		return;
	}
	json_begin('{');
	json_member_int("position", position);
	json_member_bool("eof", false);
	json_end('}');
}

/* Nothing of ours lies between a write and the kernel. */
static void flush_open_file(struct request *request)
{
	(void)find_file(request);
}

COMMANDS = {
	{"guest-file-open", "path:s mode:s?", 0, open_file},
	{"guest-file-close", "handle:i", 0, close_file},
	{"guest-file-read", "handle:i count:i?", 0, read_open_file},
	{"guest-file-write", "handle:i buf-b64:s count:i?", 0, write_open_file},
	{"guest-file-seek", "handle:i offset:i whence:<GuestFileWhence>i|set|cur|end", 0,
		seek_open_file},
	{"guest-file-flush", "handle:i", 0, flush_open_file},
};
