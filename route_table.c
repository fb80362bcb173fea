#include "route_table.h"

#include <stdint.h>
#include <string.h>

#include "address.h"
#include "json.h"
#include "lines.h"
#include "pages.h"

#define COLUMNS_MAX 11

/* The columns: a letter that says what the words in it are, as in read_field, and the name. See
 * net/ipv4/fib_trie.c and net/ipv6/route.c of the kernel. */
static const char columns_ipv4[] = "siface\0"
				   "4destination\0"
				   "4gateway\0"
				   "xflags\0"
				   "drefcnt\0"
				   "duse\0"
				   "dmetric\0"
				   "4mask\0"
				   "dmtu\0"
				   "dwindow\0"
				   "dirtt\0";
static const char columns_ipv6[] = "6destination\0"
				   "pdesprefixlen\0"
				   "6source\0"
				   "psrcprefixlen\0"
				   "6nexthop\0"
				   "xmetric\0"
				   "xrefcnt\0"
				   "xuse\0"
				   "xflags\0"
				   "siface\0";

/* A word of a row as it is told. */
struct field {
	bool is_number;
	int64_t number;
	const char *word;
	char bytes[ADDRESS_TEXT_SIZE];
};

/* s a name; 4 an IPv4 address, and 6 an IPv6 address, in hexadecimal; d a decimal number; x a
 * hexadecimal one; p the same, which is told as a string. */
static bool read_field(char kind, struct field *field)
{
	const char *word = field->word;
	struct text text = text_in(field->bytes, sizeof(field->bytes));
	bool negative = kind == 'd' && *word == '-';
	uint8_t address[16];
	uint64_t number;
	uint32_t ipv4;

	field->is_number = kind == 'd' || kind == 'x';
	if (kind == 's')
		return *word != '\0';
	field->word = field->bytes;
	if (kind == '6') {
		for (unsigned i = 0; i < sizeof(address); i++, word += 2) {
			if (parse_hex(word, word + 2, &number) != word + 2)
				return false;
			address[i] = (uint8_t)number;
		}
		address_put(&text, address, sizeof(address));
		return *word == '\0';
	}
	word = kind == 'd' ? parse_unsigned(word + negative, &number)
			   : parse_hex(word, NULL, &number);
	if (!word || *word != '\0' || number > UINT32_MAX)
		return false;
	/* The number is an address as it lies in memory. */
	ipv4 = (uint32_t)number;
	if (kind == '4')
		address_put(&text, (const uint8_t *)&ipv4, sizeof(ipv4));
	else
		text_format(&text, "%u", ipv4);
	field->number = negative ? -(int64_t)number : (int64_t)number;
	return true;
}

static unsigned table_version; /* of IP */

/* A line of a table; the heading, and what is none, is left out. */
static void put_row(char *line)
{
	static PAGES_SELDOM struct field fields[COLUMNS_MAX];
	struct field *field = fields;
	const char *columns = table_version == 4 ? columns_ipv4 : columns_ipv6;

	for (const char *column = columns; *column; column += strlen(column) + 1) {
		field->word = lines_word(&line);
		if (!read_field(*column, field++))
			return;
	}
	json_begin('{');
	json_member_uint("version", table_version);
	field = fields;
	for (const char *column = columns; *column; column += strlen(column) + 1, field++) {
		json_put_key(column + 1);
		if (field->is_number)
			json_put_int(field->number);
		else
			json_put_text(field->word);
	}
	json_end('}');
}

bool route_table_put(const char *path, unsigned version)
{
	table_version = version;
	return lines_each(path, put_row);
}
