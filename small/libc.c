/* For the static release: what the C library gives with care for speed, for kernels before 3.x or
 * for threads, in the few bytes that the agent needs of it. A definition here keeps the linker
 * from taking the library's. Only for machines whose long has 64 bits, where system calls take the
 * same arguments as their functions do; elsewhere the library's own serve.
 */
#if defined(__LP64__)

#include <asm/ioctls.h>
#include <linux/reboot.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

struct epoll_event;
struct rusage;
struct sockaddr;
struct timespec;

/* No header declares these here: some of theirs take a variable number of arguments. */
long syscall(long number, ...);
int open(const char *path, int flags, unsigned mode);
int signalfd(int fd, const uint64_t *signals, int flags);
int sigprocmask(int how, const uint64_t *set, uint64_t *old);
int epoll_wait(int epoll, struct epoll_event *events, int count, int wait_ms);
int waitpid(int pid, int *status, int options);
long send(int fd, const void *bytes, size_t size, int flags);
long recv(int fd, void *bytes, size_t size, int flags);
size_t strlen(const char *text);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t size);
char *strchr(const char *text, int byte);
char *strrchr(const char *text, int byte);
size_t strcspn(const char *text, const char *stops);
size_t strspn(const char *text, const char *accepted);
int memcmp(const void *a, const void *b, size_t size);
void *memchr(const void *bytes, int byte, size_t size);
void *memset(void *bytes, int byte, size_t size);
char *getenv(const char *name);

#define HERE (-100) /* AT_FDCWD */
#define SIGNAL_SET_SIZE 8

#ifdef __x86_64__

#define QUOTE(text) #text
#define NUMBER(number) QUOTE(number)

/* clang-format off */
__asm__(".section .text.startup._start,\"ax\",@progbits\n"
	".global _start\n"
	"_start:\n"
	"xor %ebp, %ebp\n"
	"mov (%rsp), %rdi\n"
	"lea 8(%rsp), %rsi\n"
	"lea 8(%rsi,%rdi,8), %rdx\n"
	"mov %rdx, environ(%rip)\n"
	"and $-16, %rsp\n"
	"call main\n"
	"mov %eax, %edi\n"
	"call _exit\n"
	".previous\n");

/* The child returns on our stack first, so the address to return to is kept in a register. */
__asm__(".section .text.vfork,\"ax\",@progbits\n"
	".global vfork\n"
	"vfork:\n"
	"pop %rdx\n"
	"mov $" NUMBER(SYS_vfork) ", %eax\n"
	"syscall\n"
	"push %rdx\n"
	"jmp check_result\n"
	".previous\n");
/* clang-format on */

/* A function that is its system call, perhaps with arguments that are always the same: eight or
 * ten bytes each, and one way to enter the kernel. */
/* clang-format off */
__asm__(".macro kernel_call name, number, arguments\n"
	".section .text.hot.\\name,\"ax\",@progbits\n"
	".global \\name\n"
	"\\name:\n"
	"\\arguments\n"
	".if \\number < 128\n"
	"push $\\number\n"
	"pop %rax\n"
	".else\n"
	"mov $\\number, %eax\n"
	".endif\n"
	"jmp enter_kernel\n"
	".previous\n"
	".endm\n");
/* clang-format on */

#define CALL(name, number) CALL_WITH(name, number, "")
#define CALL_WITH(name, number, arguments) \
	__asm__("kernel_call " #name ", " QUOTE(number) ", \"" arguments "\"");

/* clang-format off */
__asm__(".section .text.hot.enter_kernel,\"ax\",@progbits\n"
	".global syscall\n"
	"syscall:\n"
	"mov %rdi, %rax\n"
	"mov %rsi, %rdi\n"
	"mov %rdx, %rsi\n"
	"mov %rcx, %rdx\n"
	"mov %r8, %rcx\n"
	"mov %r9, %r8\n"
	"mov 8(%rsp), %r9\n"
	"enter_kernel:\n"
	"mov %rcx, %r10\n"
	"syscall\n"
	"check_result:\n"
	"cmp $-4096, %rax\n"
	"jbe 1f\n"
	"neg %eax\n"
	"mov %eax, errno_value(%rip)\n"
	"or $-1, %rax\n"
	"1: ret\n"
	".previous\n");
/* clang-format on */

CALL(_exit, SYS_exit_group)
CALL(accept4, SYS_accept4)
CALL(access, SYS_access)
CALL(bind, SYS_bind)
CALL(chdir, SYS_chdir)
CALL(clock_gettime, SYS_clock_gettime)
CALL(clock_settime, SYS_clock_settime)
CALL(close, SYS_close)
CALL(connect, SYS_connect)
CALL(dup2, SYS_dup2)
CALL(epoll_create1, SYS_epoll_create1)
CALL(epoll_ctl, SYS_epoll_ctl)
CALL(epoll_wait, SYS_epoll_wait)
CALL(execve, SYS_execve)
CALL(fchmod, SYS_fchmod)
CALL(fchown, SYS_fchown)
CALL(fchownat, SYS_fchownat)
CALL(fcntl, SYS_fcntl)
CALL(fgetxattr, SYS_fgetxattr)
CALL(fsetxattr, SYS_fsetxattr)
CALL(fstatat, SYS_newfstatat)
CALL(fsync, SYS_fsync)
CALL(ftruncate, SYS_ftruncate)
CALL(getpid, SYS_getpid)
CALL(getpeername, SYS_getpeername)
CALL(getsockname, SYS_getsockname)
CALL(getsockopt, SYS_getsockopt)
CALL(ioctl, SYS_ioctl)
CALL(kill, SYS_kill)
CALL(listen, SYS_listen)
CALL(lseek, SYS_lseek)
CALL(madvise, SYS_madvise)
CALL(memfd_create, SYS_memfd_create)
CALL(mkdir, SYS_mkdir)
CALL(mkdirat, SYS_mkdirat)
CALL(mknod, SYS_mknod)
CALL(open, SYS_open)
CALL(openat, SYS_openat)
CALL(pipe2, SYS_pipe2)
CALL(poll, SYS_poll)
CALL(pread, SYS_pread64)
CALL(prlimit, SYS_prlimit64)
CALL(pwrite, SYS_pwrite64)
CALL(read, SYS_read)
CALL(readlink, SYS_readlink)
CALL(readlinkat, SYS_readlinkat)
CALL(rename, SYS_rename)
CALL(sched_yield, SYS_sched_yield)
CALL(sendto, SYS_sendto)
CALL(setfsgid, SYS_setfsgid)
CALL(setfsuid, SYS_setfsuid)
CALL(setgroups, SYS_setgroups)
CALL(setsid, SYS_setsid)
CALL(setsockopt, SYS_setsockopt)
CALL(socket, SYS_socket)
CALL(splice, SYS_splice)
CALL(statfs, SYS_statfs)
CALL(sync, SYS_sync)
CALL(sysinfo, SYS_sysinfo)
CALL(timerfd_create, SYS_timerfd_create)
CALL(timerfd_settime, SYS_timerfd_settime)
CALL(umask, SYS_umask)
CALL(uname, SYS_uname)
CALL(unlink, SYS_unlink)
CALL(unlinkat, SYS_unlinkat)
CALL(write, SYS_write)
CALL_WITH(recv, SYS_recvfrom, "xor %r8d, %r8d; xor %r9d, %r9d")
CALL_WITH(send, SYS_sendto, "xor %r8d, %r8d; xor %r9d, %r9d")
CALL_WITH(signalfd, SYS_signalfd4, "mov %edx, %ecx; push $" NUMBER(SIGNAL_SET_SIZE) "; pop %rdx")
CALL_WITH(sigprocmask, SYS_rt_sigprocmask, "push $" NUMBER(SIGNAL_SET_SIZE) "; pop %rcx")
CALL_WITH(waitpid, SYS_wait4, "xor %ecx, %ecx")

/* clang-format off */
__asm__(".section .text.memmove,\"ax\",@progbits\n"
	".global memcpy, memmove\n"
	"memcpy:\n"
	"memmove:\n"
	"mov %rdi, %rax\n"
	"sub %rsi, %rdi\n"
	"cmp %rdx, %rdi\n"
	"mov %rax, %rdi\n"
	"mov %rdx, %rcx\n"
	"jb 1f\n"
	"shr $3, %rcx\n"
	"rep movsq\n"
	"mov %edx, %ecx\n"
	"and $7, %ecx\n"
	"rep movsb\n"
	"ret\n"
	"1: lea -1(%rsi,%rcx), %rsi\n"
	"lea -1(%rdi,%rcx), %rdi\n"
	"std\n"
	"rep movsb\n"
	"cld\n"
	"ret\n"
	".previous\n");
/* clang-format on */

struct termios;

int errno_value;
char **environ;

int *__errno_location(void);
int ioctl(int fd, int request, void *argument);
int tcgetattr(int fd, struct termios *line);
int tcsetattr(int fd, int when, const struct termios *line);
int reboot(int how);
int sigaction(int signal, void (*const *handler)(int signal), void *old);
void return_from_signal(void);
int sigemptyset(uint64_t *set);
int sigaddset(uint64_t *set, int signal);
int __libc_current_sigrtmin(void);
int __libc_current_sigrtmax(void);

int *__errno_location(void)
{
	return &errno_value;
}

int tcgetattr(int fd, struct termios *line)
{
	return ioctl(fd, TCGETS, line);
}

int tcsetattr(int fd, int when, const struct termios *line)
{
	return ioctl(fd, TCSETS + when, (void *)(uintptr_t)line);
}

int reboot(int how)
{
	return (int)syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, how);
}

#define SA_RESTORER 0x04000000 /* of the kernel's own headers: a handler returns that way */

/* clang-format off */
__asm__(".section .text.hot.return_from_signal,\"ax\",@progbits\n"
	"return_from_signal:\n"
	"mov $" NUMBER(SYS_rt_sigreturn) ", %eax\n"
	"syscall\n"
	".previous\n");
/* clang-format on */

/* Sets a handler, which the structure has first; its mask and flags are taken as none. */
int sigaction(int signal, void (*const *handler)(int signal), void *old)
{
	const uintptr_t action[] = {
		(uintptr_t)*handler, SA_RESTORER, (uintptr_t)return_from_signal, 0};

	(void)old;
	return (int)syscall(SYS_rt_sigaction, signal, action, NULL, SIGNAL_SET_SIZE);
}

int sigemptyset(uint64_t *set)
{
	*set = 0;
	return 0;
}

int sigaddset(uint64_t *set, int signal)
{
	*set |= (uint64_t)1 << (signal - 1);
	return 0;
}

/* The C library keeps the first three real-time signals for its threads. */
int __libc_current_sigrtmin(void)
{
	return 35;
}

int __libc_current_sigrtmax(void)
{
	return 64;
}

#else

extern char **environ;

int fcntl(int fd, int command, long argument);
int openat(int folder, const char *path, int flags, unsigned mode);
int clock_gettime(int clock, struct timespec *time);

int fcntl(int fd, int command, long argument)
{
	return (int)syscall(SYS_fcntl, fd, command, argument);
}

int openat(int folder, const char *path, int flags, unsigned mode)
{
	return (int)syscall(SYS_openat, folder, path, flags, mode);
}

int clock_gettime(int clock, struct timespec *time)
{
	return (int)syscall(SYS_clock_gettime, clock, time);
}

int open(const char *path, int flags, unsigned mode)
{
	return (int)syscall(SYS_openat, HERE, path, flags, mode);
}

int signalfd(int fd, const uint64_t *signals, int flags)
{
	return (int)syscall(SYS_signalfd4, fd, signals, SIGNAL_SET_SIZE, flags);
}

int sigprocmask(int how, const uint64_t *set, uint64_t *old)
{
	return (int)syscall(SYS_rt_sigprocmask, how, set, old, SIGNAL_SET_SIZE);
}

int epoll_wait(int epoll, struct epoll_event *events, int count, int wait_ms)
{
	return (int)syscall(SYS_epoll_pwait, epoll, events, count, wait_ms, NULL, 0);
}

int waitpid(int pid, int *status, int options)
{
	return (int)syscall(SYS_wait4, pid, status, options, NULL);
}

long send(int fd, const void *bytes, size_t size, int flags)
{
	return syscall(SYS_sendto, fd, bytes, size, flags, NULL, 0);
}

long recv(int fd, void *bytes, size_t size, int flags)
{
	return syscall(SYS_recvfrom, fd, bytes, size, flags, NULL, NULL);
}

#endif

size_t strlen(const char *text)
{
	const char *end = text;

	while (*end)
		end++;
	return (size_t)(end - text);
}

int strncmp(const char *a, const char *b, size_t size)
{
	for (; size > 0; a++, b++, size--) {
		if (*a != *b || *a == '\0')
			return (unsigned char)*a - (unsigned char)*b;
	}
	return 0;
}

int strcmp(const char *a, const char *b)
{
	return strncmp(a, b, PTRDIFF_MAX);
}

char *strchr(const char *text, int byte)
{
	for (;; text++) {
		if (*text == (char)byte)
			return (char *)(uintptr_t)text;
		if (*text == '\0')
			return NULL;
	}
}

char *strrchr(const char *text, int byte)
{
	const char *found = NULL;

	while ((text = strchr(text, byte)))
		found = text++;
	return (char *)(uintptr_t)found;
}

size_t strcspn(const char *text, const char *stops)
{
	size_t size = 0;

	while (!strchr(stops, text[size]))
		size++;
	return size;
}

size_t strspn(const char *text, const char *accepted)
{
	size_t size = 0;

	while (text[size] && strchr(accepted, text[size]))
		size++;
	return size;
}

int memcmp(const void *a, const void *b, size_t size)
{
	const unsigned char *at = a;
	const unsigned char *other = b;

	for (; size > 0; at++, other++, size--) {
		if (*at != *other)
			return *at - *other;
	}
	return 0;
}

void *memchr(const void *bytes, int byte, size_t size)
{
	for (const char *at = bytes; size > 0; at++, size--) {
		if (*at == (char)byte)
			return (char *)(uintptr_t)at;
	}
	return NULL;
}

void *memset(void *bytes, int byte, size_t size)
{
	for (char *at = bytes; size > 0; size--)
		*at++ = (char)byte;
	return bytes;
}

char *getenv(const char *name)
{
	size_t size = strlen(name);

	for (char **variable = environ; *variable; variable++) {
		if (strncmp(*variable, name, size) == 0 && (*variable)[size] == '=')
			return *variable + size + 1;
	}
	return NULL;
}

#else
typedef int empty_translation_unit;
#endif
