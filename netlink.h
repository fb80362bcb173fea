/* Questions to the kernel over rtnetlink(7), and its answers, which need no /proc or /sys. */
#ifndef NETLINK_H
#define NETLINK_H

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of the scratch buffer, at its beginning: what holds messages while they are taken. The kernel
 * writes none that are longer unless asked for virtual functions. */
#define NETLINK_BUFFER_SIZE 16384

/* An answer that is being taken. */
struct netlink_answer {
	size_t body; /* of its messages, without attributes; what is shorter is dropped */
	void (*take)(const struct nlmsghdr *message);
	bool ended;
	int error; /* an errno; EINTR: what it lists has changed meanwhile, so ask again */
};

/* Returns a socket, or -1 with errno. */
int netlink_open(void);

/* Ask for all (NLM_F_DUMP in flags) or one of what type (RTM_GETLINK, RTM_GETADDR) lists, those of
 * the interface with this index (0: of all; kernels before 4.20 take it as 0 for addresses), and
 * take the answer's messages. Returns 0 or an errno as in struct netlink_answer. */
int netlink_ask(int socket, uint16_t type, uint16_t flags, uint32_t index,
	void (*take)(const struct nlmsghdr *message));

/* The messages in these bytes, which are aligned to 4. */
void netlink_take(struct netlink_answer *answer, const char *bytes, size_t size);

/* The value of the attribute type in a message whose body has this size, and its bytes in *size, 0
 * if it has none. */
const void *netlink_attribute(
	const struct nlmsghdr *message, size_t body, unsigned type, size_t *size);

#endif
