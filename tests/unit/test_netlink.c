/* Answers over rtnetlink: whole, changed meanwhile, an error, cut off, and attributes in them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/rtnetlink.h>

#include "netlink.h"

static unsigned taken;
static int ends[2];
static _Alignas(8) char bytes[4096];
static size_t filled;

static void count_message(const struct nlmsghdr *message)
{
	assert_true(message->nlmsg_len >= NLMSG_LENGTH(sizeof(struct ifaddrmsg)));
	taken++;
}

static struct nlmsghdr *add(unsigned type, unsigned flags, size_t body)
{
	struct nlmsghdr *message = (void *)(bytes + filled);

	memset(message, 0, NLMSG_SPACE(body));
	message->nlmsg_len = (uint32_t)NLMSG_LENGTH(body);
	message->nlmsg_type = (uint16_t)type;
	message->nlmsg_flags = (uint16_t)flags;
	filled += NLMSG_SPACE(body);
	return message;
}

static void deliver(void)
{
	assert_int_equal(send(ends[1], bytes, filled, 0), filled);
	filled = 0;
}

static int ask(void)
{
	int error;

	taken = 0;
	error = netlink_ask(ends[0], RTM_GETADDR, NLM_F_DUMP, 7, count_message);
	/* What was asked, and what is left of an answer. */
	assert_true(recv(ends[1], bytes, sizeof(bytes), MSG_DONTWAIT) > 0);
	while (recv(ends[0], bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
	return error;
}

static void answers_are_taken(void **state)
{
	(void)state;
	add(RTM_NEWADDR, NLM_F_MULTI, 8);
	add(RTM_NEWADDR, NLM_F_MULTI, 30);
	add(RTM_NEWADDR, NLM_F_MULTI, 4); /* too short */
	deliver();
	add(RTM_NEWADDR, NLM_F_MULTI, 8);
	add(NLMSG_NOOP, NLM_F_MULTI, 0);
	add(NLMSG_DONE, NLM_F_MULTI, 4);
	add(RTM_NEWADDR, NLM_F_MULTI, 8); /* too late */
	deliver();
	assert_int_equal(ask(), 0);
	assert_int_equal(taken, 3);
	add(RTM_NEWADDR, 0, 8);
	deliver();
	assert_int_equal(ask(), 0);
	assert_int_equal(taken, 1);
}

static void errors_are_told(void **state)
{
	int error = -ENODEV;

	(void)state;
	memcpy(NLMSG_DATA(add(NLMSG_ERROR, 0, 20)), &error, sizeof(error));
	deliver();
	assert_int_equal(ask(), ENODEV);
	memcpy(NLMSG_DATA(add(NLMSG_DONE, NLM_F_MULTI, 4)), &error, sizeof(error));
	deliver();
	assert_int_equal(ask(), ENODEV);
	add(RTM_NEWADDR, NLM_F_MULTI | NLM_F_DUMP_INTR, 8);
	deliver();
	add(NLMSG_DONE, NLM_F_MULTI, 4);
	deliver();
	assert_int_equal(ask(), EINTR);
	assert_int_equal(taken, 1);
	add(RTM_NEWADDR, NLM_F_MULTI, 8);
	deliver();
	assert_int_equal(ask(), EAGAIN); /* rather than to wait for what never comes */
}

static void messages_are_bounded(void **state)
{
	struct nlmsghdr *message;

	(void)state;
	for (unsigned length = 0; length < 64; length++) {
		message = add(RTM_NEWADDR, NLM_F_MULTI, 8);
		message->nlmsg_len = length;
		deliver();
		assert_int_equal(ask(), EAGAIN);
		assert_int_equal(taken, length == 24);
	}
}

static void attributes_are_found(void **state)
{
	struct nlmsghdr *message = add(RTM_NEWADDR, 0, 8 + 8 + 12);
	char *copy = malloc(message->nlmsg_len); /* so that no byte behind it is read */
	const char *value;
	size_t size;

	(void)state;
	filled = 0;
	memcpy((char *)message + 24, "\x05\0\x01\0a\0\0\0\x0A\0\x03\x80label", 18);
	for (uint32_t length = message->nlmsg_len; length >= 24; length--) {
		copy = realloc(copy, length);
		memcpy(copy, message, length);
		((struct nlmsghdr *)(void *)copy)->nlmsg_len = length;
		value = netlink_attribute((const void *)copy, 8, 1, &size);
		assert_int_equal(size, length >= 29 ? 1 : 0);
		assert_int_equal(*value, size ? 'a' : 0);
		value = netlink_attribute((const void *)copy, 8, 3, &size);
		assert_int_equal(size, length >= 42 ? 6 : 0);
		assert_string_equal(value, size ? "label" : "");
		netlink_attribute((const void *)copy, 8, 2, &size);
		assert_int_equal(size, 0);
	}
	free(copy);
}

static int open_ends(void **state)
{
	(void)state;
	return socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_are_taken),
		cmocka_unit_test(errors_are_told),
		cmocka_unit_test(messages_are_bounded),
		cmocka_unit_test(attributes_are_found),
	};

	return cmocka_run_group_tests(tests, open_ends, NULL);
}
