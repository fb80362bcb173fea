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

/* A text, or NULL where it is not set; or which of the option's words, counted from 0. Flags count
 * no, yes. */
union option_value {
	const char *text;
	size_t choice;
};

/* Written by options_read and options_parse_file alone; every room may look. Once options_read has
 * returned no text before config is NULL: each is its default, or "", where unset. */
struct options {
	/* By name, and by the number in the table of option_table.h. */
	union {
		struct {
			size_t daemonize;
			size_t method;		   /* an enum channel_method */
			const char *path;	   /* "" only if a socket was handed over */
			const char *log_file;	   /* "": stderr */
			const char *pid_file;	   /* the default only matters with daemonize */
			const char *fsfreeze_hook; /* "": none */
			const char *state_dir;
			size_t verbose;
			size_t retry_path;
			union option_value unused[2]; /* commands_blocked, commands_allowed */
			const char *health_dir;
			size_t vsock_any_peer; /* not only the host may connect */
			const char *config;
			size_t dump;
		};
		union option_value values[15];
	};
	bool pid_file_given;  /* named, so it is written without daemonize, too */
	bool state_dir_given; /* named, so it must work */
	/* A listening socket was handed over, as descriptor 3, the way systemd does it
	 * (sd_listen_fds(3)). */
	bool socket_activated;
};

extern struct options options;

/* Fill options and the lists of commands, which must be all zeros, from the command line (ended by
 * NULL) and the configuration file, which the command line overrides. Returns to go on and serve.
 * Else it ends the process, everything that had to be said having been said on stdout or in the
 * log: 0 after --help and the like, 1 if stdout took no more, 2 if the command line or the file is
 * wrong. */
void options_read(char *const words[]);

/* Take over what a configuration file says: size bytes, which stay in use and are changed in
 * place; text[size] must be a NUL. The syntax is that of GLib's key files. name is for what is
 * logged. If the file is wrong it ends the process as above; an unknown key is only told of. */
void options_parse_file(char *text, size_t size, const char *name);

#endif
