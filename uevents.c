#include "uevents.h"

#include <errno.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/netlink.h>

#include "loop.h"

#define KERNEL_GROUP 1 /* the other is udev's */

static int uevents = -1;
static void (*tell)(void);

static void take(void *context, short revents)
{
	char message[64]; /* what it says does not matter: the device is looked for */
	ssize_t count;

	(void)context;
	(void)revents;
	do
		count = recv(uevents, message, sizeof(message), MSG_DONTWAIT);
	while (count >= 0 || errno == ENOBUFS);
	tell();
}

bool uevents_hear(void (*announced)(void))
{
	struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = KERNEL_GROUP};

	if (uevents >= 0)
		return true;
	tell = announced;
	uevents = socket(
		AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);
	if (bind(uevents, (const void *)&address, sizeof(address)) == 0 &&
		loop_watch(uevents, POLLIN, take, NULL))
		return true;
	uevents_ignore();
	return false;
}

void uevents_ignore(void)
{
	loop_unwatch(uevents);
	close(uevents);
	uevents = -1;
}
