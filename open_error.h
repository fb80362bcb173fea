/* The one way to say that a file of the kernel's is not there, or not for us. */
#ifndef OPEN_ERROR_H
#define OPEN_ERROR_H

#include "commands.h"

/* Of its path and errno's text. */
#define OPEN_ERROR "open(\"%s\"): %s"

/* Fail: path cannot be used, as errno says. */
void reply_open_error(struct request *request, const char *path);

#endif
