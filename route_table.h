/* The tables of routes, as the kernel writes them to /proc/net/route and /proc/net/ipv6_route. */
#ifndef ROUTE_TABLE_H
#define ROUTE_TABLE_H

#include <stdbool.h>

/* Write an object for each row of the table in path, which is of IPv4 or IPv6 as version says,
 * with the members of the protocol's GuestNetworkRoute. False, with errno, if path cannot be read.
 */
bool route_table_put(const char *path, unsigned version);

#endif
