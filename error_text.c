#include "error_text.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "text.h"

/* The longest text, "Address family not supported by protocol", and its NUL. */
#define TEXT_SIZE_MAX 41

/* The words that come often, each by a byte: its place in texts, from 1. A word may hold those
 * before it. */
#define NO "\001"
#define NOT "\002"
#define TOO_MANY "\003"
#define NO_SUCH "\004"
#define DEVICE "\005"
#define ADDRESS "\006"
#define OPEN_FILES "\007"
#define AVAILABLE "\010"
#define SUPPORTED "\011"
#define PROTOCOL "\012"
#define NETWORK_IS "\013"
#define CONNECTION "\014"
#define ERROR "\015"
#define TOO_LONG "\016"
#define SYSTEM "\017"
#define DIRECTORY "\020"
#define FILE "\021"
#define OPERATION "\022"
#define WORDS                                                                            \
	"No \0not \0Too many \0" NO "such \0device\0ddress\0open files\0available\0" NOT \
	"supported\0Protocol \0Network is \0Connection \0 error\0 too long\0system\0"    \
	"directory\0 file \0Operation \0"
#define WORD_COUNT 18

/* What programs meet with files, other programs, sockets and devices. */
#define ERRORS                                                      \
	E(EPERM, OPERATION NOT "permitted")                         \
	E(ENOENT, NO "such" FILE "or " DIRECTORY)                   \
	E(ESRCH, NO_SUCH "process")                                 \
	E(EINTR, "Interrupted " SYSTEM " call")                     \
	E(EIO, "Input/output" ERROR)                                \
	E(ENXIO, NO_SUCH DEVICE " or a" ADDRESS)                    \
	E(E2BIG, "Argument list" TOO_LONG)                          \
	E(ENOEXEC, "Exec format" ERROR)                             \
	E(EBADF, "Bad" FILE "descriptor")                           \
	E(ECHILD, NO "child processes")                             \
	E(EAGAIN, "Resource temporarily un" AVAILABLE)              \
	E(ENOMEM, "Cannot allocate memory")                         \
	E(EACCES, "Permission denied")                              \
	E(EFAULT, "Bad a" ADDRESS)                                  \
	E(EBUSY, "Device or resource busy")                         \
	E(EEXIST, "File exists")                                    \
	E(EXDEV, "Invalid cross-" DEVICE " link")                   \
	E(ENODEV, NO_SUCH DEVICE)                                   \
	E(ENOTDIR, "Not a " DIRECTORY)                              \
	E(EISDIR, "Is a " DIRECTORY)                                \
	E(EINVAL, "Invalid argument")                               \
	E(ENFILE, TOO_MANY OPEN_FILES " in " SYSTEM)                \
	E(EMFILE, TOO_MANY OPEN_FILES)                              \
	E(ENOTTY, "Inappropriate ioctl for " DEVICE)                \
	E(ETXTBSY, "Text" FILE "busy")                              \
	E(EFBIG, "File too large")                                  \
	E(ENOSPC, NO "space left on " DEVICE)                       \
	E(ESPIPE, "Illegal seek")                                   \
	E(EROFS, "Read-only" FILE SYSTEM)                           \
	E(EMLINK, TOO_MANY "links")                                 \
	E(EPIPE, "Broken pipe")                                     \
	E(ERANGE, "Numerical result out of range")                  \
	E(ENAMETOOLONG, "File name" TOO_LONG)                       \
	E(ENOLCK, NO "locks " AVAILABLE)                            \
	E(ENOSYS, "Function " NOT "implemented")                    \
	E(ENOTEMPTY, "Directory " NOT "empty")                      \
	E(ELOOP, TOO_MANY "levels of symbolic links")               \
	E(ENODATA, NO "data " AVAILABLE)                            \
	E(EPROTO, PROTOCOL "error")                                 \
	E(EBADMSG, "Bad message")                                   \
	E(EOVERFLOW, "Value too large for defined data type")       \
	E(ENOTSOCK, "Socket operation on non-socket")               \
	E(EMSGSIZE, "Message" TOO_LONG)                             \
	E(ENOPROTOOPT, PROTOCOL NOT AVAILABLE)                      \
	E(EPROTONOSUPPORT, PROTOCOL SUPPORTED)                      \
	E(EOPNOTSUPP, OPERATION SUPPORTED)                          \
	E(EAFNOSUPPORT, "Address family " SUPPORTED " by protocol") \
	E(EADDRINUSE, "A" ADDRESS " already in use")                \
	E(EADDRNOTAVAIL, "Cannot assign requested a" ADDRESS)       \
	E(ENETDOWN, NETWORK_IS "down")                              \
	E(ENETUNREACH, NETWORK_IS "unreachable")                    \
	E(ECONNRESET, CONNECTION "reset by peer")                   \
	E(ENOBUFS, NO "buffer space " AVAILABLE)                    \
	E(ENOTCONN, "Transport endpoint is " NOT "connected")       \
	E(ETIMEDOUT, CONNECTION "timed out")                        \
	E(ECONNREFUSED, CONNECTION "refused")                       \
	E(EHOSTDOWN, "Host is down")                                \
	E(EHOSTUNREACH, NO "route to host")                         \
	E(ESTALE, "Stale" FILE "handle")                            \
	E(EUCLEAN, "Structure needs cleaning")                      \
	E(EREMOTEIO, "Remote I/O" ERROR)                            \
	E(EDQUOT, "Disk quota exceeded")                            \
	E(ENOMEDIUM, NO "medium found")                             \
	E(ECANCELED, OPERATION "canceled")                          \
	E(ENOKEY, "Required key " NOT AVAILABLE)

static const char texts[] = WORDS
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
