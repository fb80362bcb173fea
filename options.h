/* What the command line, the variable QGA_CONF's file and the configuration file ask for. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

/* How to reach the host. */
enum channel_method {
	CHANNEL_VIRTIO_SERIAL,
	CHANNEL_ISA_SERIAL,
	CHANNEL_UNIX_LISTEN,
	CHANNEL_VSOCK_LISTEN,
};

/* The largest configuration file: a hundred times one that sets everything. */
#define OPTIONS_FILE_MAX 16384
/* Of a list of commands: three times the names of all. */
#define OPTIONS_LIST_MAX 4096

/* Written by options_read alone; every room may look. Once it has returned OPTIONS_DONE no string
 * is NULL: each is its default, or "", where unset. */
struct options {
	enum channel_method method;
	const char *path;     /* "" only if a socket was handed over */
	const char *log_file; /* "": stderr */
	const char *pid_file; /* the default only matters with daemonize */
	bool pid_file_given;  /* named, so it is written without daemonize, too */
	const char *state_dir;
	bool state_dir_given;	   /* named, so it must work */
	const char *fsfreeze_hook; /* "": none */
	bool allow_given;	   /* allow has a name; an empty list is none, as in QEMU's agent */
	const char *health_dir;
	bool vsock_any_peer; /* not only the host may connect */
	bool verbose;
	bool daemonize;
	bool retry_path;
	/* Names of commands that there are, separated by single commas: the file's, then the
	 * command line's. */
	char block[OPTIONS_LIST_MAX];
	char allow[OPTIONS_LIST_MAX];
};

extern struct options options;

#define OPTIONS_DONE (-1) /* go on and serve */

/* Fill options from the command line and the configuration file, which the command line overrides.
 * Returns OPTIONS_DONE, or the status to exit with, everything that had to be said having been
 * said on stdout or stderr: 0 after --help and the like, 1 if stdout took no more, 2 if the
 * command line or the file is wrong. */
int options_read(int count, char *const words[]);

/* Take over what a configuration file says: size bytes, which stay in use and are changed in
 * place; text[size] must be writable. The syntax is that of GLib's key files. name is for the
 * messages on stderr. Returns false if the file is wrong; an unknown key is only a warning. */
bool options_parse_file(char *text, size_t size, const char *name);

/* Was a listening socket handed over, as descriptor 3, the way systemd does it (sd_listen_fds(3))?
 * As options_read found it; it refuses more than one. */
bool options_socket_activated(void);

#endif
