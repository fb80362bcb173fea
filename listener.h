/* The listening socket of the methods that have one: unix, vsock, or one that was handed over. */
#ifndef LISTENER_H
#define LISTENER_H

/* Open the socket that options name, or take the one that the service manager hands over
 * (sd_listen_fds(3)). A unix socket is created with mode 0600. Returns it, or -1 with errno. */
int listener_open(void);

/* The next client that may be served, or -1: on vsock only the host, unless options allow any. */
int listener_accept(int listener);

/* Remove the unix socket that was created. */
void listener_close(void);

#endif
