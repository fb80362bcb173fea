/* The kernel's announcements of devices that come, change and go (kobject uevents). */
#ifndef UEVENTS_H
#define UEVENTS_H

#include <stdbool.h>

/* Call announced after each batch of them from now on; harmless if that is so already. Returns
 * false where the kernel has none to hear. */
bool uevents_hear(void (*announced)(void));
/* Hear them no longer. */
void uevents_ignore(void);

#endif
