#include "base64.h"

#include <stdbool.h>
#include <stdint.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <tmmintrin.h>
#define VECTORS 1
#endif

static const char alphabet[64] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

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
	while (size > 0) {
		uint32_t three = (uint32_t)from[0] << 16;

		if (size > 1)
			three |= (uint32_t)from[1] << 8;
		if (size > 2)
			three |= from[2];
		for (unsigned i = 0; i < 4; i++, three <<= 6)
			*to++ = i > size ? '=' : alphabet[three >> 18 & 63];
		from += 3;
		size -= size < 3 ? size : 3;
	}
	return (size_t)(to - begin);
}

size_t base64_decode(char *text, size_t size)
{
	/* One more than the 6 bits that a character stands for; filled in at the first use. */
	static uint8_t values[256];
	const char *at = text;
	const char *end = text + size;
	uint8_t *to = (uint8_t *)text;
	uint32_t bits = 0;
	unsigned sixes = 0;
	unsigned padding = 0;

	for (unsigned i = 0; values['/'] == 0; i++)
		values[(uint8_t)alphabet[i]] = (uint8_t)(i + 1);
	while (at < end) {
		char byte;
		unsigned value;

#ifdef VECTORS
		if (sixes == 0 && padding == 0 && vectors_usable()) {
			size_t used = decode_vectors(to, at, (size_t)(end - at));

			at += used;
			to += used / 4 * 3;
			if (at == end)
				break;
		}
#endif
		byte = *at++;
		value = values[(uint8_t)byte];
		if (byte == '\n' || byte == '\r')
			continue;
		if (byte == '=' && sixes >= 2)
			padding++;
		else if (value == 0 || padding > 0)
			return BASE64_BAD;
		else
			value--;
		bits = bits << 6 | value;
		if (++sixes == 4) {
			*to++ = (uint8_t)(bits >> 16);
			*to++ = (uint8_t)(bits >> 8);
			*to++ = (uint8_t)bits;
			sixes = 0;
		}
	}
	if (sixes != 0)
		return BASE64_SHORT;
	return (size_t)(to - (uint8_t *)text) - padding;
}
