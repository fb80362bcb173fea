#include "block.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/hdreg.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

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
	unsigned pci[4]; /* domain, bus, slot and function, or all NONE */
	unsigned place[3];
};

#define NONE UINT_MAX /* -1 for clients */
enum place { PLACE_BUS, PLACE_TARGET, PLACE_UNIT };

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

/* Make the path of a name below the first length bytes of a path; it is there until the next. */
static const char *below(const char *path, size_t length, const char *name)
{
	static char place[BLOCK_PATH_SIZE];

	text_print(place, sizeof(place), "%.*s/%s", (int)length, path, name);
	return place;
}

bool block_find(struct block *block, const char *folder, const char *link)
{
	char target[BLOCK_PATH_SIZE];
	const char *devices;

	kernel_file_link(below(folder, strlen(folder), link), target, sizeof(target));
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
	return directory_open(slaves, below(block->path, strlen(block->path), "slaves"));
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
static const struct controller *find_controller(const char *path, unsigned pci[4])
{
	const char *part = path;

	while ((part = strchr(part, '/'))) {
		const char *end = block_scan(++part, "x:x:x.x", pci);
		char driver[BLOCK_PATH_SIZE];
		const char *name;

		if (!end || *end != '/')
			continue;
		kernel_file_link(
			below(path, (size_t)(end - path), "driver"), driver, sizeof(driver));
		name = strrchr(driver, '/');
		for (size_t i = 0; name && i < CONTROLLER_COUNT; i++) {
			if (text_equals(name + 1, controllers[i].driver))
				return &controllers[i];
		}
	}
	pci[0] = pci[1] = pci[2] = pci[3] = NONE;
	return NULL;
}

/* Count the channels before the disk's among those of its controller: folders with numbered names,
 * in the order of the numbers, which go on from controller to controller. False if it has none. */
static bool find_channel(const char *path, unsigned *rank)
{
	const char *name = "/ata";
	const char *at = behind(path, name);
	struct directory folder;
	unsigned number;
	unsigned other;

	if (!at) {
		name = "/host";
		at = behind(path, name);
	}
	if (!at || !block_scan(at, "d", &number))
		return false;
	if (!directory_open(&folder, below(path, (size_t)(at - path) - strlen(name), "")))
		return false;
	*rank = 0;
	while ((at = directory_next(&folder))) {
		at = text_after(at, name + 1);
		if (at && block_scan(at, "d", &other) && other < number)
			++*rank;
	}
	directory_close(&folder);
	return true;
}

static bool find_target(const char *path, unsigned scsi[SCSI_NUMBERS])
{
	const char *at = behind(path, "/target");

	return at && block_scan(at, "d:d:d/d:d:d:d", scsi);
}

static void find_address(struct address *address, const char *path)
{
	unsigned scsi[SCSI_NUMBERS];
	unsigned rank = 0;
	bool has_target = find_target(path, scsi);
	const struct controller *controller = find_controller(path, address->pci);
	enum unit unit = controller ? (enum unit)controller->unit : UNIT_NONE;

	address->bus_type = "unknown";
	if (!controller && behind(path, "/virtio"))
		controller = VIRTIO;
	if (!controller || (unit != UNIT_NONE && !has_target) ||
		(unit >= UNIT_CHANNEL && !find_channel(path, &rank)))
		return;
	address->bus_type = controller->bus_type;
	if (controller == VIRTIO && has_target) {
		address->bus_type = "scsi";
		address->place[PLACE_UNIT] = scsi[SCSI_LUN];
		if (address->pci[0] == NONE) {
			address->place[PLACE_BUS] = scsi[SCSI_CHANNEL];
			address->place[PLACE_TARGET] = scsi[SCSI_TARGET];
		}
	} else if (unit == UNIT_RANK) {
		address->place[PLACE_UNIT] = rank;
	} else if (unit != UNIT_NONE) {
		address->place[PLACE_BUS] = rank;
		address->place[PLACE_UNIT] = scsi[SCSI_TARGET];
	}
}

/* Read an attribute of the device whose folder is the first length bytes of path. */
static bool read_attribute(
	const char *path, size_t length, const char *name, char value[BLOCK_ATTRIBUTE_SIZE])
{
	return kernel_file_read_line(below(path, length, name), value, BLOCK_ATTRIBUTE_SIZE) &&
		*value;
}

bool block_attribute(const struct block *block, const char *name, char value[BLOCK_ATTRIBUTE_SIZE])
{
	return read_attribute(block->path, strlen(block->path), name, value);
}

/* Read the attribute that the device itself has, or else the nearest around it; an empty one does
 * not count. Returns how much of path leads to whose it is, or 0 if none has it. */
static size_t find_attribute(const char *path, const char *name, char value[BLOCK_ATTRIBUTE_SIZE])
{
	size_t length = strlen(path);

	while (length > 0 && !read_attribute(path, length, name, value)) {
		do
			length--;
		while (path[length] != '/');
	}
	return length;
}

/* Append an attribute as udev's rules do: without blanks at its end. */
static void put_attribute(struct text *serial, const char *path, const char *name)
{
	char value[BLOCK_ATTRIBUTE_SIZE];
	size_t size;

	if (!find_attribute(path, name, value))
		return;
	size = strlen(value);
	while (size > 0 && (unsigned char)value[size - 1] <= ' ')
		size--;
	if (serial->used > 0)
		text_put(serial, "_", 1);
	text_put(serial, value, size);
}

/* Append a further part of a serial number that a helper of udev's makes, if it is not empty. */
static void put_part(struct text *serial, const char *name)
{
	size_t before = serial->used;

	text_put(serial, "_", 1);
	disk_serial_put(serial, name);
	if (serial->used == before + 1)
		serial->bytes[serial->used = before] = '\0';
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
	char value[BLOCK_ATTRIBUTE_SIZE];
	unsigned scsi[SCSI_NUMBERS];
	size_t length = find_attribute(path, "idVendor", value);

	disk_serial_put(serial, vendor);
	put_part(serial, model);
	if (read_attribute(path, length, "serial", value) && is_usb_serial(value))
		put_part(serial, value);
	if (find_target(path, scsi))
		text_format(serial, "-%u:%u", scsi[SCSI_TARGET], scsi[SCSI_LUN]);
}

#define PAGE_SIZE_MAX 512 /* of vital product data: more than scsi_id reads */

static size_t read_page(const char *path, size_t length, const char *name, char *page)
{
	ssize_t size = kernel_file_read(below(path, length, name), 0, page, PAGE_SIZE_MAX);

	return size < 0 ? 0 : (size_t)size;
}

/* Where ATA's IDENTIFY DEVICE has the serial number and the model, in bytes. */
#define IDENTITY_SIZE 512
#define IDENTITY_SERIAL 20
#define IDENTITY_SERIAL_END 40
#define IDENTITY_MODEL 54
#define IDENTITY_MODEL_END 94

/* Ask the driver of an ATA device for what ata_id says of it: of a CD drive sysfs does not tell. */
static void put_ata(struct text *serial, const char *name)
{
	char identity[IDENTITY_SIZE];
	char node[BLOCK_NODE_SIZE];
	int file;

	block_node(name, node);
	file = kernel_file_open(node, O_RDONLY);
	if (file < 0)
		return;
	if (ioctl(file, HDIO_GET_IDENTITY, identity) == 0) {
		identity[IDENTITY_SERIAL_END] = '\0';
		identity[IDENTITY_MODEL_END] = '\0';
		disk_serial_put(serial, identity + IDENTITY_MODEL);
		put_part(serial, identity + IDENTITY_SERIAL);
	}
	close(file);
}

static void put_scsi(struct text *serial, const struct block *block)
{
	const char *path = block->path;
	char vendor[BLOCK_ATTRIBUTE_SIZE];
	char model[BLOCK_ATTRIBUTE_SIZE];
	char page_83[PAGE_SIZE_MAX];
	char page_80[PAGE_SIZE_MAX];
	size_t length = find_attribute(path, "vendor", vendor);
	const struct scsi_disk disk = {
		vendor,
		model,
		page_83,
		read_page(path, length, "vpd_pg83", page_83),
		page_80,
		read_page(path, length, "vpd_pg80", page_80),
		behind(path, "/ata"),
	};

	read_attribute(path, length, "model", model);
	if (!behind(path, "/usb")) {
		disk_serial_put_scsi(serial, &disk);
		if (disk.is_ata && serial->used == 0)
			put_ata(serial, block->name);
	} else if (length > 0) {
		put_usb(serial, path, vendor, model);
	}
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
		put_scsi(&serial, block);
	} else if (text_after(block->name, "vd") || text_after(block->name, "mmcblk")) {
		put_attribute(&serial, block->path, "serial");
		allowed = DISK_SERIAL_AS_IS;
	}
	disk_serial_clean(bytes, allowed);
	if (*bytes)
		json_member_text("serial", bytes);
}

/* Write members; their names stand behind one another. */
static void put_numbers(const char *names, const unsigned *numbers, unsigned count)
{
	for (; count > 0; count--) {
		json_member_int(names, (int)*numbers++);
		names += strlen(names) + 1;
	}
}

void block_put_address(const struct block *block)
{
	struct address address = {.place = {0}};
	unsigned ccw[7];
	const char *at = behind(block->path, "/devices/css");

	find_address(&address, block->path);
	json_begin('{');
	json_put_key("pci-controller");
	json_begin('{');
	put_numbers("domain\0bus\0slot\0function", address.pci, 4);
	json_end('}');
	json_member_text("bus-type", address.bus_type);
	put_numbers("bus\0target\0unit", address.place, 3);
	put_serial(block);
	json_put_key("dev");
	block_put_node(block->name);
	if (at && block_scan(at, "x/x.x.x/x.x.x", ccw)) {
		json_put_key("ccw-address");
		json_begin('{');
		ccw[4] = ccw[6];
		put_numbers("cssid\0ssid\0subchno\0devno", ccw + 1, 4);
		json_end('}');
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
		char lower[DEVICE_NUMBER_SIZE];

		kernel_file_line(lower, sizeof(lower), "%s/slaves/%s/dev", block.path, slave);
		put_below(lower, depth + 1);
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
