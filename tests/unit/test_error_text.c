/* The words for errno are glibc's, with which this test is built; rare ones have only a number. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "error_text.h"

#define ERRNO_MAX 4095 /* the kernel's MAX_ERRNO */

/* What no program that the agent is like meets. */
static const int absent[] = {ENOTBLK, EDOM, EDEADLK, ENOMSG, EIDRM, ECHRNG, EL2NSYNC, EL3HLT,
	EL3RST, ELNRNG, EUNATCH, ENOCSI, EL2HLT, EBADE, EBADR, EXFULL, ENOANO, EBADRQC, EBADSLT,
	EBFONT, ENOSTR, ETIME, ENOSR, ENONET, ENOPKG, EREMOTE, ENOLINK, EADV, ESRMNT, ECOMM,
	EMULTIHOP, EDOTDOT, ENOTUNIQ, EBADFD, EREMCHG, ELIBACC, ELIBBAD, ELIBSCN, ELIBMAX, ELIBEXEC,
	EILSEQ, ERESTART, ESTRPIPE, EUSERS, EDESTADDRREQ, EPROTOTYPE, ESOCKTNOSUPPORT, EPFNOSUPPORT,
	ENETRESET, ECONNABORTED, EISCONN, ESHUTDOWN, ETOOMANYREFS, EALREADY, EINPROGRESS, ENOTNAM,
	ENAVAIL, EISNAM, EMEDIUMTYPE, EKEYEXPIRED, EKEYREVOKED, EKEYREJECTED, EOWNERDEAD,
	ENOTRECOVERABLE, ERFKILL, EHWPOISON, EPROTO, EBADMSG, ENOPROTOOPT, ENETDOWN, ENETUNREACH,
	EHOSTDOWN, EHOSTUNREACH, ENOKEY, ECHILD, EINTR, ENOTCONN, EMSGSIZE, EPROTONOSUPPORT,
	ENOTSOCK, ECONNRESET, ECANCELED, EREMOTEIO, EMLINK};

static bool is_absent(int error)
{
	for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++) {
		if (absent[i] == error)
			return true;
	}
	return false;
}

static void test_every_value(void **state)
{
	char unknown[32];

	(void)state;
	for (int error = -1; error <= ERRNO_MAX; error++) {
		snprintf(unknown, sizeof(unknown), "Unknown error %d", error);
		if (error == 0 || is_absent(error))
			assert_string_equal(error_text(error), unknown);
		else
			assert_string_equal(error_text(error), strerror(error));
	}
}

static void test_no_errno(void **state)
{
	(void)state;
	assert_string_equal(error_text(INT_MAX), "Unknown error 2147483647");
	assert_string_equal(error_text(INT_MIN), "Unknown error -2147483648");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_value),
		cmocka_unit_test(test_no_errno),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
