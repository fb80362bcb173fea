/* Text files of accounts, which are read and changed as a whole, in one buffer for all of them:
 * what has more than 16 MiB is an error, EFBIG. */
#ifndef TEXT_FILE_H
#define TEXT_FILE_H

#include "text.h"

/* Read the whole of the file name in folder, which may be no link, device or FIFO, into text.
 * Returns its descriptor, or -1 with errno; then text may hold a part of it. */
int text_file_read(int folder, const char *name, struct text *text);

/* Write text to a new file in folder, with mode 0600, or, if like is a descriptor, with its owner,
 * mode and SELinux label. Once it is complete and on the disk it becomes name (at most 48 bytes).
 * False, with errno, if that cannot be; the old file stays then. */
bool text_file_replace(int folder, const char *name, const struct text *text, int like);

#endif
