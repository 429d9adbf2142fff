/* SPDX-License-Identifier: BSD-3-Clause */
#include "recv_util.h"

#include "send/tsi.h"

/* 1000 draws of 65535: more than 100 twins come less than once in 10^60 runs. */
static void each_draw_is_another_session(void **state)
{
	static bool seen[UINT16_MAX + 1];
	unsigned int i, twins = 0;

	(void)state;
	for (i = 0; i < 1000; i++) {
		uint16_t tsi = pw_tsi_draw();

		twins += seen[tsi];
		seen[tsi] = true;
	}
	assert_false(seen[0]);
	assert_true(twins < 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(each_draw_is_another_session)};

	return cmocka_run_group_tests_name("xfer_tsi", tests, NULL, NULL);
}
