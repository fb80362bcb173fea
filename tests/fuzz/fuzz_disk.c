/* Any bytes as what a disk says of itself: the serial number that is made of them is clean, and
 * within bounds.
 *
 * Covers: disk_serial.c
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "disk_serial.h"
#include "harness.h"

/* The next part of the input, whose first byte says how long it is; in memory of its own, so that
 * its ends are guarded, and with a NUL behind it. */
static char *take(const uint8_t **data, size_t *left, size_t *size)
{
	char *part;

	*size = *left > 0 ? **data : 0;
	if (*left > 0) {
		++*data;
		--*left;
	}
	if (*size > *left)
		*size = *left;
	part = malloc(*size + 1);
	memcpy(part, *data, *size);
	part[*size] = '\0';
	*data += *size;
	*left -= *size;
	return part;
}

/* The same as a page, without the NUL. */
static char *take_page(const uint8_t **data, size_t *left, size_t *size)
{
	char *part = take(data, left, size);
	char *page = malloc(*size > 0 ? *size : 1);

	memcpy(page, part, *size);
	free(part);
	return page;
}

static void check_clean(const char *serial, const char *allowed)
{
	static const char signs[] = "#+-.:=@_\\";

	for (; *serial; serial++) {
		char letter = (char)(*serial | 0x20);

		check((*serial & 0x80) || (letter >= 'a' && letter <= 'z') ||
			(*serial >= '0' && *serial <= '9') || strchr(signs, *serial) ||
			strchr(allowed, *serial));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char bytes[DISK_SERIAL_SIZE];
	struct text serial = text_in(bytes, sizeof(bytes));
	size_t name_size;
	struct scsi_disk disk = {.is_ata = size > 0 && (*data & 1)};
	const char *allowed = size > 0 && (*data & 2) ? DISK_SERIAL_AS_IS : DISK_SERIAL_AS_NAME;
	char *vendor;
	char *model;
	char *page_83;
	char *page_80;

	if (size == 0)
		return 0;
	data++;
	size--;
	vendor = take(&data, &size, &name_size);
	model = take(&data, &size, &name_size);
	page_83 = take_page(&data, &size, &disk.size_83);
	page_80 = take_page(&data, &size, &disk.size_80);
	disk.vendor = vendor;
	disk.model = model;
	disk.page_83 = page_83;
	disk.page_80 = page_80;
	disk_serial_put_scsi(&serial, &disk);
	check(serial.used < sizeof(bytes) && strlen(bytes) == serial.used);
	disk_serial_put(&serial, vendor);
	disk_serial_clean(bytes, allowed);
	check(strlen(bytes) == serial.used);
	check_clean(bytes, allowed);
	free(vendor);
	free(model);
	free(page_83);
	free(page_80);
	return 0;
}
