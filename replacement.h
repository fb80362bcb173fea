/* A file that is written anew as a whole: beside the old one, which it replaces when it is
 * complete and on the disk. */
#ifndef REPLACEMENT_H
#define REPLACEMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct replacement {
	int folder;
	const char *name; /* of the file in folder */
	int old;	  /* for reading with pread(2), or -1 if there is none */
	int file;	  /* the new one, mode 0600, also readable */
	size_t used;
	bool failed;
	char temporary[64];
	char buffer[4096];
};

/* Begin with the file name (at most 48 bytes) in folder; the old one is opened, and must be a
 * regular file, no link to one. False, with errno, if that cannot be. */
bool replacement_begin(struct replacement *replacement, int folder, const char *name);

/* Give the new file what decides who may use it: owner, mode, SELinux label. */
bool replacement_keep_owner(const struct replacement *replacement);

/* Append to the new file. */
void replacement_put(struct replacement *replacement, const char *bytes, size_t size);
/* Write out what was put. False, with errno, if something of it could not be written. */
bool replacement_flush(struct replacement *replacement);

/* Put it into the old one's place; drop it if good is false, or something fails: then false, with
 * errno. */
bool replacement_end(struct replacement *replacement, bool good);

#endif
