#include "block.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/hdreg.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "directory.h"
#include "disk_serial.h"
#include "json.h"
#include "kernel_file.h"
#include "pages.h"
#include "text.h"

/* How the unit on a controller's bus is counted. */
enum unit {
	UNIT_NONE,    /* not at all, or by SCSI's LUN */
	UNIT_TARGET,  /* by SCSI's target */
	UNIT_CHANNEL, /* by the target on each channel, which is the bus */
	UNIT_RANK,    /* by channel */
};

/* The controllers that tell where a disk is, by the drivers of their PCI devices. */
static const char drivers[] = "virtio-pci ata_piix ahci sym53c8xx nvme xhci_hcd ehci-pci";

/* In the order of the drivers. */
static const struct controller {
	char bus_type[7];
	uint8_t unit; /* enum unit */
} controllers[] = {
	{"virtio", UNIT_NONE},
	{"ide", UNIT_CHANNEL},
	{"sata", UNIT_RANK},
	{"scsi", UNIT_TARGET},
	{"nvme", UNIT_NONE},
	{"usb", UNIT_NONE},
	{"usb", UNIT_NONE},
};

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

PAGES_SELDOM struct block block;

const char *block_scan(const char *text, const char *format, unsigned *numbers)
{
	for (; text && *format; format++) {
		uint64_t number = 0;

		if (*format == 'd' || *format == 'x') {
			text = (*format == 'd' ? parse_digits : parse_hex)(text, NULL, &number);
			*numbers++ = (unsigned)number;
		} else if (*text++ != *format) {
			return NULL;
		}
	}
	return text;
}

/* What follows the first such part of the device's path, or NULL. */
static const char *behind(const char *part)
{
	const char *rest = NULL;

	for (const char *at = block.path; *at && !rest; at++)
		rest = text_after(at, part);
	return rest;
}

/* Make the path of a name below the first length bytes of the device's; it is there until the next.
 */
static const char *below(size_t length, const char *name)
{
	static PAGES_SELDOM char place[BLOCK_PATH_SIZE];

	text_print(place, sizeof(place), "%.*s/%s", (int)length, block.path, name);
	return place;
}

bool block_find(const char *folder, const char *link)
{
	char target[BLOCK_PATH_SIZE];
	const char *devices = target;

	text_print(target, sizeof(target), "%s/%s", folder, link);
	kernel_file_link(target, target, sizeof(target));
	devices += strspn(devices, "./");
	if (*devices == '\0' || !text_print(block.path, sizeof(block.path), "/sys/%s", devices))
		return false;
	block.name = strrchr(block.path, '/') + 1;
	return true;
}

bool block_is_virtual(void)
{
	return text_after(block.path, "/sys/devices/virtual/block/");
}

bool block_open_folder(struct directory *folder, const char *name)
{
	return directory_open(folder, below(strlen(block.path), name));
}

static void put_node(char node[BLOCK_NODE_SIZE], const char *name)
{
	text_print(node, BLOCK_NODE_SIZE, "/dev/%s", name);
	while ((node = strchr(node, '!')))
		*node = '/';
}

void block_put_node(const char *name)
{
	char node[BLOCK_NODE_SIZE];

	put_node(node, name);
	json_put_text(node);
}

bool block_ask(unsigned request, void *argument)
{
	char node[BLOCK_NODE_SIZE];
	int file;
	bool done;

	put_node(node, block.name);
	file = kernel_file_open(node, O_RDONLY);
	/* The C libraries do not agree on the type of ioctl's request. */
	done = syscall(SYS_ioctl, file, request, argument) == 0;
	close(file);
	return done;
}

/* The controller of the first PCI device on the path that is one, with its place; or NULL. */
static const struct controller *find_controller(unsigned pci[4])
{
	const char *part = block.path;

	while ((part = strchr(part, '/'))) {
		const char *end = block_scan(++part, "x:x:x.x", pci);
		char driver[BLOCK_PATH_SIZE];
		const char *name;
		int at;

		if (!end || *end != '/')
			continue;
		kernel_file_link(
			below((size_t)(end - block.path), "driver"), driver, sizeof(driver));
		name = strrchr(driver, '/');
		if (!name)
			continue;
		at = text_find_word(drivers, " ", name + 1, strlen(name + 1));
		if (at >= 0)
			return &controllers[at];
	}
	pci[0] = pci[1] = pci[2] = pci[3] = NONE;
	return NULL;
}

/* Count the channels before the disk's among those of its controller: folders with numbered names,
 * in the order of the numbers, which go on from controller to controller. False if it has none. */
static bool find_channel(unsigned *rank)
{
	const char *name = "/ata";
	const char *at = behind(name);
	static PAGES_SELDOM struct directory folder;
	uint64_t number;
	uint64_t other;

	if (!at) {
		name = "/host";
		at = behind(name);
	}
	if (!at || !parse_unsigned(at, &number))
		return false;
	if (!directory_open(&folder, below((size_t)(at - block.path) - strlen(name), "")))
		return false;
	*rank = 0;
	while ((at = directory_next(&folder))) {
		at = text_after(at, name + 1);
		if (at && parse_unsigned(at, &other) && other < number)
			++*rank;
	}
	directory_close(&folder);
	return true;
}

static bool find_target(unsigned scsi[SCSI_NUMBERS])
{
	return block_scan(behind("/target"), "d:d:d/d:d:d:d", scsi);
}

static void find_address(struct address *address)
{
	unsigned scsi[SCSI_NUMBERS];
	unsigned rank = 0;
	bool has_target = find_target(scsi);
	const struct controller *controller = find_controller(address->pci);
	enum unit unit = controller ? (enum unit)controller->unit : UNIT_NONE;

	address->bus_type = "unknown";
	if (!controller && behind("/virtio"))
		controller = VIRTIO;
	if (!controller || (unit != UNIT_NONE && !has_target) ||
		(unit >= UNIT_CHANNEL && !find_channel(&rank)))
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

/* Read an attribute of what the first length bytes of the device's path lead to. */
static bool read_attribute(size_t length, const char *name, char value[BLOCK_ATTRIBUTE_SIZE])
{
	return kernel_file_read_line(below(length, name), value, BLOCK_ATTRIBUTE_SIZE) && *value;
}

bool block_attribute(const char *name, char value[BLOCK_ATTRIBUTE_SIZE])
{
	return read_attribute(strlen(block.path), name, value);
}

/* Read the attribute that the device itself has, or else the nearest around it; an empty one does
 * not count. Returns how much of its path leads to whose it is, or 0 if none has it. */
static size_t find_attribute(const char *name, char value[BLOCK_ATTRIBUTE_SIZE])
{
	size_t length = strlen(block.path);

	while (length > 0 && !read_attribute(length, name, value)) {
		do
			length--;
		while (block.path[length] != '/');
	}
	return length;
}

/* ---- The serial number ---- */

static PAGES_SELDOM char serial_bytes[DISK_SERIAL_SIZE];
static struct text serial;

/* Append an attribute as udev's rules do: without blanks at its end. */
static void put_attribute(const char *name)
{
	char value[BLOCK_ATTRIBUTE_SIZE];
	size_t size;

	if (!find_attribute(name, value))
		return;
	size = strlen(value);
	while (size > 0 && (unsigned char)value[size - 1] <= ' ')
		size--;
	if (serial.used > 0)
		text_put(&serial, "_", 1);
	text_put(&serial, value, size);
}

/* Append a further part of a serial number that a helper of udev's makes, if it is not empty. */
static void put_part(const char *name)
{
	size_t before = serial.used;

	text_put(&serial, "_", 1);
	disk_serial_put(&serial, name);
	if (serial.used == before + 1)
		serial.bytes[serial.used = before] = '\0';
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
static void put_usb(const char *vendor, const char *model)
{
	char value[BLOCK_ATTRIBUTE_SIZE];
	unsigned scsi[SCSI_NUMBERS];
	size_t length = find_attribute("idVendor", value);

	disk_serial_put(&serial, vendor);
	put_part(model);
	if (read_attribute(length, "serial", value) && is_usb_serial(value))
		put_part(value);
	if (find_target(scsi))
		text_format(&serial, "-%u:%u", scsi[SCSI_TARGET], scsi[SCSI_LUN]);
}

/* Where ATA's IDENTIFY DEVICE has the serial number and the model, in bytes. */
#define IDENTITY_SIZE 512
#define IDENTITY_SERIAL 20
#define IDENTITY_SERIAL_END 40
#define IDENTITY_MODEL 54
#define IDENTITY_MODEL_END 94

/* Ask the driver of an ATA device for what ata_id says of it: of a CD drive sysfs does not tell. */
static void put_ata(void)
{
	char identity[IDENTITY_SIZE];

	if (!block_ask(HDIO_GET_IDENTITY, identity))
		return;
	identity[IDENTITY_SERIAL_END] = '\0';
	identity[IDENTITY_MODEL_END] = '\0';
	disk_serial_put(&serial, identity + IDENTITY_MODEL);
	put_part(identity + IDENTITY_SERIAL);
}

#define PAGE_SIZE_MAX 512 /* of vital product data: more than scsi_id reads */

static size_t read_page(size_t length, const char *name, char *page)
{
	ssize_t size = kernel_file_read(below(length, name), 0, page, PAGE_SIZE_MAX);

	return size < 0 ? 0 : (size_t)size;
}

static void put_scsi(void)
{
	static char vendor[BLOCK_ATTRIBUTE_SIZE];
	static char model[BLOCK_ATTRIBUTE_SIZE];
	static char page_83[PAGE_SIZE_MAX];
	static PAGES_SELDOM char page_80[PAGE_SIZE_MAX];
	size_t length = find_attribute("vendor", vendor);
	const struct scsi_disk disk = {
		vendor,
		model,
		page_83,
		read_page(length, "vpd_pg83", page_83),
		page_80,
		read_page(length, "vpd_pg80", page_80),
		behind("/ata"),
	};

	read_attribute(length, "model", model);
	if (!behind("/usb")) {
		disk_serial_put_scsi(&serial, &disk);
		if (disk.is_ata && serial.used == 0)
			put_ata();
	} else if (length > 0) {
		put_usb(vendor, model);
	}
}

static bool is_named(const char *prefix)
{
	return text_after(block.name, prefix);
}

static void put_serial(void)
{
	const char *allowed = DISK_SERIAL_AS_NAME;

	serial = text_in(serial_bytes, sizeof(serial_bytes));
	if (is_named("nvme")) {
		put_attribute("model");
		put_attribute("serial");
		put_attribute("nsid");
	} else if (is_named("sd") || is_named("sr")) {
		put_scsi();
	} else if (is_named("vd") || is_named("mmcblk")) {
		put_attribute("serial");
		allowed = DISK_SERIAL_AS_IS;
	}
	disk_serial_clean(serial_bytes, allowed);
	if (serial.used > 0)
		json_member_text("serial", serial_bytes);
}

/* Write members; their names stand behind one another. */
static void put_numbers(const char *names, const unsigned *numbers, unsigned count)
{
	for (; count > 0; count--) {
		json_member_int(names, (int)*numbers++);
		names += strlen(names) + 1;
	}
}

void block_put_address(void)
{
	struct address address = {.place = {0}};
	unsigned ccw[7];

	find_address(&address);
	json_begin('{');
	json_put_key("pci-controller");
	json_begin('{');
	put_numbers("domain\0bus\0slot\0function", address.pci, 4);
	json_end('}');
	json_member_text("bus-type", address.bus_type);
	put_numbers("bus\0target\0unit", address.place, 3);
	put_serial();
	json_put_key("dev");
	block_put_node(block.name);
	if (block_scan(behind("/devices/css"), "x/x.x.x/x.x.x", ccw)) {
		json_put_key("ccw-address");
		json_begin('{');
		ccw[4] = ccw[6];
		put_numbers("cssid\0ssid\0subchno\0devno", ccw + 1, 4);
		json_end('}');
	}
	json_end('}');
}

/* ---- What is below a device ---- */

#define DEVICE_NUMBER_SIZE 24 /* MAJOR:MINOR */

/* The devices of one answer that were met. What is beyond is met again. */
#define SEEN_MAX 64
static PAGES_SELDOM dev_t seen[SEEN_MAX];
static unsigned seen_count;

static bool is_new(dev_t device)
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

static void put_below(const char *number, unsigned depth)
{
	struct directory folder;
	const char *slaves = "slaves";
	const char *slave;
	dev_t device;

	if (depth == DEPTH_MAX || !parse_device(number, &device) || !is_new(device) ||
		!block_find(BLOCK_NUMBERS, number))
		return;
	if (!block_is_virtual()) {
		block_put_address();
		return;
	}
	if (!block_open_folder(&folder, slaves)) {
		/* Partitions have none of their own. */
		slaves = "../slaves";
		if (!block_open_folder(&folder, slaves))
			return;
	}
	while ((slave = directory_next(&folder))) {
		char lower[DEVICE_NUMBER_SIZE];

		kernel_file_line(
			lower, sizeof(lower), BLOCK_NUMBERS "/%s/%s/%s/dev", number, slaves, slave);
		put_below(lower, depth + 1);
	}
	directory_close(&folder);
}

void block_put_addresses(const char *number)
{
	seen_count = 0;
	json_begin('[');
	put_below(number, 0);
	json_end(']');
}
