/* Numbers in ascending order: near and far, found twice, found in any order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "ascending.h"

#define NUMBERS_MAX 4000

static uint64_t numbers[NUMBERS_MAX];
static unsigned count;
static uint64_t told[NUMBERS_MAX];
static unsigned told_count;
static unsigned passes;

static void find(void)
{
	passes++;
	for (unsigned i = 0; i < count; i++)
		ascending_found(numbers[i]);
}

static void tell(uint64_t number)
{
	assert_true(told_count < NUMBERS_MAX);
	told[told_count++] = number;
}

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a;
	const uint64_t *y = b;

	return (*x > *y) - (*x < *y);
}

static void assert_sorted(void)
{
	unsigned unique = 0;

	told_count = 0;
	passes = 0;
	ascending_each(find, tell);
	qsort(numbers, count, sizeof(numbers[0]), compare);
	for (unsigned i = 0; i < count; i++) {
		if (i > 0 && numbers[i] == numbers[i - 1])
			continue;
		assert_true(unique < told_count);
		assert_true(told[unique++] == numbers[i]);
	}
	assert_int_equal(unique, told_count);
}

static void near_numbers(void **state)
{
	(void)state;
	count = 0;
	assert_sorted();
	assert_int_equal(passes, 1);
	srand(1);
	for (count = 0; count < NUMBERS_MAX; count++)
		numbers[count] = (uint64_t)rand() % 8000;
	assert_sorted();
	assert_int_equal(passes, 1);
}

static void far_numbers(void **state)
{
	(void)state;
	srand(2);
	for (count = 0; count < 500; count++)
		numbers[count] = (uint64_t)rand() << (rand() % 33);
	numbers[count++] = UINT64_MAX - 1;
	numbers[count++] = 0;
	assert_sorted();
}

static void edges_of_the_window(void **state)
{
	const uint64_t window = ASCENDING_SIZE * 8;

	(void)state;
	count = 0;
	for (uint64_t base = 0; base < 4; base++) {
		numbers[count++] = base * window;
		numbers[count++] = (base + 1) * window - 1;
		numbers[count++] = base * window + 7;
		numbers[count++] = base * window + 8;
	}
	assert_sorted();
	assert_int_equal(passes, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(near_numbers),
		cmocka_unit_test(far_numbers),
		cmocka_unit_test(edges_of_the_window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
