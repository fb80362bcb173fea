/* Any bytes as a time zone file and as a rule: each is taken or refused, within bounds. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "timezone.h"

static void check(const struct zone *zone, const char *text, size_t size)
{
	if (zone->name < text || zone->name_size > size ||
		(size_t)(zone->name - text) > size - zone->name_size)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int64_t instants[] = {
		ZONE_NOW_MIN, -5000000000, -1, 0, 1700000000, 4102444800, ZONE_NOW_MAX};
	struct zone zone;
	char *text = malloc(size + 1);

	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	for (size_t i = 0; i < sizeof(instants) / sizeof(instants[0]); i++) {
		if (zone_file_at(text, (ssize_t)size, instants[i], &zone))
			check(&zone, text, size);
		if (zone_rule_at(text, instants[i], &zone))
			check(&zone, text, size);
	}
	free(text);
	return 0;
}
