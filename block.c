#include "block.h"

#include <stdint.h>
#include <string.h>

#include "directory.h"
#include "disk_serial.h"
#include "json.h"
#include "kernel_file.h"
#include "text.h"

/* How the unit on a controller's bus is counted. */
enum unit {
	UNIT_NONE,    /* not at all, or by SCSI's LUN */
	UNIT_TARGET,  /* by SCSI's target */
	UNIT_CHANNEL, /* by the target on each channel, which is the bus */
	UNIT_RANK,    /* by channel */
};

/* The controllers that tell where a disk is, by the drivers of their PCI devices. */
static const struct controller {
	char driver[11];
	char bus_type[7];
	uint8_t unit; /* enum unit */
} controllers[] = {
	{"virtio-pci", "virtio", UNIT_NONE},
	{"ata_piix", "ide", UNIT_CHANNEL},
	{"ahci", "sata", UNIT_RANK},
	{"sym53c8xx", "scsi", UNIT_TARGET},
	{"nvme", "nvme", UNIT_NONE},
	{"xhci_hcd", "usb", UNIT_NONE},
	{"ehci-pci", "usb", UNIT_NONE},
};

#define CONTROLLER_COUNT (sizeof(controllers) / sizeof(controllers[0]))
#define VIRTIO (&controllers[0])

/* In numbers of SCSI, as sysfs has them in a path: targetH:C:T/H:C:T:L. */
enum scsi_number { SCSI_CHANNEL = 4, SCSI_TARGET, SCSI_LUN, SCSI_NUMBERS };

struct address {
	const char *bus_type;
	int64_t pci[4]; /* domain, bus, slot and function, or -1 */
	unsigned bus;
	unsigned target;
	unsigned unit;
};

const char *block_scan(const char *text, const char *format, unsigned *numbers)
{
	for (; *format; format++) {
		unsigned base = *format == 'd' ? 10 : 16;
		const char *begin = text;

		if (*format != 'd' && *format != 'x') {
			if (*text++ != *format)
				return NULL;
			continue;
		}
		for (*numbers = 0;; text++) {
			unsigned digit = (unsigned)*text - '0';

			if (digit > 9)
				digit = (((unsigned)*text | 0x20) - 'a') + 10;
			if (digit >= base || (digit > 9) != (*text > '9'))
				break;
			*numbers = *numbers * base + digit;
		}
		if (text == begin)
			return NULL;
		numbers++;
	}
	return text;
}

/* What follows the first part in path, or NULL. */
static const char *behind(const char *path, const char *part)
{
	const char *rest;

	for (; *path; path++) {
		if ((rest = text_after(path, part)))
			return rest;
	}
	return NULL;
}

bool block_find(struct block *block, const char *folder, const char *link)
{
	char place[BLOCK_PATH_SIZE];
	char target[BLOCK_PATH_SIZE];
	const char *devices;

	text_print(place, sizeof(place), "%s/%s", folder, link);
	kernel_file_link(place, target, sizeof(target));
	devices = behind(target, "../devices/");
	if (!devices || !text_print(block->path, sizeof(block->path), "/sys/devices/%s", devices))
		return false;
	block->name = strrchr(block->path, '/') + 1;
	return true;
}

bool block_is_virtual(const struct block *block)
{
	return text_after(block->path, "/sys/devices/virtual/block/");
}

bool block_open_slaves(const struct block *block, struct directory *slaves)
{
	char place[BLOCK_PATH_SIZE];

	text_print(place, sizeof(place), "%s/slaves", block->path);
	return directory_open(slaves, place);
}

void block_node(const char *name, char node[BLOCK_NODE_SIZE])
{
	text_print(node, BLOCK_NODE_SIZE, "/dev/%s", name);
	while ((node = strchr(node, '!')))
		*node = '/';
}

void block_put_node(const char *name)
{
	char node[BLOCK_NODE_SIZE];

	block_node(name, node);
	json_put_text(node);
}

/* The controller of the first PCI device on the path that is one, with its place; or NULL. */
static const struct controller *find_controller(const char *path, int64_t pci[4])
{
	const char *part = path;
	unsigned numbers[4];

	while ((part = strchr(part, '/'))) {
		const char *end = block_scan(++part, "x:x:x.x", numbers);
		char place[BLOCK_PATH_SIZE];
		char driver[BLOCK_PATH_SIZE];

		if (!end || *end != '/')
			continue;
		text_print(place, sizeof(place), "%.*s/driver", (int)(end - path), path);
		kernel_file_link(place, driver, sizeof(driver));
		for (size_t i = 0; i < CONTROLLER_COUNT; i++) {
			const char *name = strrchr(driver, '/');

			if (!name || !text_equals(name + 1, controllers[i].driver))
				continue;
			for (unsigned n = 0; n < 4; n++)
				pci[n] = numbers[n];
			return &controllers[i];
		}
	}
	return NULL;
}

/* Count the channels before the disk's among those of its controller: folders with numbered names,
 * in the order of the numbers, which go on from controller to controller. False if it has none. */
static bool find_channel(const char *path, unsigned *rank)
{
	const char *name = "ata";
	const char *at = behind(path, "/ata");
	char place[BLOCK_PATH_SIZE];
	struct directory folder;
	unsigned number;
	unsigned other;

	if (!at) {
		name = "host";
		at = behind(path, "/host");
	}
	if (!at || !block_scan(at, "d", &number))
		return false;
	text_print(place, sizeof(place), "%.*s", (int)(at - path) - (int)strlen(name), path);
	if (!directory_open(&folder, place))
		return false;
	*rank = 0;
	while ((at = directory_next(&folder))) {
		at = text_after(at, name);
		if (at && block_scan(at, "d", &other) && other < number)
			++*rank;
	}
	directory_close(&folder);
	return true;
}

static void find_address(struct address *address, const char *path)
{
	unsigned scsi[SCSI_NUMBERS];
	unsigned rank = 0;
	const char *at = behind(path, "/target");
	bool has_target = at && block_scan(at, "d:d:d/d:d:d:d", scsi);
	const struct controller *controller = find_controller(path, address->pci);
	enum unit unit = UNIT_NONE;

	if (controller)
		unit = (enum unit)controller->unit;
	else if (behind(path, "/virtio"))
		controller = VIRTIO;
	if (!controller || (unit != UNIT_NONE && !has_target) ||
		(unit >= UNIT_CHANNEL && !find_channel(path, &rank)))
		return;
	address->bus_type = controller->bus_type;
	if (controller == VIRTIO && has_target) {
		address->bus_type = "scsi";
		address->unit = scsi[SCSI_LUN];
		if (address->pci[0] < 0) {
			address->bus = scsi[SCSI_CHANNEL];
			address->target = scsi[SCSI_TARGET];
		}
	} else if (unit == UNIT_RANK) {
		address->unit = rank;
	} else if (unit != UNIT_NONE) {
		address->bus = rank;
		address->unit = scsi[SCSI_TARGET];
	}
}

/* Read the attribute that the device itself has, or else the nearest around it; an empty one does
 * not count. Returns how much of path leads to whose it is, or 0 if none has it. */
static size_t find_attribute(const char *path, const char *name, char *value, size_t size)
{
	size_t length = strlen(path);

	while (length > 0) {
		if (kernel_file_line(value, size, "%.*s/%s", (int)length, path, name) && *value)
			break;
		while (length > 0 && path[--length] != '/')
			;
	}
	return length;
}

#define ATTRIBUTE_SIZE 128

/* Append an attribute as udev's rules do: without blanks at its end. */
static void put_attribute(struct text *serial, const char *path, const char *name)
{
	char value[ATTRIBUTE_SIZE];
	size_t size;

	if (!find_attribute(path, name, value, sizeof(value)))
		return;
	size = strlen(value);
	while (size > 0 && (unsigned char)value[size - 1] <= ' ')
		size--;
	if (serial->used > 0)
		text_put(serial, "_", 1);
	text_put(serial, value, size);
}

/* usb_id takes a number of the device for none if it has other characters. */
static bool is_usb_serial(const char *text)
{
	for (; *text; text++) {
		if ((int8_t)*text < ' ' || *text == ',')
			return false;
	}
	return true;
}

/* Append what usb_id makes of a disk whose vendor and model these are. */
static void put_usb(struct text *serial, const char *path, const char *vendor, const char *model)
{
	char value[ATTRIBUTE_SIZE];
	unsigned scsi[SCSI_NUMBERS];
	size_t length = find_attribute(path, "idVendor", value, sizeof(value));
	const char *target = behind(path, "/target");

	disk_serial_put(serial, vendor);
	text_put(serial, "_", 1);
	disk_serial_put(serial, model);
	if (kernel_file_line(value, sizeof(value), "%.*s/serial", (int)length, path) && *value &&
		is_usb_serial(value)) {
		text_put(serial, "_", 1);
		disk_serial_put(serial, value);
	}
	if (target && block_scan(target, "d:d:d/d:d:d:d", scsi))
		text_format(serial, "-%u:%u", scsi[SCSI_TARGET], scsi[SCSI_LUN]);
}

#define PAGE_SIZE_MAX 512 /* of vital product data: more than scsi_id reads */

static size_t read_page(const char *path, size_t length, const char *name, char *page)
{
	char place[BLOCK_PATH_SIZE];
	ssize_t size;

	text_print(place, sizeof(place), "%.*s/%s", (int)length, path, name);
	size = kernel_file_read(place, 0, page, PAGE_SIZE_MAX);
	return size < 0 ? 0 : (size_t)size;
}

static void put_scsi(struct text *serial, const char *path)
{
	char vendor[ATTRIBUTE_SIZE];
	char model[ATTRIBUTE_SIZE];
	char page_83[PAGE_SIZE_MAX];
	char page_80[PAGE_SIZE_MAX];
	size_t length = find_attribute(path, "vendor", vendor, sizeof(vendor));
	size_t size_83 = read_page(path, length, "vpd_pg83", page_83);

	kernel_file_line(model, sizeof(model), "%.*s/model", (int)length, path);
	if (length == 0)
		return;
	if (behind(path, "/usb"))
		put_usb(serial, path, vendor, model);
	else if (behind(path, "/ata"))
		disk_serial_put_ata(serial, page_83, size_83);
	else
		disk_serial_put_scsi(serial, vendor, model, page_83, size_83, page_80,
			read_page(path, length, "vpd_pg80", page_80));
}

static void put_serial(const struct block *block)
{
	char bytes[DISK_SERIAL_SIZE];
	struct text serial = text_in(bytes, sizeof(bytes));
	const char *allowed = DISK_SERIAL_AS_NAME;

	if (text_after(block->name, "nvme")) {
		put_attribute(&serial, block->path, "model");
		put_attribute(&serial, block->path, "serial");
		put_attribute(&serial, block->path, "nsid");
	} else if (text_after(block->name, "sd") || text_after(block->name, "sr")) {
		put_scsi(&serial, block->path);
	} else if (text_after(block->name, "vd") || text_after(block->name, "mmcblk")) {
		put_attribute(&serial, block->path, "serial");
		allowed = DISK_SERIAL_AS_IS;
	}
	disk_serial_clean(bytes, allowed);
	if (*bytes)
		json_member_text("serial", bytes);
}

/* Write an object; its names stand behind one another. */
static void put_numbers(const char *key, const char *names, const int64_t numbers[4])
{
	json_put_key(key);
	json_begin('{');
	for (unsigned i = 0; i < 4; i++) {
		json_member_int(names, numbers[i]);
		names += strlen(names) + 1;
	}
	json_end('}');
}

void block_put_address(const struct block *block)
{
	struct address address = {.bus_type = "unknown", .pci = {-1, -1, -1, -1}};
	unsigned ccw[7];
	const char *at = behind(block->path, "/devices/css");

	find_address(&address, block->path);
	json_begin('{');
	put_numbers("pci-controller", "domain\0bus\0slot\0function", address.pci);
	json_member_text("bus-type", address.bus_type);
	json_member_uint("bus", address.bus);
	json_member_uint("target", address.target);
	json_member_uint("unit", address.unit);
	put_serial(block);
	json_put_key("dev");
	block_put_node(block->name);
	if (at && block_scan(at, "x/x.x.x/x.x.x", ccw)) {
		const int64_t numbers[] = {ccw[1], ccw[2], ccw[3], ccw[6]};

		put_numbers("ccw-address", "cssid\0ssid\0subchno\0devno", numbers);
	}
	json_end('}');
}

#define DEVICE_NUMBER_SIZE 24 /* MAJOR:MINOR */
#define MINOR_BITS 20	      /* of a device's number in the kernel */

/* The devices of one answer that were met, by their numbers. What is beyond is met again. */
#define SEEN_MAX 64
static uint32_t seen[SEEN_MAX];
static unsigned seen_count;

static bool is_new(uint32_t device)
{
	for (unsigned i = 0; i < seen_count; i++) {
		if (seen[i] == device)
			return false;
	}
	if (seen_count < SEEN_MAX)
		seen[seen_count++] = device;
	return true;
}

/* Stacks have a handful of layers: below a thin volume on an encrypted RAID are four. */
#define DEPTH_MAX 16

/* number is MAJOR:MINOR. */
static void put_below(const char *number, unsigned depth)
{
	struct block block;
	struct directory slaves;
	unsigned numbers[2];
	const char *slave;

	if (depth == DEPTH_MAX || !block_scan(number, "d:d", numbers) ||
		!is_new(numbers[0] << MINOR_BITS | numbers[1]) ||
		!block_find(&block, "/sys/dev/block", number))
		return;
	if (!block_is_virtual(&block)) {
		block_put_address(&block);
		return;
	}
	if (!block_open_slaves(&block, &slaves)) {
		/* Partitions have none of their own. */
		block.path[block.name - 1 - block.path] = '\0';
		if (!block_open_slaves(&block, &slaves))
			return;
	}
	while ((slave = directory_next(&slaves))) {
		char below[DEVICE_NUMBER_SIZE];

		kernel_file_line(below, sizeof(below), "%s/slaves/%s/dev", block.path, slave);
		put_below(below, depth + 1);
	}
	directory_close(&slaves);
}

void block_put_addresses(unsigned major, unsigned minor)
{
	char number[DEVICE_NUMBER_SIZE];

	seen_count = 0;
	text_print(number, sizeof(number), "%u:%u", major, minor);
	json_begin('[');
	put_below(number, 0);
	json_end(']');
}
