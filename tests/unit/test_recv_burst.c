/* SPDX-License-Identifier: BSD-3-Clause */
/* Runs of packets are taken at once; nothing may show it. */
#include "recv_util.h"

static char dir[64];

/* A session with everything amiss that may be: repetitions, strangers, cut packets, swaps, a late table. */
static void add_noise(struct packets *p, const struct source *s, uint64_t seed)
{
	uint64_t i, n = source_symbols(s);
	struct pw_rx_view t;

	for (i = 0; i < n; i++) {
		packets_add_symbol(p, TSI, s, i);
		switch (next_random(&seed) % 64) {
		case 0:
			packets_add_symbol(p, TSI, s, i);
			break;
		case 1:
			packets_add_symbol(p, TSI + 1, s, i);
			break;
		case 2:
			p->v[p->n - 1].len -= 1;
			break;
		case 3:
			p->v[p->n - 1].len = (uint32_t)(next_random(&seed) % 20);
			break;
		case 4:
			t = p->v[p->n - 1];
			p->v[p->n - 1] = p->v[p->n - 2];
			p->v[p->n - 2] = t;
			break;
		case 5:
			packets_add_fdt(p, TSI, 0, s, 1, true, 1);
			break;
		default:
			break;
		}
	}
	for (i = 0; i < n; i += 1 + next_random(&seed) % 3)
		packets_add_symbol(p, TSI, s, i);
}

/* The first n_table packets of p are the table. */
static struct pw_recv_counters receive(const struct packets *p, size_t n_table, size_t burst)
{
	struct pw_recv_config cfg = {.out_dir = dir, .force = true, .tsi_given = true, .tsi = TSI};
	struct pw_recv *r = recv_make(&cfg);
	struct pw_recv_counters c;
	size_t i, n;

	/* The file is opened with the table: else symbols would wait, and come out of order. */
	pw_recv_burst(r, p->v, n_table);
	pw_recv_settle(r);
	for (i = n_table; i < p->n; i += n) {
		n = p->n - i < burst ? p->n - i : burst;
		pw_recv_burst(r, &p->v[i], n);
	}
	pw_recv_finish(r, NULL);
	c = counters(r);
	c.waited = 0; /* depends on when the table is parsed */
	pw_recv_destroy(r);
	return c;
}

static void bursts_and_single_packets_leave_the_same(void **state)
{
	struct source s = source_make(1, "bursts", 1000 * 1000 - 3, 1000, PW_DIGEST_XXH3_128);
	struct pw_recv_counters one, many;
	size_t k, n_table;

	(void)state;
	for (k = 0; k < 20; k++) {
		struct packets p = {0};

		packets_add_fdt(&p, TSI, 0, &s, 1, true, 1);
		n_table = p.n;
		packets_add_symbol(&p, TSI, &s, 0);
		add_noise(&p, &s, k);
		one = receive(&p, n_table, 1);
		many = receive(&p, n_table, 50 + k);
		assert_true(one.duplicates && one.strangers && one.malformed);
		assert_memory_equal(&one, &many, sizeof(one));
		packets_drop(&p);
	}
	source_drop(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bursts_and_single_packets_leave_the_same),
	};

	int failed;

	dir_make(dir, sizeof(dir));
	failed = cmocka_run_group_tests_name("recv_burst", tests, NULL, NULL);
	dir_drop(dir);
	return failed;
}
