#include "ascending.h"

#include <string.h>

#include "scratch.h"

/* What fits is a window of the numbers, a bit for each. */
#define WINDOW (ASCENDING_SIZE * 8)
#define seen ((uint8_t *)scratch + SCRATCH_SIZE - ASCENDING_SIZE)

static uint64_t begin;	/* of the window */
static uint64_t beyond; /* the least that is found behind it */

void ascending_found(uint64_t number)
{
	uint64_t offset = number - begin;

	if (number < begin)
		return;
	if (offset < WINDOW)
		seen[offset / 8] |= (uint8_t)(1 << offset % 8);
	else if (number < beyond)
		beyond = number;
}

void ascending_each(void (*find)(void), void (*tell)(uint64_t number))
{
	beyond = 0;
	do {
		begin = beyond;
		beyond = UINT64_MAX;
		memset(seen, 0, ASCENDING_SIZE);
		find();
		for (unsigned offset = 0; offset < WINDOW; offset++) {
			if (seen[offset / 8] >> offset % 8 & 1)
				tell(begin + offset);
		}
	} while (beyond != UINT64_MAX);
	scratch_release(SCRATCH_SIZE);
}
