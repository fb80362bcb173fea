/* What this is, and what it speaks. */
#ifndef VERSION_H
#define VERSION_H

#ifndef TINYQGA_VERSION
#define TINYQGA_VERSION "0.1.0"
#endif

/* The QEMU release whose guest agent commands are served: three numbers, as clients parse it. */
#define QGA_PROTOCOL_VERSION "11.1.0"

#endif
