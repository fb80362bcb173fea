/* A disk's serial number in the words of udev: clients compare it with the property ID_SERIAL,
 * which udev's rules for storage and their helpers (ata_id, scsi_id, usb_id) make. */
#ifndef DISK_SERIAL_H
#define DISK_SERIAL_H

#include <stddef.h>

#include "text.h"

#define DISK_SERIAL_SIZE 576 /* the longest: a designator in hexadecimal */

/* What may stay in a serial number beside letters, digits, some signs and UTF-8. */
#define DISK_SERIAL_AS_IS "/ $%?,"
#define DISK_SERIAL_AS_NAME ""

/* Append a name up to its NUL, each run of blanks in it as one '_', and those around it left out.
 */
void disk_serial_put(struct text *serial, const char *name);

/* Put '_' in the place of what does not belong in a serial number; a blank becomes a space where
 * allowed has one. */
void disk_serial_clean(char *serial, const char *allowed);

/* Append what scsi_id makes of a SCSI disk's vendor and model, padded as in INQUIRY, and its pages
 * of vital product data, each of which may be absent: then its size is 0. */
void disk_serial_put_scsi(struct text *serial, const char *vendor, const char *model,
	const char *page_83, size_t size_83, const char *page_80, size_t size_80);

/* Append what ata_id makes of an ATA disk: its model and its serial number stand in page 83,
 * whether the kernel made the page (SAT-3, 12.4.2) or the drive. */
void disk_serial_put_ata(struct text *serial, const char *page_83, size_t size_83);

#endif
