/* SPDX-License-Identifier: BSD-3-Clause */
/* Runs of packets are taken at once; nothing may show it. */
#include "xfer_util.h"

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

static void bursts_and_single_packets_leave_the_same(void **state)
{
	struct source s = source_make(1, "bursts", 1000 * 1000 - 3, 1000, PW_DIGEST_XXH3_128);
	struct pw_recv_config cfg = {.discard = true};
	struct pw_recv_counters c[2];
	struct pw_recv *r;
	size_t i, k, n;

	(void)state;
	for (k = 0; k < 20; k++) {
		struct packets p = {0};

		packets_add_fdt(&p, TSI, 0, &s, 1, true, 1);
		add_noise(&p, &s, k);
		r = recv_make(&cfg);
		for (i = 0; i < p.n; i++)
			pw_recv_burst(r, &p.v[i], 1);
		pw_recv_finish(r, NULL);
		c[0] = *pw_recv_counters(r);
		pw_recv_destroy(r);
		r = recv_make(&cfg);
		for (i = 0; i < p.n; i += n) {
			n = p.n - i < 50 + k ? p.n - i : 50 + k;
			pw_recv_burst(r, &p.v[i], n);
		}
		pw_recv_finish(r, NULL);
		c[1] = *pw_recv_counters(r);
		pw_recv_destroy(r);
		assert_true(c[0].duplicates && c[0].strangers && c[0].malformed);
		assert_memory_equal(&c[0], &c[1], sizeof(c[0]));
		packets_drop(&p);
	}
	source_drop(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bursts_and_single_packets_leave_the_same),
	};

	return cmocka_run_group_tests_name("xfer_recv_burst", tests, NULL, NULL);
}
