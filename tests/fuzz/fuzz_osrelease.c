/* Any bytes as an os-release file: what it assigns is within bounds.
 *
 * Covers: os_release.c
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "os_release.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = {"id", "name", "version-id"};
	char *text = malloc(size + 1);

	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char *value = os_release_find(text, names[i]);

		if (value && os_release_unquote(value) > strlen(value))
			abort();
	}
	free(text);
	return 0;
}
