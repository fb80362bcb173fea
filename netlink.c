#include "netlink.h"

#include <errno.h>
#include <sys/socket.h>

#include <linux/rtnetlink.h>

#include "scratch.h"

int netlink_open(void)
{
	int file = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	const int yes = 1;

	/* Without it the kernel does not look at the index. */
	(void)setsockopt(file, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &yes, sizeof(yes));
	return file;
}

void netlink_take(struct netlink_answer *answer, const char *bytes, size_t size)
{
	while (size >= NLMSG_HDRLEN && !answer->ended) {
		const struct nlmsghdr *message = (const void *)bytes;
		size_t length = message->nlmsg_len;

		if (length < NLMSG_HDRLEN || length > size)
			break;
		if (message->nlmsg_flags & NLM_F_DUMP_INTR)
			answer->error = EINTR;
		if (!(message->nlmsg_flags & NLM_F_MULTI) || message->nlmsg_type == NLMSG_DONE)
			answer->ended = true;
		if (message->nlmsg_type < NLMSG_MIN_TYPE) {
			/* The end of a list, too, may be an error. */
			const int *error = NLMSG_DATA(message);

			if (length >= NLMSG_LENGTH(sizeof(*error)) && *error != 0)
				answer->error = (int)(0 - (unsigned)*error);
		} else if (length >= NLMSG_LENGTH(answer->body)) {
			answer->take(message);
		}
		length = NLMSG_ALIGN(length);
		if (length > size)
			break;
		bytes += length;
		size -= length;
	}
}

int netlink_ask(int socket, uint16_t type, uint16_t flags, uint32_t index,
	void (*take)(const struct nlmsghdr *message))
{
	/* Of both bodies, the index is at the same place. */
	struct {
		struct nlmsghdr header;
		struct ifinfomsg body;
	} request = {{.nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST | flags},
		{.ifi_index = (int)index}};
	struct netlink_answer answer = {.body = sizeof(struct ifinfomsg), .take = take};

	if (type == RTM_GETADDR)
		answer.body = sizeof(struct ifaddrmsg);
	request.header.nlmsg_len = NLMSG_LENGTH((uint32_t)answer.body);
	if (send(socket, &request, request.header.nlmsg_len, 0) < 0)
		return errno;
	while (!answer.ended) {
		ssize_t count = recv(socket, scratch, NETLINK_BUFFER_SIZE, MSG_DONTWAIT);

		if (count <= 0)
			return count < 0 ? errno : EIO;
		netlink_take(&answer, scratch, (size_t)count);
	}
	return answer.error;
}

const void *netlink_attribute(
	const struct nlmsghdr *message, size_t body, unsigned type, size_t *size)
{
	const char *at = (const char *)message + NLMSG_LENGTH(NLMSG_ALIGN(body));
	const char *end = (const char *)message + message->nlmsg_len;
	const struct nlattr *attribute;

	for (; end - at >= (ptrdiff_t)sizeof(*attribute); at += NLMSG_ALIGN(attribute->nla_len)) {
		attribute = (const void *)at;
		if (attribute->nla_len < sizeof(*attribute) || attribute->nla_len > end - at)
			break;
		if ((attribute->nla_type & NLA_TYPE_MASK) == type) {
			*size = attribute->nla_len - sizeof(*attribute);
			return attribute + 1;
		}
	}
	*size = 0;
	return "";
}
