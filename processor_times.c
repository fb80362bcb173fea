#include "processor_times.h"

#include <stdint.h>

#include "figures.h"
#include "json.h"
#include "lines.h"
#include "text.h"

/* A tick of /proc/stat, on all architectures but alpha. */
#define TICK_MS 10

#define FIGURES_MAX 11
#define FIGURES_MIN 5 /* others are of kernels to come, or to have been */

/* A line of /proc/stat that may be about a processor. */
static void put_line(char *line)
{
	const char *name = "cpu\0user\0nice\0system\0idle\0iowait\0irq\0softirq\0steal\0guest\0"
			   "guestnice";
	uint64_t figures[FIGURES_MAX];
	unsigned count = 0;
	const char *word = text_after(lines_word(&line), name);

	while (word && parse_unsigned(word, &figures[count]) && ++count < FIGURES_MAX)
		word = lines_word(&line);
	if (count < FIGURES_MIN)
		return;
	json_begin('{');
	json_member_text("type", "linux");
	for (unsigned i = 1; i < count; i++)
		figures[i] *= TICK_MS;
	figures_put(name, figures, count);
	json_end('}');
}

bool processor_times_put(const char *path)
{
	return lines_each(path, put_line);
}
