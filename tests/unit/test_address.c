/* Addresses, against inet_ntop of the C library. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"

static void assert_written(const uint8_t *bytes, size_t size)
{
	char expected[INET6_ADDRSTRLEN];
	char buffer[ADDRESS_TEXT_SIZE];
	struct text text = text_in(buffer, sizeof(buffer));

	assert_non_null(
		inet_ntop(size == 4 ? AF_INET : AF_INET6, bytes, expected, sizeof(expected)));
	address_put(&text, bytes, size);
	assert_string_equal(buffer, expected);
	assert_int_equal(text.used, strlen(expected));
}

static void every_pattern_of_zeros(void **state)
{
	(void)state;
	for (unsigned pattern = 0; pattern < 6561; pattern++) {
		/* Each of the words is one of three: 3 to the 8th. */
		static const uint16_t values[] = {0, 0xFFFF, 0x0A0B};
		uint8_t bytes[16];
		unsigned rest = pattern;

		for (unsigned i = 0; i < 8; i++, rest /= 3) {
			bytes[2 * i] = (uint8_t)(values[rest % 3] >> 8);
			bytes[2 * i + 1] = (uint8_t)values[rest % 3];
		}
		assert_written(bytes, 16);
	}
}

static void random_addresses(void **state)
{
	(void)state;
	srand(1);
	for (unsigned i = 0; i < 200000; i++) {
		uint8_t bytes[16];
		unsigned mask = (unsigned)rand();

		for (unsigned j = 0; j < 16; j++)
			bytes[j] = mask >> j & 1 ? 0 : (uint8_t)(rand() >> 4);
		assert_written(bytes, i & 1 ? 16 : 4);
	}
}

static void special_addresses(void **state)
{
	static const char *const texts[] = {"::", "::1", "::1:0", "::0.1.0.1", "::1.2.3.4",
		"::ffff:1.2.3.4", "::ffff:0.0.0.0", "::fffe:1.2.3.4", "64:ff9b::1.2.3.4",
		"1::", "fe80::1", "1:0:0:2:0:0:0:3", "1:0:0:2:3:0:0:4", "2001:db8:0:1:1:1:1:1",
		"ff02::1:ff00:1", "0:1:2:3:4:5:6:7", "1:2:3:4:5:6:7:0", "0:0:1::", "::2:0:0:1"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		uint8_t bytes[16];

		assert_int_equal(inet_pton(AF_INET6, texts[i], bytes), 1);
		assert_written(bytes, 16);
	}
}

static void hardware_addresses(void **state)
{
	uint8_t bytes[32];
	char buffer[ADDRESS_TEXT_SIZE];
	struct text text = text_in(buffer, sizeof(buffer));

	(void)state;
	address_put_hardware(&text, (const uint8_t *)"\x00\x0A\xF0\xFF\x01\x10", 6);
	assert_string_equal(buffer, "00:0a:f0:ff:01:10");
	text = text_in(buffer, sizeof(buffer));
	address_put_hardware(&text, bytes, 0);
	assert_string_equal(buffer, "");
	memset(bytes, 0xAB, sizeof(bytes));
	address_put_hardware(&text, bytes, sizeof(bytes));
	assert_int_equal(text.used, 32 * 3 - 1);
	assert_false(text.cut);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_pattern_of_zeros),
		cmocka_unit_test(random_addresses),
		cmocka_unit_test(special_addresses),
		cmocka_unit_test(hardware_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
