/* The network: its interfaces with their addresses, and the routes. */
#include <errno.h>
#include <net/if.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <linux/if_arp.h>
#include <linux/rtnetlink.h>

#include "address.h"
#include "ascending.h"
#include "commands.h"
#include "error_text.h"
#include "figures.h"
#include "netlink.h"
#include "open_error.h"
#include "route_table.h"
#include "scratch.h"

/* ---- Interfaces ---- */

#define HARDWARE_SIZE 6 /* that is always told */
#define HARDWARE_MAX 32 /* MAX_ADDR_LEN of the kernel */
/* While others change the addresses, a list may come out wrong every time. */
#define TRIES_MAX 16
/* So many addresses are in one message, as they were at one time. */
#define SEEN_AT_ONCE 32

/* The interface that is being told. */
static struct {
	int socket;
	int error;
	uint32_t index;
	char name[IF_NAMESIZE];
	char hardware[ADDRESS_TEXT_SIZE];
	/* An address may be labelled with an alias, which then passes for an interface. */
	char alias[IF_NAMESIZE]; /* whose addresses are told; "": those with none */
	char next[IF_NAMESIZE];	 /* the least alias behind it, or "" */
	bool again;		 /* the list of addresses is read once more */
	bool listed;		 /* one was told */
	unsigned told;
	unsigned seen; /* addresses of the interface in this try */
} interface;

/* Marks of the addresses that were told, so that in the next try they are not told again. */
#define MARKS_MAX ((SCRATCH_SIZE - ASCENDING_SIZE - NETLINK_BUFFER_SIZE) / sizeof(uint32_t))

static bool told_before(const uint8_t *bytes, size_t size, uint32_t mark)
{
	uint32_t *marks = (void *)(scratch + NETLINK_BUFFER_SIZE);

	/* FNV-1a */
	while (size-- > 0)
		mark = (mark ^ *bytes++) * 0x01000193;
	for (unsigned i = 0; interface.again && i < interface.told; i++) {
		if (marks[i] == mark)
			return true;
	}
	if (interface.told < MARKS_MAX)
		marks[interface.told++] = mark;
	return false;
}

static void copy_name(char *name, const char *from)
{
	text_print(name, IF_NAMESIZE, "%s", from);
}

/* A name in a message, or "". */
static const char *find_name(const struct nlmsghdr *message, size_t body, unsigned type)
{
	size_t size;
	const char *name = netlink_attribute(message, body, type, &size);

	return size > 0 && name[size - 1] == '\0' ? name : "";
}

static void take_address(const struct nlmsghdr *message)
{
	const struct ifaddrmsg *address = NLMSG_DATA(message);
	const char *alias = find_name(message, sizeof(*address), IFA_LABEL);
	char bytes[ADDRESS_TEXT_SIZE];
	struct text text = text_in(bytes, sizeof(bytes));
	size_t size;
	/* Where there is a peer, the other is the peer's. */
	const void *value = netlink_attribute(message, sizeof(*address), IFA_LOCAL, &size);
	int order;

	if (size == 0)
		value = netlink_attribute(message, sizeof(*address), IFA_ADDRESS, &size);
	/* Of other families addresses are shorter. */
	if (address->ifa_index != interface.index || (size != 4 && size != 16))
		return;
	interface.seen++;
	if (text_equals(alias, interface.name))
		alias = "";
	order = strcmp(alias, interface.alias);
	if (order > 0 && (interface.next[0] == '\0' || strcmp(alias, interface.next) < 0))
		copy_name(interface.next, alias);
	if (order != 0 || told_before(value, size, address->ifa_prefixlen))
		return;
	if (!interface.listed) {
		json_put_key("ip-addresses");
		json_begin('[');
	}
	interface.listed = true;
	address_put(&text, value, size);
	json_begin('{');
	json_member_text("ip-address", bytes);
	json_member_text("ip-address-type", size == 4 ? "ipv4" : "ipv6");
	json_member_uint("prefix", address->ifa_prefixlen);
	json_end('}');
}

static void put_statistics(const struct nlmsghdr *message)
{
	/* In the order of struct rtnl_link_stats64. */
	static const char names[] = "rx-packets\0tx-packets\0rx-bytes\0tx-bytes\0"
				    "rx-errs\0tx-errs\0rx-dropped\0tx-dropped";
	enum { RX_DROPPED = 6, TOLD = 8, RX_MISSED = 15, FIGURES = 16 };
	uint64_t figures[FIGURES];
	size_t size;
	const void *value =
		netlink_attribute(message, sizeof(struct ifinfomsg), IFLA_STATS64, &size);

	if (size < sizeof(figures))
		return;
	memcpy(figures, value, sizeof(figures));
	/* As in /proc/net/dev. */
	figures[RX_DROPPED] += figures[RX_MISSED];
	json_put_key("statistics");
	json_begin('{');
	figures_put(names, figures, TOLD);
	json_end('}');
}

static void begin_interface(const char *name)
{
	json_begin('{');
	json_member_text("name", name);
	json_member_text("hardware-address", interface.hardware);
}

static void take_link(const struct nlmsghdr *message)
{
	const struct ifinfomsg *info = NLMSG_DATA(message);
	uint8_t bytes[HARDWARE_MAX] = {0};
	struct text hardware = text_in(interface.hardware, sizeof(interface.hardware));
	size_t size;
	const void *value = netlink_attribute(message, sizeof(*info), IFLA_ADDRESS, &size);

	copy_name(interface.name, find_name(message, sizeof(*info), IFLA_IFNAME));
	if (size > sizeof(bytes))
		size = sizeof(bytes);
	memcpy(bytes, value, size);
	/* Of what is no hardware, as many as QEMU's agent tells. */
	if (size < HARDWARE_SIZE || info->ifi_type >= ARPHRD_PPP)
		size = HARDWARE_SIZE;
	address_put_hardware(&hardware, bytes, size);
	begin_interface(interface.name);
	put_statistics(message);
}

/* The addresses that belong to the interface or alias, and the end of its object. */
static void put_addresses(void)
{
	unsigned tries = 0;
	unsigned before;
	int error;

	interface.next[0] = '\0';
	interface.listed = false;
	interface.told = 0;
	do {
		interface.again = tries > 0;
		interface.seen = 0;
		before = interface.told;
		error = netlink_ask(
			interface.socket, RTM_GETADDR, NLM_F_DUMP, interface.index, take_address);
		/* Kernels that list one interface's addresses do not say EINTR, but may leave some
		 * out where a list of several messages changes: until there is nothing new. */
		if (interface.seen > SEEN_AT_ONCE && interface.told > before)
			error = EINTR;
	} while (error == EINTR && interface.told < MARKS_MAX && tries++ < TRIES_MAX);
	if (interface.listed)
		json_end(']');
	json_end('}');
}

static void put_interface(uint64_t index)
{
	interface.index = (uint32_t)index;
	interface.alias[0] = '\0';
	/* It may have gone since. */
	if (netlink_ask(interface.socket, RTM_GETLINK, 0, interface.index, take_link) != 0)
		return;
	put_addresses();
	while (interface.next[0] != '\0') {
		copy_name(interface.alias, interface.next);
		begin_interface(interface.alias);
		put_addresses();
	}
}

static void take_index(const struct nlmsghdr *message)
{
	const struct ifinfomsg *info = NLMSG_DATA(message);

	ascending_found((uint32_t)info->ifi_index);
}

static void find_interfaces(void)
{
	unsigned tries = 0;

	do
		interface.error =
			netlink_ask(interface.socket, RTM_GETLINK, NLM_F_DUMP, 0, take_index);
	while (interface.error == EINTR && tries++ < TRIES_MAX);
}

static void get_interfaces(struct request *request)
{
	interface.socket = netlink_open();
	interface.error = errno;
	json_begin('[');
	if (interface.socket >= 0) {
		ascending_each(find_interfaces, put_interface);
		close(interface.socket);
	}
	if (interface.error == 0 || interface.error == EINTR)
		json_end(']');
	else
		reply_error(request, "getifaddrs failed: %s", error_text(interface.error));
}

/* ---- Routes ---- */

static void get_routes(struct request *request)
{
	static const char ipv4_table[] = "/proc/net/route";

	json_begin('[');
	if (!route_table_put(ipv4_table, 4)) {
		reply_open_error(request, ipv4_table);
		return;
	}
	/* A kernel may do without IPv6. */
	(void)route_table_put("/proc/net/ipv6_route", 6);
	json_end(']');
}

COMMANDS = {
	{"guest-network-get-interfaces", "", 0, get_interfaces},
	{"guest-network-get-route", "", 0, get_routes},
};
