#include "open_error.h"

#include <errno.h>

#include "error_text.h"

void reply_open_error(struct request *request, const char *path)
{
	reply_error(request, OPEN_ERROR, path, error_text(errno));
}
