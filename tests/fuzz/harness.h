/* What the fuzzers have in common. */
#ifndef FUZZ_HARNESS_H
#define FUZZ_HARNESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* Not inlined, so that the stack names the line. */
__attribute__((noinline)) static void check(bool good)
{
	if (!good)
		abort();
}

/* The name, always the same, of a file that holds these bytes now. */
static inline char *file_of(const uint8_t *data, size_t size)
{
	static char name[32];
	static int file = -1;

	if (file < 0) {
		file = memfd_create("input", MFD_CLOEXEC);
		check(file >= 0);
		snprintf(name, sizeof(name), "/proc/self/fd/%d", file);
	}
	check(ftruncate(file, 0) == 0 && pwrite(file, data, size, 0) == (ssize_t)size);
	return name;
}

#endif
