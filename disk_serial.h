/* A disk's serial number in the words of udev: clients compare it with the property ID_SERIAL,
 * which udev's rules for storage and their helpers (ata_id, scsi_id, usb_id) make. */
#ifndef DISK_SERIAL_H
#define DISK_SERIAL_H

#include <stdbool.h>
#include <stddef.h>

#include "text.h"

#define DISK_SERIAL_SIZE 576 /* the longest: a designator in hexadecimal */

/* What may stay in a serial number beside letters, digits, some signs and UTF-8. */
#define DISK_SERIAL_AS_IS "/ $%?,"
#define DISK_SERIAL_AS_NAME "" /* nothing */

/* Append a name up to its NUL, each run of blanks in it as one '_', and those around it left out.
 */
void disk_serial_put(struct text *serial, const char *name);

/* Put '_' in the place of what does not belong in a serial number. Blanks become spaces where
 * something more is allowed. */
void disk_serial_clean(char *serial, const char *allowed);

/* What a SCSI disk says of itself. A page that it does not have has the size 0. */
struct scsi_disk {
	const char *vendor; /* as in INQUIRY: padded with spaces */
	const char *model;
	const char *page_83; /* of its vital product data */
	size_t size_83;
	const char *page_80;
	size_t size_80;
	bool is_ata; /* its page 83 was translated from what an ATA disk says (SAT-3, 12.4.2) */
};

/* Append what scsi_id makes of a SCSI disk, or ata_id of an ATA disk. */
void disk_serial_put_scsi(struct text *serial, const struct scsi_disk *disk);

#endif
