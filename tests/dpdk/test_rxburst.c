/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The receiver over net_ring, which delivers the same mbufs that a test has made:
 *
 *   frame -> mbuf, or a chain of them -> net_ring0 -> pw_dpdk_rx_ops.burst() -> views, counters
 */
#include <rte_ethdev.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "dpdk/rx.h"

#define OWN    "10.0.0.1"
#define SENDER "10.0.0.9"
#define ROOM   2048u

struct fixture {
	struct pw_dpdk_rx *rx;
	struct rte_mempool *pool;
	struct pw_rx_counters before;
};

static struct pw_addr addr(const char *text)
{
	struct pw_addr a;

	assert_int_equal(pw_addr_parse("t", text, 4001, &a, NULL), 0);
	return a;
}

/* A frame of payload_len bytes, each `mark`, from `from`; its length. csum: 0 none, 1 right, 2 left to a
 * NIC, 3 wrong. */
static size_t make_frame(
	uint8_t *buf, const char *from, uint16_t payload_len, uint8_t mark, int csum)
{
	const struct pw_flow flow = {
		.vlan = PW_VLAN_NONE, .ttl = 1, .src = addr(from), .dst = addr(OWN)};
	const uint8_t alc[4] = {mark, mark, mark, mark};
	struct pw_frame_tmpl t;
	uint16_t sum;

	pw_frame_template(&t, &flow, alc, sizeof(alc), payload_len, csum == 2);
	memcpy(buf, t.bytes, t.len);
	memset(buf + t.len, mark, payload_len);
	if (csum == 1 || csum == 3) {
		sum = pw_frame_udp_csum(&t, buf, buf + t.len, payload_len);
		pw_be16_store(buf + t.alc_off - 2, csum == 1 ? sum : sum ^ 0x100);
	}
	return t.len + payload_len;
}

/* As a driver receives a frame into buffers of ROOM bytes. */
static void arrive(struct fixture *f, const uint8_t *frame, size_t len, uint64_t flags)
{
	struct rte_mbuf *head = NULL, *m;
	size_t off, n;

	for (off = 0; off < len; off += n) {
		n = len - off < ROOM ? len - off : ROOM;
		m = rte_pktmbuf_alloc(f->pool);
		assert_non_null(m);
		memcpy(rte_pktmbuf_append(m, (uint16_t)n), frame + off, n);
		m->ol_flags |= flags;
		if (!head)
			head = m;
		else
			assert_int_equal(rte_pktmbuf_chain(head, m), 0);
	}
	assert_int_equal(rte_eth_tx_burst(0, 0, &head, 1), 1);
}

static int take(struct fixture *f, struct pw_rx_view *views)
{
	return pw_dpdk_rx_ops.burst(f->rx, views, PW_BURST, 0);
}

/* What was counted since the test began. */
static struct pw_rx_counters counted(struct fixture *f)
{
	struct pw_rx_counters c = *pw_dpdk_rx_ops.counters(f->rx), lane;

	pw_dpdk_rx_ops.lane_counters(f->rx, &lane);
	assert_int_equal(lane.too_long, c.too_long);
	assert_int_equal(lane.longest, c.longest);
	assert_int_equal(lane.bad_checksum, c.bad_checksum);
	assert_int_equal(lane.partial_checksum, c.partial_checksum);
	c.packets -= f->before.packets;
	c.foreign -= f->before.foreign;
	c.malformed -= f->before.malformed;
	c.too_long -= f->before.too_long;
	c.bad_checksum -= f->before.bad_checksum;
	c.partial_checksum -= f->before.partial_checksum;
	return c;
}

static void a_view_says_who_sent_it(void **state)
{
	const struct pw_addr sender = addr(SENDER);
	struct fixture *f = *state;
	struct pw_rx_view views[PW_BURST];
	uint8_t buf[4096];
	int i;

	for (i = 0; i < 3; i++) /* the second and third start as the first did */
		arrive(f, buf, make_frame(buf, SENDER, 100, (uint8_t)i, 1), 0);
	assert_int_equal(take(f, views), 3);
	for (i = 0; i < 3; i++) {
		assert_int_equal(views[i].data[0], i);
		assert_true(pw_host_key_equal(views[i].from, pw_host_key(&sender)));
	}
	pw_dpdk_rx_ops.release(f->rx);
}

static void another_source_is_foreign(void **state)
{
	struct fixture *f = *state;
	struct pw_rx_view views[PW_BURST];
	uint8_t buf[4096];

	arrive(f, buf, make_frame(buf, SENDER, 100, 1, 0), 0);
	arrive(f, buf, make_frame(buf, "10.0.0.8", 100, 2, 0), 0);
	arrive(f, buf, make_frame(buf, SENDER, 100, 3, 0), 0);
	assert_int_equal(take(f, views), 2);
	assert_int_equal(views[0].data[0], 1);
	assert_int_equal(views[1].data[0], 3);
	pw_dpdk_rx_ops.release(f->rx);
	assert_int_equal(counted(f).foreign, 1);
	assert_int_equal(counted(f).malformed, 0);
}

/* Some drivers deliver such a frame in several buffers. */
static void a_frame_beyond_the_mtu_in_several_buffers_is_joined(void **state)
{
	struct fixture *f = *state;
	struct pw_rx_view views[PW_BURST];
	uint8_t *buf = malloc(70000);
	uint32_t i, k;

	for (i = 0; i < 3; i++)
		arrive(f, buf, make_frame(buf, SENDER, (uint16_t)(9000 + i), (uint8_t)i, 1), 0);
	arrive(f, buf, make_frame(buf, SENDER, 65000, 3, 1), 0);
	assert_int_equal(take(f, views), 4);
	for (i = 0; i < 4; i++) {
		assert_int_equal(views[i].len, 4 + (i == 3 ? 65000 : 9000 + i));
		for (k = 0; k < views[i].len; k++)
			assert_int_equal(views[i].data[k], i);
	}
	pw_dpdk_rx_ops.release(f->rx);
	assert_int_equal(counted(f).malformed, 0);
	free(buf);
}

static void a_frame_that_was_cut_is_too_long(void **state)
{
	struct fixture *f = *state;
	struct pw_rx_view views[PW_BURST];
	uint8_t buf[10000];

	make_frame(buf, SENDER, 9000, 1, 0);
	arrive(f, buf, 1514, 0);
	make_frame(buf, SENDER, 1000, 1, 0); /* no longer than --mtu: damaged, not too long */
	arrive(f, buf, 800, 0);
	assert_int_equal(take(f, views), 0);
	assert_int_equal(counted(f).malformed, 2);
	assert_int_equal(counted(f).too_long, 1);
	assert_int_equal(counted(f).longest, 20 + 8 + 4 + 9000);
}

static void checksums_are_counted_by_what_is_wrong_with_them(void **state)
{
	struct fixture *f = *state;
	struct pw_rx_view views[PW_BURST];
	uint8_t buf[4096];

	arrive(f, buf, make_frame(buf, SENDER, 100, 1, 2), 0);
	arrive(f, buf, make_frame(buf, SENDER, 100, 2, 3), 0);
	arrive(f, buf, make_frame(buf, SENDER, 100, 3, 3), RTE_MBUF_F_RX_L4_CKSUM_BAD);
	/* from a peer in memory, whose driver reports that there is none to check */
	arrive(f, buf, make_frame(buf, SENDER, 100, 4, 2), RTE_MBUF_F_RX_L4_CKSUM_NONE);
	/* a port that computes checksums finds the partial one bad */
	arrive(f, buf, make_frame(buf, SENDER, 100, 5, 2), RTE_MBUF_F_RX_L4_CKSUM_BAD);
	assert_int_equal(take(f, views), 3);
	assert_int_equal(views[0].data[0], 1);
	assert_int_equal(views[1].data[0], 4);
	assert_int_equal(views[2].data[0], 5);
	pw_dpdk_rx_ops.release(f->rx);
	assert_int_equal(counted(f).packets, 5);
	assert_int_equal(counted(f).malformed, 2);
	assert_int_equal(counted(f).bad_checksum, 2);
	assert_int_equal(counted(f).partial_checksum, 2); /* the driver's word is not looked into */
}

/* One that is nearly the pseudo header's sum is wrong. */
static void a_damaged_partial_checksum_is_bad(void **state)
{
	struct fixture *f = *state;
	struct pw_rx_view views[PW_BURST];
	uint8_t buf[4096];
	size_t len = make_frame(buf, SENDER, 100, 1, 2);

	buf[14 + 20 + 6] ^= 1;
	arrive(f, buf, len, 0);
	len = make_frame(buf, "10.0.0.8", 100, 1, 2); /* not for us: neither taken nor counted */
	arrive(f, buf, len, 0);
	assert_int_equal(take(f, views), 0);
	assert_int_equal(counted(f).bad_checksum, 1);
	assert_int_equal(counted(f).partial_checksum, 0);
	assert_int_equal(counted(f).foreign, 1);
}

static int begin(void **state)
{
	struct fixture *f = *state;

	f->before = *pw_dpdk_rx_ops.counters(f->rx);
	return 0;
}

static int setup(void **state)
{
	struct pw_dpdk_config cfg = {.set = {.port = "net_ring0", .mtu = 1500, .no_huge = true},
		.listen = addr(OWN),
		.source = addr(SENDER)};
	struct fixture *f = calloc(1, sizeof(*f));
	struct pw_err err = {0};

	if (pw_dpdk_rx_open(&f->rx, &cfg, NULL, &err)) {
		fprintf(stderr, "setup: %s\n", err.msg);
		return -1;
	}
	f->pool = rte_pktmbuf_pool_create(
		"test", 512, 0, 0, ROOM + RTE_PKTMBUF_HEADROOM, SOCKET_ID_ANY);
	*state = f;
	return f->pool ? 0 : -1;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	/* each view's buffers came back */
	assert_int_equal(rte_mempool_avail_count(f->pool), 512);
	pw_dpdk_rx_close(f->rx);
	free(f);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_view_says_who_sent_it, begin),
		cmocka_unit_test_setup(another_source_is_foreign, begin),
		cmocka_unit_test_setup(a_frame_beyond_the_mtu_in_several_buffers_is_joined, begin),
		cmocka_unit_test_setup(a_frame_that_was_cut_is_too_long, begin),
		cmocka_unit_test_setup(checksums_are_counted_by_what_is_wrong_with_them, begin),
		cmocka_unit_test_setup(a_damaged_partial_checksum_is_bad, begin),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
