#include "disk_serial.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "pages.h"

/* The layout of the pages: SPC-4, 7.8. */
#define HEADER_SIZE 4 /* of a page, and of a designator */
enum code_set { CODE_BINARY = 1, CODE_ASCII = 2 };
enum designator_type { VENDOR_SPECIFIC, T10_VENDOR, EUI_64, NAA };
/* Places in scsi_id's order of preference. */
#define T10_ASCII 9
#define RANKS_END 12

#define VENDOR_SIZE 8 /* of a T10 vendor's name */

static bool is_blank(char byte)
{
	return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

void disk_serial_put(struct text *serial, const char *name)
{
	bool begun = false;

	while (*name) {
		const char *from = name;

		while (is_blank(*name))
			name++;
		if (begun && *name && name > from)
			text_put(serial, "_", 1);
		from = name;
		while (*name && !is_blank(*name))
			name++;
		text_put(serial, from, (size_t)(name - from));
		begun = true;
	}
}

static bool belongs(char byte, const char *allowed)
{
	char letter = (char)(byte | 0x20);

	return (letter >= 'a' && letter <= 'z') || (byte >= '0' && byte <= '9') ||
		strchr("#+-.:=@_", byte) || strchr(allowed, byte);
}

void disk_serial_clean(char *serial, const char *allowed)
{
	const char *end = serial + strlen(serial);

	while (serial < end) {
		struct character character = decode_utf8(serial, end);

		if (character.code > 0x7F) {
			serial += character.at - serial;
		} else if (belongs(*serial, allowed)) {
			serial++;
		} else if (serial[0] == '\\' && serial[1] == 'x') {
			serial += 2;
		} else {
			*serial = is_blank(*serial) && *allowed ? ' ' : '_';
			serial++;
		}
	}
}

/* The bytes of a page or a designator at header, of which size bytes are there. */
static size_t size_of(const char *header, size_t size)
{
	size_t said = (uint8_t)header[3];

	return said < size - HEADER_SIZE ? said : size - HEADER_SIZE;
}

/* The place in scsi_id's order of preference: 0 is the best, RANKS_END is none. */
static unsigned rank_of(const char *designator, size_t size)
{
	unsigned type = designator[1] & 0x3F; /* with what it is the name of; 0 is the disk */
	unsigned code = designator[0] & 0x0F;
	unsigned rank = 2 * (5 - type);

	if (type > NAA || size == 0 || (code != CODE_BINARY && code != CODE_ASCII))
		return RANKS_END;
	/* Of names by NAA the registered and extended ones come first, then the registered ones. */
	if (type == NAA) {
		unsigned authority = (uint8_t)designator[HEADER_SIZE] >> 4;

		rank -= authority == 6 ? 4 : authority == 5 ? 2 : 0;
	}
	return rank + code - CODE_BINARY;
}

/* The first designator of the best rank there is, from the given one on and before end, or NULL. */
static const char *find_designator(const char *page, size_t size, unsigned best, unsigned end)
{
	const char *found = NULL;
	size_t at = HEADER_SIZE;

	while (at + HEADER_SIZE < size) {
		size_t length = size_of(page + at, size - at);
		unsigned rank = rank_of(page + at, length);

		if (rank >= best && rank < end) {
			found = page + at;
			end = rank;
		}
		at += HEADER_SIZE + length;
	}
	return found;
}

/* Append the name in a designator or a page at header, in hexadecimal if it is binary. */
static void put_name(struct text *raw, const char *header, const char *end, bool binary)
{
	const char *name = header + HEADER_SIZE;

	for (size_t left = size_of(header, (size_t)(end - header)); left > 0; left--, name++) {
		if (binary)
			text_put_hex(raw, (uint8_t)*name, 2);
		else
			text_put(raw, name, 1);
	}
}

void disk_serial_put_scsi(struct text *serial, const struct scsi_disk *disk)
{
	static PAGES_SELDOM char bytes[DISK_SERIAL_SIZE];
	struct text raw = text_in(bytes, sizeof(bytes));
	const char *vendor = disk->vendor;
	const char *model = disk->model;
	const char *header = disk->page_80;
	const char *end = header + disk->size_80;
	const char *designator = find_designator(disk->page_83, disk->size_83,
		disk->is_ata ? T10_ASCII : 0, disk->is_ata ? T10_ASCII + 1 : RANKS_END);
	size_t skipped = disk->is_ata ? 1 + VENDOR_SIZE : 0;
	char kind = 'S';

	if (designator) {
		header = designator;
		end = disk->page_83 + disk->size_83;
		kind = (char)('0' + (designator[1] & 0x0F));
		if (kind != '0' + VENDOR_SPECIFIC)
			vendor = model = "";
	} else if (disk->is_ata || disk->size_80 <= HEADER_SIZE) {
		return;
	}
	text_format(&raw, "%c%s%s", kind, vendor, model);
	put_name(&raw, header, end, designator && (designator[0] & 0x0F) == CODE_BINARY);
	if (raw.used > skipped)
		disk_serial_put(serial, bytes + skipped);
}
