/* The disks below block devices. */
#ifndef BLOCK_H
#define BLOCK_H

/* Write the array of the addresses of the disks on which the device lies. */
void block_put_addresses(unsigned major, unsigned minor);

#endif
