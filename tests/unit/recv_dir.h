/* SPDX-License-Identifier: BSD-3-Clause */
/* Each test of the file that includes this has an empty directory of its own: dir. */
#ifndef PW_TESTS_RECV_DIR_H
#define PW_TESTS_RECV_DIR_H

#include "recv_util.h"

static char dir[64];

static int setup(void **state)
{
	(void)state;
	dir_make(dir, sizeof(dir));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	dir_drop(dir);
	return 0;
}

#define test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
