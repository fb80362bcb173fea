#include "pages.h"

#include <stdint.h>
#include <sys/mman.h>

#define REGIONS_MAX 12
/* What small requests take: a page or two of each array. */
#define MANY (32u << 10)
/* More stack than any request takes. */
#define STACK_DEPTH (256u << 10)
/* Below its end a function may use so much of the stack without saying so (psABI's red zone). */
#define STACK_IN_USE 512

static struct region {
	char *begin;
	size_t size; /* 0: nothing was released since the last time */
} regions[REGIONS_MAX];
static size_t released; /* of all regions */

static struct region *find_region(void *begin)
{
	struct region *region = regions;

	while (region->begin && region->begin != begin)
		region++;
	region->begin = begin;
	return region;
}

void pages_keep(void *begin)
{
	struct region *region = find_region(begin);

	released -= region->size;
	region->size = 0;
}

void pages_release(void *begin, size_t size)
{
	struct region *region = find_region(begin);

	if (size > region->size) {
		released += size - region->size;
		region->size = size;
	}
}

static uintptr_t page_up(uintptr_t address)
{
	return (address + PAGES_ALIGNMENT - 1) & ~(uintptr_t)(PAGES_ALIGNMENT - 1);
}

PAGES_IDLE_CODE static void drop(uintptr_t begin, uintptr_t end)
{
	(void)madvise((void *)begin, end - begin, MADV_DONTNEED);
}

PAGES_IDLE_CODE bool pages_many(void)
{
	return released > MANY;
}

PAGES_IDLE_CODE void pages_give_back(void)
{
	for (struct region *region = regions; region < regions + REGIONS_MAX; region++) {
		if (region->size > 0)
			drop((uintptr_t)region->begin,
				page_up((uintptr_t)region->begin + region->size));
		region->size = 0;
	}
	released = 0;
}

PAGES_IDLE_CODE void pages_give_back_program(void)
{
#ifdef STATIC_RELEASE
	extern const char __init_array_start[]; /* where what can be written begins */
	uintptr_t stack =
		page_up((uintptr_t)__builtin_frame_address(0) - STACK_IN_USE - PAGES_ALIGNMENT);

	drop(stack - STACK_DEPTH, stack);
	drop(page_up((uintptr_t)pages_give_back_program),
		page_up((uintptr_t)__init_array_start) - PAGES_ALIGNMENT);
#endif
}
