/* What each processor spent its time on, as the kernel writes it to /proc/stat. */
#ifndef PROCESSOR_TIMES_H
#define PROCESSOR_TIMES_H

#include <stdbool.h>

/* Write an object for each processor in path, with the members of the protocol's GuestCpuStats, in
 * milliseconds. False, with errno, if path cannot be read. */
bool processor_times_put(const char *path);

#endif
