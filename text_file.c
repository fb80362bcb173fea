#include "text_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "pages.h"

/* A hundred thousand accounts, or keys. */
#define TEXT_FILE_MAX (16u << 20)
/* So that what is added, and a newline at its end, always fit. */
#define SPACE (TEXT_FILE_MAX + (64u << 10))

#define LABEL "security.selinux"
#define FLAGS (O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)

static _Alignas(PAGES_ALIGNMENT) char content[SPACE];

/* Returns 0 or errno. */
static int read_all(int file, struct text *text)
{
	struct stat status;
	ssize_t count;

	if (fstatat(file, "", &status, AT_EMPTY_PATH) != 0 || !S_ISREG(status.st_mode))
		return EINVAL;
	while ((count = read(file, content + text->used, TEXT_FILE_MAX + 1 - text->used)) > 0)
		text->used += (size_t)count;
	content[text->used] = '\0';
	pages_release(content, text->used);
	if (count < 0)
		return errno;
	return text->used > TEXT_FILE_MAX ? EFBIG : 0;
}

int text_file_read(int folder, const char *name, struct text *text)
{
	int file = openat(folder, name, O_RDONLY | FLAGS);
	int error;

	*text = text_in(content, SPACE);
	if (file < 0)
		return -1;
	error = read_all(file, text);
	if (error == 0)
		return file;
	close(file);
	errno = error;
	return -1;
}

static bool write_all(int file, const char *bytes, size_t size)
{
	while (size > 0) {
		ssize_t count = write(file, bytes, size);

		if (count < 0)
			return false;
		bytes += count;
		size -= (size_t)count;
	}
	return true;
}

/* Give a file what decides who may use it. */
static bool copy_owner(int from, int to)
{
	struct stat status;
	char label[256];
	ssize_t size = fgetxattr(from, LABEL, label, sizeof(label));

	return (size <= 0 || fsetxattr(to, LABEL, label, (size_t)size, 0) == 0) &&
		fstatat(from, "", &status, AT_EMPTY_PATH) == 0 &&
		fchown(to, status.st_uid, status.st_gid) == 0 &&
		fchmod(to, status.st_mode & 07777) == 0;
}

bool text_file_replace(int folder, const char *name, const struct text *text, int like)
{
	char temporary[64];
	int file;
	int error = EFBIG;

	if (!text->cut) {
		text_print(temporary, sizeof(temporary), ".%s.tinyqga", name);
		/* One may be left of an agent that was killed. */
		(void)unlinkat(folder, temporary, 0);
		file = openat(folder, temporary, O_WRONLY | O_CREAT | O_EXCL | FLAGS, 0600);
		if (file >= 0 && (like < 0 || copy_owner(like, file)) &&
			write_all(file, text->bytes, text->used) && fsync(file) == 0 &&
			syscall(SYS_renameat2, folder, temporary, folder, name, 0) == 0)
			return true;
		error = errno;
		(void)unlinkat(folder, temporary, 0);
	}
	errno = error;
	return false;
}
