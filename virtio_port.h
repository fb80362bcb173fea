/* Finding a virtio serial port where nobody made links or nodes for it. */
#ifndef VIRTIO_PORT_H
#define VIRTIO_PORT_H

#define VIRTIO_PORT_LINKS "/dev/virtio-ports/"

/* Open the port at path for reading and writing, never blocking. Where path is not there: a name
 * below /dev/virtio-ports is looked up in /sys/class/virtio-ports, and a node that /dev lacks is
 * made. Returns the descriptor, or -1 with errno (ENOENT: no such port yet, EBUSY: somebody else
 * has it). */
int virtio_port_open(const char *path);

#endif
