#include "block.h"

#include "json.h"

void block_put_addresses(unsigned major, unsigned minor)
{
	(void)major;
	(void)minor;
	json_begin('[');
	json_end(']');
}
