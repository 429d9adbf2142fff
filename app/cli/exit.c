/* SPDX-License-Identifier: BSD-3-Clause */
/* Maps errors to exit codes by a table. An error that is not in the table is a runtime error. */
#include "app/cli/exit.h"

#include <errno.h>
#include <stddef.h>

#include "base/bytes.h"

static const struct {
	int error;
	int code;
	unsigned int when; /* enum pw_exit_when, or-ed */
} table[] = {
	{.error = ECANCELED,
		.code = PW_EXIT_INCOMPLETE,
		.when = PW_WHEN_OPENING | PW_WHEN_STAGING | PW_WHEN_RUNNING},
	{.error = ENODEV, .code = PW_EXIT_NOENV, .when = PW_WHEN_OPENING | PW_WHEN_STAGING},
	{.error = ENOSPC, .code = PW_EXIT_NOENV, .when = PW_WHEN_OPENING | PW_WHEN_STAGING},
	{.error = ENOMEM, .code = PW_EXIT_NOENV, .when = PW_WHEN_OPENING},
	{.error = EPERM, .code = PW_EXIT_NOENV, .when = PW_WHEN_OPENING},
	{.error = EACCES, .code = PW_EXIT_NOENV, .when = PW_WHEN_OPENING},
	{.error = ENOTSUP, .code = PW_EXIT_NOENV, .when = PW_WHEN_OPENING},
	{.error = ENOSYS, .code = PW_EXIT_NOENV, .when = PW_WHEN_OPENING},
};

int pw_exit_code(enum pw_exit_when when, int error)
{
	size_t i;

	if (error == 0)
		return PW_EXIT_OK;
	for (i = 0; i < PW_ARRAY_LEN(table); i++)
		if (table[i].error == error && table[i].when & when)
			return table[i].code;
	return PW_EXIT_RUNTIME;
}
