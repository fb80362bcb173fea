#include "address.h"

#define WORDS 8 /* of 16 bits */
#define WORDS_BEFORE_IPV4 6

static void put_ipv4(struct text *text, const uint8_t *bytes)
{
	text_format(text, "%u.%u.%u.%u", bytes[0], bytes[1], bytes[2], bytes[3]);
}

static void put_ipv6(struct text *text, const uint8_t *bytes)
{
	unsigned words[WORDS];
	unsigned zeros = WORDS; /* where the longest run of them begins, of two at least */
	unsigned length = 1;
	unsigned run = 0;
	bool has_ipv4;

	for (unsigned i = 0; i < WORDS; i++) {
		words[i] = (unsigned)bytes[2 * i] << 8 | bytes[2 * i + 1];
		run = words[i] == 0 ? run + 1 : 0;
		if (run > length) {
			length = run;
			zeros = i + 1 - run;
		}
	}
	has_ipv4 = zeros == 0 &&
		(length == WORDS_BEFORE_IPV4 ||
			(length == WORDS_BEFORE_IPV4 - 1 && words[length] == 0xFFFF));
	for (unsigned i = 0; i < WORDS; i++) {
		if (i == zeros)
			text_put(text, "::", 2);
		if (i - zeros < length)
			continue;
		if (i > 0 && i != zeros + length)
			text_put(text, ":", 1);
		if (has_ipv4 && i == WORDS_BEFORE_IPV4) {
			put_ipv4(text, bytes + 2 * i);
			break;
		}
		text_put_hex(text, words[i], 1);
	}
}

void address_put(struct text *text, const uint8_t *bytes, size_t size)
{
	if (size == 4)
		put_ipv4(text, bytes);
	else
		put_ipv6(text, bytes);
}

void address_put_hardware(struct text *text, const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (i > 0)
			text_put(text, ":", 1);
		text_put_hex(text, bytes[i], 2);
	}
}
