/* Any bytes as an answer over rtnetlink: what is taken lies within it, and so do the attributes.
 * The first byte says where the answer is cut in two.
 *
 * Covers: netlink.c
 */
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "netlink.h"
#include "scratch.h"
#include "tests/fuzz/harness.h"

static void take(const struct nlmsghdr *message)
{
	const char *end = (const char *)message + message->nlmsg_len;

	check((const char *)message >= scratch && end <= scratch + NETLINK_BUFFER_SIZE);
	check(message->nlmsg_len >= NLMSG_LENGTH(sizeof(struct ifaddrmsg)));
	for (unsigned type = 0; type < 8; type++) {
		size_t size;
		const char *value =
			netlink_attribute(message, sizeof(struct ifaddrmsg), type, &size);

		check(size == 0 || (value > (const char *)message && value + size <= end));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char rest[64];
	int ends[2];
	size_t first;

	if (size == 0 || size > NETLINK_BUFFER_SIZE)
		return 0;
	check(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == 0);
	first = *data < size - 1 ? *data : size - 1;
	data++;
	size--;
	if (first > 0)
		check(send(ends[1], data, first, 0) == (ssize_t)first);
	if (size > first)
		check(send(ends[1], data + first, size - first, 0) == (ssize_t)(size - first));
	(void)netlink_ask(ends[0], RTM_GETADDR, NLM_F_DUMP, 1, take);
	check(recv(ends[1], rest, sizeof(rest), MSG_DONTWAIT) ==
		NLMSG_LENGTH(sizeof(struct ifaddrmsg)));
	close(ends[1]);
	check(netlink_ask(-1, RTM_GETLINK, 0, 1, take) != 0);
	close(ends[0]);
	ends[0] = netlink_open();
	if (ends[0] >= 0)
		close(ends[0]);
	return 0;
}
