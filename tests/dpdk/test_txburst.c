/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The transmitter over net_ring, which returns the same mbufs that it was given:
 *
 *   file on tmpfs -> window -> pw_txq_send() -> net_ring0 -> rte_eth_rx_burst() -> asserts
 */
#include "tx_util.h"

#include "wire/alc.h"

static void fill_object(struct fixture *f, uint8_t family, bool wide, uint16_t vlan)
{
	struct pw_flow flow = {.vlan = vlan, .ttl = 1};
	struct pw_alc_hdr hdr = {.tsi = 7, .toi = 3};
	uint8_t alc[PW_ALC_HDR_MAX];
	struct pw_err err = {0};
	size_t alc_len = pw_alc_build(alc, &hdr, wide);
	bool v6 = family == 6;

	assert_int_equal(
		pw_addr_parse("t", v6 ? "ff15::1" : "239.1.2.3", 4001, &flow.dst, &err), 0);
	assert_int_equal(pw_addr_parse("t", v6 ? "fe80::1" : "10.0.0.1", 4001, &flow.src, &err), 0);
	f->obj.win = &f->win;
	f->obj.toi = 3;
	assert_int_equal(pw_blocks_init(&f->obj.blocks, f->win.len_bytes, SYMBOL, 100, &err), 0);
	pw_frame_template(&f->obj.tmpl, &flow, alc, alc_len, SYMBOL, false);
	f->obj.tmpl_last = f->obj.tmpl;
	pw_frame_set_payload_len(&f->obj.tmpl_last,
		(uint16_t)pw_blocks_symbol_bytes(&f->obj.blocks, f->obj.blocks.n_symbols - 1));
	memset(f->seen, 0, f->obj.blocks.n_symbols);
}

/* Does [p, p + len) lie in the file's mapping, at byte `offset` of the file? */
static void assert_in_window(const struct fixture *f, const void *p, uint64_t offset, uint16_t len)
{
	const uint8_t *base = f->win.map;

	assert_ptr_equal(p, base + offset);
	assert_true(offset + len <= f->win.len_bytes);
}

/* One packet as the driver got it: header parses, its payload segments are the file's pages. */
static void check_packet(struct fixture *f, struct rte_mbuf *m, bool linear)
{
	uint8_t flat[16384];
	struct pw_frame_view view;
	struct pw_alc_hdr hdr;
	const uint8_t *payload;
	size_t payload_len;
	uint64_t index = 0, offset;
	const struct rte_mbuf *seg;
	const uint8_t *bytes = rte_pktmbuf_read(m, 0, m->pkt_len, flat);

	assert_non_null(bytes);
	assert_int_equal(pw_frame_parse(bytes, m->pkt_len, true, &view), PW_FRAME_OK);
	assert_int_equal(pw_alc_parse(view.payload, view.payload_len, &hdr, &payload, &payload_len),
		PW_ALC_OK);
	assert_int_equal(hdr.tsi, 7);
	assert_int_equal(hdr.toi, 3);
	assert_true(pw_blocks_index(&f->obj.blocks, hdr.sbn, hdr.esi, &index));
	assert_int_equal(payload_len, pw_blocks_symbol_bytes(&f->obj.blocks, index));
	offset = index * SYMBOL;
	assert_memory_equal(payload, (const uint8_t *)f->win.map + offset, payload_len);
	f->seen[index]++;
	if (linear) {
		assert_int_equal(m->nb_segs, 1);
		return;
	}
	assert_int_equal(m->data_len + payload_len, m->pkt_len);
	for (seg = m->next; seg; seg = seg->next) {
		assert_in_window(f, rte_pktmbuf_mtod(seg, void *), offset, seg->data_len);
		assert_int_equal(seg->ol_flags, f->tx->q.pay_flags);
		assert_int_equal(rte_mbuf_ext_refcnt_read(seg->shinfo), 1);
		assert_true(f->win.n_out > 0);
		offset += seg->data_len;
	}
	assert_int_equal(offset, index * SYMBOL + payload_len);
}

static unsigned int receive(struct fixture *f, bool linear)
{
	struct rte_mbuf *pkts[PW_BURST];
	uint16_t i, n = rte_eth_rx_burst(f->tx->port.id, 0, pkts, PW_BURST);

	for (i = 0; i < n; i++)
		check_packet(f, pkts[i], linear);
	rte_pktmbuf_free_bulk(pkts, n);
	return n;
}

/* Sends the whole object in bursts of `burst` symbols, receiving as it goes. */
static void pump(struct fixture *f, uint16_t burst, bool linear)
{
	const struct pw_blocks *b = &f->obj.blocks;
	uint64_t index = 0;
	uint32_t sbn, esi;

	while (index < b->n_symbols) {
		struct pw_tx_burst t = {.obj = &f->obj, .offset = index * SYMBOL};

		pw_blocks_locate(b, index, &sbn, &esi);
		t.payload_id = pw_blocks_payload_id(b, sbn, esi);
		t.n = (uint16_t)pw_min_u64(burst, pw_blocks_block_len(b, sbn) - esi);
		index += pw_txq_send(&f->tx->q, &t);
		receive(f, linear);
	}
	while (!pw_txq_flush(&f->tx->q) || receive(f, linear))
		;
}

static void assert_each_once(const struct fixture *f)
{
	uint64_t i;

	for (i = 0; i < f->obj.blocks.n_symbols; i++)
		assert_int_equal(f->seen[i], 1);
}

static void every_payload_lies_in_the_file_and_comes_back_once(void **state)
{
	struct fixture *f = *state;
	struct pw_err err = {0};

	fill_object(f, 4, false, PW_VLAN_NONE);
	assert_int_equal(pw_dpdk_tx_ops.attach(f->tx, &f->obj, &err), 0);
	pump(f, PW_BURST, false);
	assert_each_once(f);
	assert_int_equal(f->win.n_out, 0); /* each came back, and none twice */
	assert_int_equal(pw_dpdk_tx_ops.outstanding(f->tx), 0);
	assert_int_equal(f->tx->q.c.cpu_copied_bytes, 0);
	assert_int_equal(f->tx->q.c.payload_bytes, FILE_BYTES);
	assert_int_equal(f->tx->q.c.packets, f->obj.blocks.n_symbols);
}

/* A payload mbuf is marked as an external buffer or not, depending on the driver. */
static void mbufs_of_either_kind_count_their_window_down(void **state)
{
	struct fixture *f = *state;
	const uint64_t flags = f->tx->q.pay_flags;
	struct pw_err err = {0};
	int i;

	assert_int_equal(flags, RTE_MBUF_F_EXTERNAL);
	for (i = 0; i < 4; i++) { /* an mbuf has been of the other kind before */
		f->tx->q.pay_flags = i % 2 ? flags : 0;
		fill_object(f, 4, false, PW_VLAN_NONE);
		assert_int_equal(pw_dpdk_tx_ops.attach(f->tx, &f->obj, &err), 0);
		pump(f, PW_BURST - (uint16_t)i, false);
		assert_each_once(f);
		assert_int_equal(f->win.n_out, 0);
		assert_int_equal(pw_dpdk_tx_ops.outstanding(f->tx), 0);
	}
	f->tx->q.pay_flags = flags;
}

/* A window is in flight until the driver has freed its last mbuf. Each window has a count of its own. */
static void a_window_is_busy_until_the_last_of_its_mbufs_is_back(void **state)
{
	struct fixture *f = *state;
	struct pw_tx_burst b = {.obj = &f->obj, .n = 5};
	struct pw_window other = f->win;
	struct pw_tx_object obj;
	struct rte_mbuf *pkts[PW_BURST];
	struct pw_err err = {0};

	fill_object(f, 4, false, PW_VLAN_NONE);
	assert_int_equal(pw_dpdk_tx_ops.attach(f->tx, &f->obj, &err), 0);
	obj = f->obj;
	obj.win = &other;
	assert_int_equal(pw_txq_send(&f->tx->q, &b), 5);
	b.obj = &obj;
	b.n = 3;
	assert_int_equal(pw_txq_send(&f->tx->q, &b), 3);
	assert_int_equal(f->win.n_out, 5);
	assert_int_equal(other.n_out, 3);
	assert_int_equal(pw_dpdk_tx_ops.detach(f->tx, &f->obj), -EBUSY);
	assert_int_equal(rte_eth_rx_burst(f->tx->port.id, 0, pkts, PW_BURST), 8);
	rte_pktmbuf_free_bulk(&pkts[4], 4); /* the last of the first, all of the second */
	assert_int_equal(f->win.n_out, 4);
	assert_int_equal(other.n_out, 0);
	rte_pktmbuf_free_bulk(pkts, 4);
	assert_int_equal(f->win.n_out, 0);
}

static void odd_bursts_vlan_and_wide_headers_change_nothing(void **state)
{
	struct fixture *f = *state;
	struct pw_err err = {0};
	uint16_t burst;

	for (burst = 1; burst < 20; burst = (uint16_t)(burst + 6)) {
		fill_object(f, 4, true, 5);
		assert_int_equal(pw_dpdk_tx_ops.attach(f->tx, &f->obj, &err), 0);
		pump(f, burst, false);
		assert_each_once(f);
		assert_int_equal(f->win.n_out, 0);
	}
}

static void the_file_is_never_written(void **state)
{
	struct fixture *f = *state;
	struct pw_err err = {0};
	uint8_t *before = malloc(FILE_BYTES);

	memcpy(before, f->win.map, FILE_BYTES);
	fill_object(f, 4, false, PW_VLAN_NONE);
	assert_int_equal(pw_dpdk_tx_ops.attach(f->tx, &f->obj, &err), 0);
	pump(f, PW_BURST, false);
	assert_memory_equal(before, f->win.map, FILE_BYTES);
	free(before);
}

static void ipv6_checksums_are_right_and_counted_as_reads(void **state)
{
	struct fixture *f = *state;
	struct pw_err err = {0};
	uint64_t reads = f->tx->q.c.cpu_read_bytes;

	fill_object(f, 6, false, PW_VLAN_NONE);
	assert_int_equal(pw_dpdk_tx_ops.attach(f->tx, &f->obj, &err), 0);
	pw_dpdk_tx_set_csum(f->tx, PW_CSUM_SOFTWARE, true);
	pump(f, PW_BURST, false); /* pw_frame_parse() verifies each */
	pw_dpdk_tx_set_csum(f->tx, PW_CSUM_NONE, false);
	assert_each_once(f);
	assert_int_equal(f->tx->q.c.cpu_read_bytes - reads, FILE_BYTES);
	assert_int_equal(f->tx->q.c.cpu_copied_bytes, 0);
}

/* Extents that end at odd places, with IOVAs far apart, as in physical memory. */
static void a_symbol_across_discontiguous_pages_gets_one_more_segment(void **state)
{
	struct fixture *f = *state;
	static const uint64_t cuts[] = {0, 1, 1440, 5000, 65536, 100000, 2999999, FILE_BYTES};
	uint64_t splits = f->tx->q.c.split_packets;
	struct pw_extent *whole = f->win.extents;
	struct pw_extent extents[PW_ARRAY_LEN(cuts) - 1];
	size_t i;

	fill_object(f, 4, false, PW_VLAN_NONE);
	for (i = 0; i + 1 < PW_ARRAY_LEN(cuts); i++)
		extents[i] = (struct pw_extent){
			.va = (const uint8_t *)f->win.map + cuts[i],
			.iova = (i + 1) << 40,
			.offset = cuts[i],
			.len_bytes = cuts[i + 1] - cuts[i],
		};
	f->win.extents = extents;
	f->win.n_extents = PW_ARRAY_LEN(extents);
	pump(f, PW_BURST, false);
	f->win.extents = whole;
	f->win.n_extents = 1;
	assert_each_once(f);
	assert_int_equal(f->win.n_out, 0);
	/* 1, 5000, 65536, 100000 and 2999999 lie inside symbols, 1440 between two */
	assert_int_equal(f->tx->q.c.split_packets - splits, 5);
}

static void make_linear(struct pw_txq *q, bool linear)
{
	struct rte_mbuf m;

	memcpy(&m.rearm_data, &q->rearm_hdr, sizeof(q->rearm_hdr));
	m.nb_segs = linear ? 1 : 2;
	memcpy(&q->rearm_hdr, &m.rearm_data, sizeof(q->rearm_hdr));
	q->fill = linear ? pw_txq_fill_linear : pw_txq_fill_chain;
}

static void linear_packets_are_right_and_counted_as_copies(void **state)
{
	struct fixture *f = *state;
	struct pw_err err = {0};
	struct pw_txq *q = &f->tx->q;
	uint64_t copied = q->c.cpu_copied_bytes;

	fill_object(f, 4, false, PW_VLAN_NONE);
	assert_int_equal(pw_dpdk_tx_ops.attach(f->tx, &f->obj, &err), 0);
	make_linear(q, true);
	pump(f, PW_BURST, true);
	make_linear(q, false);
	assert_each_once(f);
	assert_int_equal(q->c.cpu_copied_bytes - copied, FILE_BYTES);
}

/* The ring holds fewer packets than we send. What it did not take is offered first next time. */
static void a_full_ring_loses_and_reorders_nothing(void **state)
{
	struct fixture *f = *state;
	struct pw_err err = {0};
	const struct pw_blocks *b = &f->obj.blocks;
	uint64_t full = f->tx->q.c.full_polls, index = 0;
	struct rte_mbuf *pkts[PW_BURST];
	uint32_t sbn, esi, zeros = 0;
	uint16_t i, n;
	uint8_t *last = NULL;

	fill_object(f, 4, false, PW_VLAN_NONE);
	assert_int_equal(pw_dpdk_tx_ops.attach(f->tx, &f->obj, &err), 0);
	while (index < b->n_symbols) {
		struct pw_tx_burst t = {.obj = &f->obj, .offset = index * SYMBOL};

		pw_blocks_locate(b, index, &sbn, &esi);
		t.payload_id = pw_blocks_payload_id(b, sbn, esi);
		t.n = (uint16_t)pw_min_u64(37, pw_blocks_block_len(b, sbn) - esi);
		n = pw_txq_send(&f->tx->q, &t);
		index += n;
		if (n)
			continue;
		zeros++;
		n = rte_eth_rx_burst(f->tx->port.id, 0, pkts, 50);
		for (i = 0; i < n; i++) {
			uint8_t *payload = rte_pktmbuf_mtod(pkts[i]->next, uint8_t *);

			assert_true(payload > last); /* in the file's order */
			last = payload;
			check_packet(f, pkts[i], false);
		}
		rte_pktmbuf_free_bulk(pkts, n);
	}
	while (!pw_txq_flush(&f->tx->q) || receive(f, false))
		;
	assert_true(zeros > 0 && f->tx->q.c.full_polls > full);
	assert_each_once(f);
	assert_int_equal(f->win.n_out, 0);
}

/* Sends until the ring is full and packets are pending. */
static void fill_ring(struct fixture *f)
{
	struct pw_tx_burst b = {.obj = &f->obj, .n = 32};

	while (pw_txq_send(&f->tx->q, &b) > 0)
		b.offset += 32 * SYMBOL;
	assert_in_range(f->tx->q.n_pending, 1, 32);
}

/* As after an interrupt: the counters are those of the packets that the driver took. */
static void dropped_packets_are_not_counted(void **state)
{
	struct fixture *f = *state;
	struct pw_txq *q = &f->tx->q;
	struct pw_err err = {0};
	int linear;

	for (linear = 0; linear < 2; linear++) {
		const struct pw_tx_counters before = q->c;
		uint64_t n = 0, wire = 0;
		struct rte_mbuf *pkts[PW_BURST];
		uint16_t i, got;

		fill_object(f, 4, false, PW_VLAN_NONE);
		assert_int_equal(pw_dpdk_tx_ops.attach(f->tx, &f->obj, &err), 0);
		make_linear(q, linear);
		q->sw_csum = true;
		fill_ring(f);
		pw_txq_drop_pending(q);
		q->sw_csum = false;
		make_linear(q, false);
		assert_int_equal(q->n_pending, 0);
		while ((got = rte_eth_rx_burst(f->tx->port.id, 0, pkts, PW_BURST)) > 0) {
			for (i = 0; i < got; i++)
				wire += pkts[i]->pkt_len;
			n += got;
			rte_pktmbuf_free_bulk(pkts, got);
		}
		assert_int_equal(q->c.packets - before.packets, n);
		assert_int_equal(q->c.wire_bytes - before.wire_bytes, wire);
		assert_int_equal(q->c.payload_bytes - before.payload_bytes, n * SYMBOL);
		assert_int_equal(
			q->c.cpu_copied_bytes - before.cpu_copied_bytes, linear ? n * SYMBOL : 0);
		assert_int_equal(q->c.cpu_read_bytes - before.cpu_read_bytes, n * SYMBOL);
		assert_int_equal(f->win.n_out, 0);
	}
}

/* A stream's ring is planned before the port is open; it must hold what the driver can keep. */
static void the_plan_knows_the_size_of_the_payload_pool(void **state)
{
	const struct fixture *f = *state;

	assert_int_equal(f->tx->q.payload_pool->size, pw_dpdk_tx_mbufs(0));
}

/* A file table carries no bytes of a file, whether it is sent or dropped. */
static void a_dropped_table_takes_no_payload_from_the_counters(void **state)
{
	struct fixture *f = *state;
	struct pw_txq *q = &f->tx->q;
	struct pw_tx_burst b = {.obj = &f->obj, .n = 1};
	struct pw_err err = {0};
	struct pw_tx_counters before;
	struct rte_mbuf *pkts[PW_BURST];

	fill_object(f, 4, false, PW_VLAN_NONE);
	assert_int_equal(pw_dpdk_tx_ops.attach(f->tx, &f->obj, &err), 0);
	while (pw_txq_flush(q)) /* until the ring has no room for one more */
		assert_int_equal(pw_txq_send(q, &b), 1);
	assert_int_equal(rte_eth_rx_burst(f->tx->port.id, 0, pkts, 1), 1);
	rte_pktmbuf_free(pkts[0]);
	assert_true(pw_txq_flush(q));
	before = q->c;
	assert_int_equal(pw_dpdk_tx_ops.send_copy(q, &f->obj.tmpl, "table", 5), 1);
	assert_int_equal(q->n_pending, 1);
	pw_txq_drop_pending(q);
	before.full_polls = q->c.full_polls;
	assert_memory_equal(&q->c, &before, sizeof(before));
	while (receive(f, false))
		;
}

static void a_port_that_reaches_only_eal_memory_refuses_mapped_files(void **state)
{
	static const enum pw_pages mapped[] = {PW_PAGES_HUGEFILE, PW_PAGES_PAGECACHE};
	struct fixture *f = *state;
	const struct pw_driver_traits *was = f->tx->port.traits;
	struct pw_err err = {0};
	enum pw_pages pages = f->win.pages, chosen;
	size_t i;

	f->tx->port.traits = pw_driver_traits("net_virtio_user", false, NULL);
	for (i = 0; i < PW_ARRAY_LEN(mapped); i++) {
		f->win.pages = mapped[i];
		assert_int_equal(pw_dpdk_tx_ops.attach(f->tx, &f->obj, &err), -EINVAL);
		assert_non_null(strstr(err.msg, "--pages stage"));
	}
	assert_int_equal(pw_dpdk_choose_pages(f->tx->port.traits, PW_PAGES_AUTO, true, false, "x",
				 &chosen, &err),
		0);
	assert_int_equal(chosen, PW_PAGES_STAGE);
	f->win.pages = pages;
	f->tx->port.traits = was;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_payload_lies_in_the_file_and_comes_back_once),
		cmocka_unit_test(mbufs_of_either_kind_count_their_window_down),
		cmocka_unit_test(a_window_is_busy_until_the_last_of_its_mbufs_is_back),
		cmocka_unit_test(odd_bursts_vlan_and_wide_headers_change_nothing),
		cmocka_unit_test(the_file_is_never_written),
		cmocka_unit_test(ipv6_checksums_are_right_and_counted_as_reads),
		cmocka_unit_test(a_symbol_across_discontiguous_pages_gets_one_more_segment),
		cmocka_unit_test(linear_packets_are_right_and_counted_as_copies),
		cmocka_unit_test(a_full_ring_loses_and_reorders_nothing),
		cmocka_unit_test(dropped_packets_are_not_counted),
		cmocka_unit_test(a_dropped_table_takes_no_payload_from_the_counters),
		cmocka_unit_test(the_plan_knows_the_size_of_the_payload_pool),
		cmocka_unit_test(a_port_that_reaches_only_eal_memory_refuses_mapped_files),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
