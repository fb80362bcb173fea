#include "base64.h"

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <tmmintrin.h>
#define VECTORS 1
#endif

/* Eight bytes that are reckoned with at once, each in a lane of its own, the first in the highest.
 * A lane must never overflow. */
#define LANES(byte) (UINT64_C(0x0101010101010101) * (byte))

static uint64_t load_lanes(const void *bytes)
{
	uint64_t lanes;

	memcpy(&lanes, bytes, sizeof(lanes));
	return be64toh(lanes);
}

static void store_lanes(void *bytes, uint64_t lanes)
{
	lanes = htobe64(lanes);
	memcpy(bytes, &lanes, sizeof(lanes));
}

/* 0x80 in each lane that holds at least least; none may hold 0x80 or more. */
static inline uint64_t lanes_from(uint64_t lanes, unsigned least)
{
	return (lanes + LANES(0x80 - least)) & LANES(0x80);
}

/* 1 in each of those lanes. */
static inline uint64_t ones_from(uint64_t lanes, unsigned least)
{
	return lanes_from(lanes, least) >> 7;
}

/* The characters that stand for the upper 48 bits. */
static uint64_t encode_lanes(uint64_t bits)
{
	uint64_t sixes;

	bits >>= 16;
	sixes = (bits & 0xFFFFFF000000) << 8 | (bits & 0xFFFFFF);
	sixes = (sixes & 0x00FFF00000FFF000) << 4 | (sixes & 0x00000FFF00000FFF);
	sixes = (sixes & 0x0FC00FC00FC00FC0) << 2 | (sixes & 0x003F003F003F003F);
	return sixes + LANES('A') + ones_from(sixes, 26) * ('a' - 26 - 'A') -
		ones_from(sixes, 52) * ('a' - 26 - ('0' - 52)) -
		ones_from(sixes, 62) * ('0' - 52 - ('+' - 62)) +
		ones_from(sixes, 63) * ('/' - 63 - ('+' - 62));
}

/* What eight characters stand for, in the upper 48 bits. False if one is foreign. */
static bool decode_lanes(uint64_t text, uint64_t *bits)
{
	uint64_t known = lanes_from(text & LANES(0x7F), '+');
	uint64_t sixes;

	if (text & LANES(0x80))
		return false;
	/* In and out of the alphabet's ranges. */
	known ^= lanes_from(text, '+' + 1) ^ lanes_from(text, '/') ^ lanes_from(text, '9' + 1) ^
		lanes_from(text, 'A') ^ lanes_from(text, 'Z' + 1) ^ lanes_from(text, 'a') ^
		lanes_from(text, 'z' + 1);
	if (known != LANES(0x80))
		return false;
	sixes = text + LANES(62 - '+') - ones_from(text, '/') * ((62 - '+') - (63 - '/')) -
		ones_from(text, '0') * ((63 - '/') - (52 - '0')) -
		ones_from(text, 'A') * ((52 - '0') + 'A') - ones_from(text, 'a') * ('a' - 26 - 'A');
	sixes = (sixes & 0x3F003F003F003F00) >> 2 | (sixes & 0x003F003F003F003F);
	sixes = (sixes & 0x0FFF00000FFF0000) >> 4 | (sixes & 0x00000FFF00000FFF);
	sixes = (sixes & 0x00FFFFFF00000000) >> 8 | (sixes & 0x0000000000FFFFFF);
	*bits = sixes << 16;
	return true;
}

#ifdef VECTORS

/* The vector forms take 12 bytes or 16 characters a step, by the method of Muła and Lemire,
 * "Faster Base64 Encoding and Decoding Using AVX2 Instructions" (2018), cut down to SSSE3. */

static bool vectors_usable(void)
{
	static signed char usable = -1;

	if (usable < 0) {
		unsigned a, b, c = 0, d;

		usable = __get_cpuid(1, &a, &b, &c, &d) && (c & bit_SSSE3) != 0;
	}
	return usable;
}

/* Encode while 16 bytes can be read; returns how many bytes were used, a multiple of 12. */
__attribute__((target("ssse3"))) static size_t encode_vectors(
	char *to, const uint8_t *from, size_t size)
{
	const __m128i spread = _mm_setr_epi8(1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10);
	/* What to add to a 6-bit value to get its character, by the class of the value. */
	const __m128i shifts =
		_mm_setr_epi8('a' - 26, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52,
			'0' - 52, '0' - 52, '0' - 52, '0' - 52, '+' - 62, '/' - 63, 'A', 0, 0);
	size_t used = 0;

	for (; size - used >= 16; used += 12, to += 16) {
		__m128i in = _mm_loadu_si128((const void *)(from + used));
		__m128i odd, even, sixes, class;

		in = _mm_shuffle_epi8(in, spread);
		odd = _mm_mulhi_epu16(
			_mm_and_si128(in, _mm_set1_epi32(0x0FC0FC00)), _mm_set1_epi32(0x04000040));
		even = _mm_mullo_epi16(
			_mm_and_si128(in, _mm_set1_epi32(0x003F03F0)), _mm_set1_epi32(0x01000010));
		sixes = _mm_or_si128(odd, even);
		class = _mm_subs_epu8(sixes, _mm_set1_epi8(51));
		class = _mm_or_si128(class,
			_mm_and_si128(_mm_cmpgt_epi8(_mm_set1_epi8(26), sixes), _mm_set1_epi8(13)));
		_mm_storeu_si128((void *)to, _mm_add_epi8(sixes, _mm_shuffle_epi8(shifts, class)));
	}
	return used;
}

/* Decode characters of the alphabet alone, 16 at a step, stopping before the first step that
 * meets another; returns how many were used, a multiple of 16. to may be from or before it. */
__attribute__((target("ssse3"))) static size_t decode_vectors(
	uint8_t *to, const char *from, size_t size)
{
	/* A character is foreign if the entries of its two nibbles have a bit in common. */
	const __m128i low_faults = _mm_setr_epi8(0x15, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11,
		0x11, 0x11, 0x13, 0x1A, 0x1B, 0x1B, 0x1B, 0x1A);
	const __m128i high_faults = _mm_setr_epi8(0x10, 0x10, 0x01, 0x02, 0x04, 0x08, 0x04, 0x08,
		0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10);
	const __m128i shifts = _mm_setr_epi8(0, 63 - '/', 62 - '+', 52 - '0', 0 - 'A', 0 - 'A',
		26 - 'a', 26 - 'a', 0, 0, 0, 0, 0, 0, 0, 0);
	const __m128i nibble = _mm_set1_epi8(0x0F);
	const __m128i order = _mm_setr_epi8(2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1);
	size_t used = 0;

	for (; size - used >= 16; used += 16, to += 12) {
		__m128i in = _mm_loadu_si128((const void *)(from + used));
		__m128i high = _mm_and_si128(_mm_srli_epi32(in, 4), nibble);
		__m128i faults = _mm_and_si128(_mm_shuffle_epi8(high_faults, high),
			_mm_shuffle_epi8(low_faults, _mm_and_si128(in, nibble)));
		__m128i class, out;

		if (_mm_movemask_epi8(_mm_cmpeq_epi8(faults, _mm_setzero_si128())) != 0xFFFF)
			break;
		class = _mm_add_epi8(_mm_cmpeq_epi8(in, _mm_set1_epi8('/')), high);
		out = _mm_add_epi8(in, _mm_shuffle_epi8(shifts, class));
		out = _mm_maddubs_epi16(out, _mm_set1_epi32(0x01400140));
		out = _mm_madd_epi16(out, _mm_set1_epi32(0x00011000));
		_mm_storeu_si128((void *)to, _mm_shuffle_epi8(out, order));
	}
	return used;
}

#endif

size_t base64_encode(char *to, const void *bytes, size_t size)
{
	const uint8_t *from = bytes;
	char *begin = to;

#ifdef VECTORS
	if (size >= 16 && vectors_usable()) {
		size_t used = encode_vectors(to, from, size);

		from += used;
		size -= used;
		to += used / 3 * 4;
	}
#endif
	for (; size >= 8; size -= 6, from += 6, to += 8)
		store_lanes(to, encode_lanes(load_lanes(from)));
	while (size > 0) {
		unsigned count = size < 3 ? (unsigned)size : 3;
		uint64_t lanes = 0;

		for (unsigned i = 0; i < count; i++)
			lanes |= (uint64_t)from[i] << (56 - 8 * i);
		lanes = encode_lanes(lanes);
		for (unsigned i = 0; i < 4; i++, lanes <<= 8)
			*to++ = i > count ? '=' : (char)(lanes >> 56);
		from += count;
		size -= count;
	}
	return (size_t)(to - begin);
}

/* Decode the beginning of text that has no foreign characters; *to is text or before it, and
 * follows. Returns where it ends, a multiple of 4 characters. */
static const char *decode_plain(char **to, const char *text, const char *end)
{
	uint64_t bits;

#ifdef VECTORS
	if (vectors_usable()) {
		size_t used = decode_vectors((uint8_t *)*to, text, (size_t)(end - text));

		text += used;
		*to += used / 4 * 3;
	}
#endif
	for (; end - text >= 8 && decode_lanes(load_lanes(text), &bits); text += 8, *to += 6)
		store_lanes(*to, bits);
	return text;
}

size_t base64_decode(char *text, size_t size)
{
	const char *at = text;
	const char *end = text + size;
	char *to = text;
	uint64_t group = 0;
	unsigned count = 0; /* of characters in it */
	unsigned padding = 0;

	for (;;) {
		uint64_t bits;
		char byte;

		if (count == 0 && padding == 0)
			at = decode_plain(&to, at, end);
		if (at == end)
			break;
		byte = *at++;
		if (byte == '\n' || byte == '\r')
			continue;
		if (byte == '=' && count >= 2) {
			padding++;
			byte = 'A';
		} else if (padding > 0) {
			return BASE64_BAD;
		}
		if (!decode_lanes(LANES((uint64_t)(uint8_t)byte), &bits))
			return BASE64_BAD;
		group = group << 6 | bits >> 58;
		if (++count == 4) {
			*to++ = (char)(group >> 16);
			*to++ = (char)(group >> 8);
			*to++ = (char)group;
			count = 0;
		}
	}
	if (count != 0)
		return BASE64_SHORT;
	return (size_t)(to - text) - padding;
}
