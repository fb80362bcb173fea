#include "loop.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "pages.h"

/* Two pipes for each of the programs that may run, and some for the channel. */
#define WATCHES_MAX 4608
/* Longer than a client takes between two requests of a transfer, shorter than anyone notices. */
#define IDLE_MS 10
/* After so many turns in a row that were shorter, memory is only given back at the end of it all,
 * which takes a timer; a few requests are worth none. */
#define BURST 16
#define SIGNAL_SET_SIZE 8 /* of the kernel; 16 on MIPS, which has 128 signals */

struct watch {
	void (*ready)(void *context, short revents);
	void *context;
};

/* Watch N is polled[N] and watches[N]; slot 0 is the signals'. A slot whose descriptor is gone has
 * fd -1 until the next turn closes the gap. */
static _Alignas(PAGES_ALIGNMENT) struct pollfd polled[WATCHES_MAX];
static _Alignas(PAGES_ALIGNMENT) struct watch watches[WATCHES_MAX];
static nfds_t watch_count;
static bool watch_gaps;

static void (*signalled)(int signal);

void (*loop_at_end)(void);
void (*loop_child_ended)(void);

PAGES_IDLE_CODE int64_t loop_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool loop_watch(int fd, short events, void (*ready)(void *context, short revents), void *context)
{
	if (watch_count == WATCHES_MAX)
		return false;
	polled[watch_count] = (struct pollfd){.fd = fd, .events = events};
	watches[watch_count] = (struct watch){.ready = ready, .context = context};
	watch_count++;
	return true;
}

static struct pollfd *find_watch(int fd)
{
	static struct pollfd none;

	for (nfds_t i = 0; i < watch_count; i++) {
		if (polled[i].fd == fd)
			return &polled[i];
	}
	return &none;
}

void loop_rewatch(int fd, short events)
{
	find_watch(fd)->events = events;
}

void loop_unwatch(int fd)
{
	struct pollfd *watch = find_watch(fd);

	watch->fd = -1;
	watch->revents = 0;
	watch_gaps = true;
}

static void close_watch_gaps(void)
{
	nfds_t kept = 0;

	for (nfds_t i = 0; i < watch_count; i++) {
		if (polled[i].fd < 0)
			continue;
		polled[kept] = polled[i];
		watches[kept++] = watches[i];
	}
	watch_count = kept;
	watch_gaps = false;
}

void loop_take_signals(void)
{
	struct signalfd_siginfo info;

	while (read(polled[0].fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo != SIGCHLD)
			signalled((int)info.ssi_signo);
		else if (loop_child_ended)
			loop_child_ended();
	}
}

static void signals_ready(void *context, short revents)
{
	(void)context;
	(void)revents;
	loop_take_signals();
}

bool loop_start(void (*taken)(int signal))
{
	static const char taken_signals[] = {
		SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGIO, LOOP_SIGNAL_PORT};
	static long default_action[16]; /* never written: in .bss it costs no byte */
	sigset_t signals;
	int fd;

	signalled = taken;
	/* What a parent left ignored would be ignored in our children, too. All zeros is the
	 * default, in any architecture's layout. */
	for (int i = 1; i < _NSIG; i++)
		(void)syscall(SYS_rt_sigaction, i, default_action, NULL, SIGNAL_SET_SIZE);
	sigemptyset(&signals);
	for (unsigned i = 0; i < sizeof(taken_signals); i++)
		sigaddset(&signals, taken_signals[i]);
	fd = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
	/* What a write would be killed by says so in errno, too. */
	sigaddset(&signals, SIGPIPE);
	sigaddset(&signals, SIGXFSZ);
	sigprocmask(SIG_SETMASK, &signals, NULL);
	return fd >= 0 && loop_watch(fd, POLLIN, signals_ready, NULL);
}

void loop_reset_signals(void)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void serve_events(void)
{
	nfds_t count = watch_count;

	for (nfds_t i = 0; i < count; i++) {
		short revents = polled[i].revents;

		polled[i].revents = 0;
		if (revents != 0)
			watches[i].ready(watches[i].context, revents);
	}
	if (watch_gaps)
		close_watch_gaps();
}

void loop_turn(int wait_ms)
{
	if (poll(polled, watch_count, wait_ms) > 0)
		serve_events();
}

PAGES_IDLE_CODE void loop_idle_turn(void)
{
	static unsigned quick_turns;
	int64_t begun_ms;
	int ready;

	if (pages_many())
		quick_turns = BURST;
	if (quick_turns < BURST) {
		pages_give_back_program();
		begun_ms = loop_now_ms();
		ready = poll(polled, watch_count, -1);
		quick_turns = loop_now_ms() - begun_ms < IDLE_MS ? quick_turns + 1 : 0;
	} else {
		ready = poll(polled, watch_count, IDLE_MS);
		if (ready == 0) {
			quick_turns = 0;
			pages_give_back();
			pages_give_back_program();
			ready = poll(polled, watch_count, -1);
		}
	}
	if (ready > 0)
		serve_events();
}
