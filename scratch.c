#include "scratch.h"

#include "pages.h"

_Alignas(PAGES_ALIGNMENT) char scratch[SCRATCH_SPACE];

void scratch_release(size_t size)
{
	pages_release(scratch, size);
}
