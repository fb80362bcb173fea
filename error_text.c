#include "error_text.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "text.h"

/* The longest text, "Address family not supported by protocol", and its NUL. */
#define TEXT_SIZE_MAX 41

/* What comes often, each by a byte: its place in texts, from 1. It may hold those before it, and
 * has no first letter if that is at times a capital one. */
#define NO "\001"
#define NOT "\002"
#define TOO_MANY "\003"
#define SUCH "\004"
#define DEVICE "\005"
#define ADDRESS "\006"
#define OPEN_FILES "\007"
#define AVAILABLE "\010"
#define SUPPORTED "\011"
#define TION "\012"
#define OPERATION "\013"
#define CONNECTION "\014"
#define ERROR "\015"
#define TOO_L "\016"
#define SYSTEM "\017"
#define DIRECTORY "\020"
#define FILE "\021"
#define RESOURCE "\022"
#define INVALID "\023"
#define LINK "\024"
#define OR "\025"
#define TOO_LONG "\026"
#define WORDS                                                            \
	"No \0not \0Too many \0" NO "such \0evice\0ddress\0"             \
	"open files\0available\0" NOT "supported\0tion \0pera" TION "\0" \
	"Connec" TION "\0 error\0 too l\0 system\0irectory\0 file\0"     \
	"esource \0Invalid \0link\0 or \0" TOO_L "ong\0"
#define WORD_COUNT 22

/* What programs meet with files, other programs, sockets and devices. */
#define ERRORS                                                           \
	E(EPERM, "O" OPERATION NOT "permitted")                          \
	E(ENOENT, SUCH "file" OR "d" DIRECTORY)                          \
	E(ESRCH, SUCH "process")                                         \
	E(EIO, "Input/output" ERROR)                                     \
	E(ENXIO, SUCH "d" DEVICE OR "a" ADDRESS)                         \
	E(E2BIG, "Argument list" TOO_LONG)                               \
	E(ENOEXEC, "Exec format" ERROR)                                  \
	E(EBADF, "Bad" FILE " descriptor")                               \
	E(EAGAIN, "R" RESOURCE "temporarily un" AVAILABLE)               \
	E(ENOMEM, "Can" NOT "allocate memory")                           \
	E(EACCES, "Permission denied")                                   \
	E(EFAULT, "Bad a" ADDRESS)                                       \
	E(EBUSY, "D" DEVICE OR "r" RESOURCE "busy")                      \
	E(EEXIST, "File exists")                                         \
	E(EXDEV, INVALID "cross-d" DEVICE " " LINK)                      \
	E(ENODEV, SUCH "d" DEVICE)                                       \
	E(ENOTDIR, "Not a d" DIRECTORY)                                  \
	E(EISDIR, "Is a d" DIRECTORY)                                    \
	E(EINVAL, INVALID "argument")                                    \
	E(ENFILE, TOO_MANY OPEN_FILES " in" SYSTEM)                      \
	E(EMFILE, TOO_MANY OPEN_FILES)                                   \
	E(ENOTTY, "Inappropriate ioctl for d" DEVICE)                    \
	E(ETXTBSY, "Text" FILE " busy")                                  \
	E(EFBIG, "File" TOO_L "arge")                                    \
	E(ENOSPC, NO "space left on d" DEVICE)                           \
	E(ESPIPE, "Illegal seek")                                        \
	E(EROFS, "Read-only" FILE SYSTEM)                                \
	E(EPIPE, "Broken pipe")                                          \
	E(ERANGE, "Numerical result out of range")                       \
	E(ENAMETOOLONG, "File name" TOO_LONG)                            \
	E(ENOLCK, NO "locks " AVAILABLE)                                 \
	E(ENOSYS, "Func" TION NOT "implemented")                         \
	E(ENOTEMPTY, "D" DIRECTORY " " NOT "empty")                      \
	E(ELOOP, TOO_MANY "levels of symbolic " LINK "s")                \
	E(ENODATA, NO "data " AVAILABLE)                                 \
	E(EOVERFLOW, "Value" TOO_L "arge for defined data type")         \
	E(EOPNOTSUPP, "O" OPERATION SUPPORTED)                           \
	E(EAFNOSUPPORT, "A" ADDRESS " family " SUPPORTED " by protocol") \
	E(EADDRINUSE, "A" ADDRESS " already in use")                     \
	E(EADDRNOTAVAIL, "Can" NOT "assign requested a" ADDRESS)         \
	E(ENOBUFS, NO "buffer space " AVAILABLE)                         \
	E(ETIMEDOUT, CONNECTION "timed out")                             \
	E(ECONNREFUSED, CONNECTION "refused")                            \
	E(ESTALE, "Stale" FILE " handle")                                \
	E(EUCLEAN, "Structure needs cleaning")                           \
	E(EDQUOT, "Disk quota exceeded")                                 \
	E(ENOMEDIUM, NO "medium found")

static const char *const texts = WORDS
#define E(error, text) text "\0"
	ERRORS;
#undef E

/* On most machines all are below 256. */
#if EDQUOT > UINT8_MAX
static const uint16_t errors[] = {
#else
static const uint8_t errors[] = {
#endif
#define E(error, text) error,
	ERRORS
#undef E
};

#define ERROR_COUNT (sizeof(errors) / sizeof(errors[0]))

/* Write the text at place to to, its words spelled out. Returns where it ends. */
static char *spell(char *to, size_t place)
{
	const char *from = texts;

	while (place-- > 0)
		from += strlen(from) + 1;
	for (; *from; from++) {
		if (*from <= WORD_COUNT)
			to = spell(to, (size_t)*from - 1);
		else
			*to++ = *from;
	}
	return to;
}

const char *error_text(int error)
{
	static char text[TEXT_SIZE_MAX];

	for (size_t i = 0; i < ERROR_COUNT; i++) {
		if (errors[i] == error) {
			*spell(text, WORD_COUNT + i) = '\0';
			return text;
		}
	}
	text_print(text, sizeof(text), "Unknown error %d", error);
	return text;
}
