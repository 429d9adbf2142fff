/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames through the transmitter over net_ring:
 *
 *   frames in a window -> pw_txq_send() -> net_ring0 -> rte_eth_rx_burst() -> asserts
 */
#include "path/frames.h"

#include "tx_util.h"

/* What the driver got of a frame: its headers, then the page itself, then zeros. */
static void check_frame(
	const struct fixture *f, struct rte_mbuf *m, const struct pw_tx_frame *frame)
{
	const uint8_t *page = (const uint8_t *)f->win.map + frame->offset;
	const uint32_t used = frame->header_len + frame->len;
	const struct rte_mbuf *first_page = m->pool == f->tx->q.hdr_pool ? m->next : m;
	uint8_t flat[4096];
	const uint8_t *bytes = rte_pktmbuf_read(m, 0, m->pkt_len, flat);
	uint32_t i;

	assert_int_equal(m->pkt_len, frame->wire_len);
	assert_non_null(bytes);
	if (frame->header_len)
		assert_memory_equal(bytes, frame->header, frame->header_len);
	assert_memory_equal(bytes + frame->header_len, page, frame->len);
	for (i = used; i < frame->wire_len; i++)
		assert_int_equal(bytes[i], 0);
	if (m->pool == f->tx->q.hdr_pool) {
		assert_int_equal(m->data_len, frame->header_len);
		assert_int_equal(m->ol_flags, 0);
	}
	if (m->pool == f->tx->q.copy_pool)
		assert_int_equal(m->nb_segs, 1);
	else if (frame->len)
		assert_ptr_equal(rte_pktmbuf_mtod(first_page, uint8_t *), page);
	else
		assert_null(first_page);
}

/* Sends the frames and compares what the driver got; returns the segments. */
static unsigned int send_frames(struct fixture *f, const struct pw_tx_frame *frames, uint16_t n)
{
	struct pw_tx_object obj = {.win = &f->win};
	unsigned int segs = 0;
	uint16_t at = 0;

	while (at < n) {
		const struct pw_tx_burst b = {.obj = &obj,
			.frames = frames + at,
			.n = (uint16_t)pw_min_u64(n - at, PW_BURST)};
		const uint16_t sent = pw_txq_send(&f->tx->q, &b);
		struct rte_mbuf *pkts[PW_BURST];
		uint16_t i;

		assert_in_range(sent, 1, n - at);
		assert_int_equal(rte_eth_rx_burst(f->tx->port.id, 0, pkts, PW_BURST), sent);
		for (i = 0; i < sent; i++, at++) {
			check_frame(f, pkts[i], &frames[at]);
			segs += pkts[i]->nb_segs;
		}
		rte_pktmbuf_free_bulk(pkts, sent);
	}
	assert_int_equal(f->win.n_out, 0);
	return segs;
}

static void a_frame_is_one_mbuf_whose_buffer_is_the_page(void **state)
{
	enum { N = 100, LEN = 1000, CUT = 50 * LEN + 10 };
	struct fixture *f = *state;
	struct pw_txq *q = &f->tx->q;
	const struct pw_tx_counters was = q->c;
	struct pw_extent *whole = f->win.extents;
	struct pw_extent cut[] = {whole[0], whole[0]};
	struct pw_tx_frame frames[N];
	uint16_t i;

	for (i = 0; i < N; i++)
		frames[i] =
			(struct pw_tx_frame){.offset = i * LEN, .len = 60 + i, .wire_len = 60 + i};
	assert_int_equal(send_frames(f, frames, N), N);
	assert_int_equal(q->c.cpu_copied_bytes, was.cpu_copied_bytes);
	assert_int_equal(q->c.split_packets, was.split_packets);
	assert_int_equal(q->c.packets - was.packets, N);
	assert_int_equal(q->c.wire_bytes - was.wire_bytes, 60 * N + N * (N - 1) / 2);
	cut[0].len_bytes = CUT;
	cut[1].offset = CUT;
	cut[1].va += CUT;
	cut[1].iova += CUT;
	cut[1].len_bytes -= CUT;
	f->win.extents = cut;
	f->win.n_extents = 2;
	assert_int_equal(send_frames(f, frames, N), N + 1);
	assert_int_equal(q->c.split_packets - was.split_packets, 1);
	assert_int_equal(q->c.cpu_copied_bytes, was.cpu_copied_bytes);
	frames[7].wire_len += 40;
	q->chains = false; /* the frame that crosses extents is copied as well */
	assert_int_equal(send_frames(f, frames, N), N);
	q->chains = true;
	assert_int_equal(q->c.cpu_copied_bytes - was.cpu_copied_bytes, 67 + 40 + 110);
	f->win.extents = whole;
	f->win.n_extents = 1;
}

/* The end of a pass and the beginning of the next, in extents that do not follow each other in memory. */
static void a_burst_that_begins_again_finds_each_frames_extent(void **state)
{
	enum { CUT = 20000, SHIFT = 8192, LEN = 100 };
	struct fixture *f = *state;
	struct pw_extent *whole = f->win.extents;
	struct pw_extent cut[] = {whole[0], whole[0]};
	const uint8_t *map = f->win.map;
	struct pw_tx_object obj = {.win = &f->win};
	uint8_t header[60] = {1};
	struct pw_tx_frame frames[] = {
		{.offset = CUT + 500, .len = LEN, .wire_len = LEN},
		{.offset = 300, .len = LEN, .wire_len = LEN},
		{.offset = CUT,
			.len = LEN,
			.wire_len = LEN + 60,
			.header = header,
			.header_len = 60},
		{.offset = 0, .len = LEN, .wire_len = LEN + 60, .header = header, .header_len = 60},
	};
	const uint8_t *pages[] = {map + CUT + SHIFT + 500, map + 300, map + CUT + SHIFT, map};
	uint16_t at = 0;

	cut[0].len_bytes = CUT;
	cut[1].offset = CUT;
	cut[1].va += CUT + SHIFT;
	cut[1].iova += CUT + SHIFT;
	cut[1].len_bytes -= CUT + SHIFT;
	f->win.extents = cut;
	f->win.n_extents = 2;
	while (at < PW_ARRAY_LEN(frames)) {
		const struct pw_tx_burst b = {.obj = &obj,
			.frames = frames + at,
			.n = (uint16_t)(PW_ARRAY_LEN(frames) - at)};
		const uint16_t sent = pw_txq_send(&f->tx->q, &b);
		struct rte_mbuf *pkts[PW_BURST];
		uint16_t i;

		assert_in_range(sent, 1, b.n);
		assert_int_equal(rte_eth_rx_burst(f->tx->port.id, 0, pkts, PW_BURST), sent);
		for (i = 0; i < sent; i++, at++)
			assert_ptr_equal(
				rte_pktmbuf_mtod(
					pkts[i]->nb_segs > 1 ? pkts[i]->next : pkts[i], uint8_t *),
				pages[at]);
		rte_pktmbuf_free_bulk(pkts, sent);
	}
	f->win.extents = whole;
	f->win.n_extents = 1;
}

/* Edited frames of every kind in one burst: header and page, header alone, none; cut by an extent; padded. */
static void an_edited_frame_is_its_headers_and_the_page_behind_them(void **state)
{
	enum { N = 60, LEN = 1000, CUT = 30 * LEN + 10, HEADER = 68 };
	struct fixture *f = *state;
	struct pw_txq *q = &f->tx->q;
	const struct pw_tx_counters was = q->c;
	struct pw_extent *whole = f->win.extents;
	struct pw_extent cut[] = {whole[0], whole[0]};
	struct pw_tx_frame frames[N];
	uint64_t n_headers = 0, wire = 0;
	uint8_t headers[N][HEADER];
	uint16_t i;

	for (i = 0; i < N; i++) {
		memset(headers[i], i + 1, HEADER);
		frames[i] = (struct pw_tx_frame){.offset = i * LEN,
			.len = i % 5 == 2 ? 0 : 100 + i,
			.header = headers[i],
			.header_len = i % 5 == 4 ? 0 : HEADER};
		frames[i].wire_len = frames[i].header_len + frames[i].len;
		n_headers += frames[i].header_len > 0;
		wire += frames[i].wire_len;
	}
	assert_int_equal(send_frames(f, frames, N), N + n_headers - N / 5);
	assert_int_equal(q->c.header_bytes - was.header_bytes, n_headers * HEADER);
	assert_int_equal(q->c.wire_bytes - was.wire_bytes, wire);
	assert_int_equal(q->c.cpu_copied_bytes, was.cpu_copied_bytes);
	assert_int_equal(q->c.split_packets, was.split_packets);
	cut[0].len_bytes = CUT;
	cut[1].offset = CUT;
	cut[1].va += CUT;
	cut[1].iova += CUT;
	cut[1].len_bytes -= CUT;
	f->win.extents = cut;
	f->win.n_extents = 2;
	assert_int_equal(send_frames(f, frames, N), N + n_headers - N / 5 + 1);
	assert_int_equal(q->c.split_packets - was.split_packets, 1);
	assert_int_equal(q->c.header_bytes - was.header_bytes, 2 * n_headers * HEADER);
	frames[7].wire_len += 40; /* header alone, and zeros */
	assert_int_equal(send_frames(f, frames, N), N + n_headers - N / 5 + 1);
	assert_int_equal(q->c.cpu_copied_bytes - was.cpu_copied_bytes, HEADER + 40);
	q->chains = false;
	assert_int_equal(send_frames(f, frames, N), N);
	q->chains = true;
	f->win.extents = whole;
	f->win.n_extents = 1;
}

/* Packets that the driver did not take are in no counter, whatever their headers. */
static void dropped_edited_frames_are_not_counted(void **state)
{
	enum { HEADER = 64 };
	static const uint8_t header[HEADER];
	struct fixture *f = *state;
	struct pw_txq *q = &f->tx->q;
	const struct pw_tx_counters before = q->c;
	struct pw_tx_object obj = {.win = &f->win};
	struct pw_tx_frame frames[32];
	const struct pw_tx_burst b = {.obj = &obj, .frames = frames, .n = PW_ARRAY_LEN(frames)};
	struct rte_mbuf *pkts[PW_BURST];
	uint64_t n = 0;
	uint16_t i, got;

	for (i = 0; i < b.n; i++)
		frames[i] = (struct pw_tx_frame){.offset = i * 1000,
			.len = 100,
			.header = header,
			.header_len = HEADER,
			.wire_len = HEADER + 100};
	while (pw_txq_send(q, &b) > 0)
		;
	assert_in_range(q->n_pending, 1, 32);
	pw_txq_drop_pending(q);
	while ((got = rte_eth_rx_burst(f->tx->port.id, 0, pkts, PW_BURST)) > 0) {
		rte_pktmbuf_free_bulk(pkts, got);
		n += got;
	}
	assert_int_equal(q->c.packets - before.packets, n);
	assert_int_equal(q->c.header_bytes - before.header_bytes, n * HEADER);
	assert_int_equal(q->c.wire_bytes - before.wire_bytes, n * (HEADER + 100));
	assert_int_equal(q->c.split_packets, before.split_packets);
	assert_int_equal(f->win.n_out, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_frame_is_one_mbuf_whose_buffer_is_the_page),
		cmocka_unit_test(a_burst_that_begins_again_finds_each_frames_extent),
		cmocka_unit_test(an_edited_frame_is_its_headers_and_the_page_behind_them),
		cmocka_unit_test(dropped_edited_frames_are_not_counted),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
