/* SPDX-License-Identifier: BSD-3-Clause */
/* Files whose missing symbols are restored from parity: FEC Encoding ID 5. */
#include <pthread.h>

#include "fec/rs.h"
#include "recv_dir.h"

#define K      20u
#define MAX_N  24u
#define SYMBOL 64u

static struct pw_recv_config config(void)
{
	return (struct pw_recv_config){.out_dir = dir, .force = true};
}

/* A file of blocks of at most k symbols, with max_n - k parity symbols each. */
static struct source fec_make(
	uint64_t toi, const char *name, uint64_t len, uint32_t k, uint32_t max_n)
{
	struct source s = source_make(toi, name, len, SYMBOL, PW_DIGEST_XXH3_128);

	s.f.fec_id = PW_FEC_ID_RS;
	s.f.max_sbl = k;
	s.f.max_n = max_n;
	return s;
}

static struct pw_blocks blocks_of(const struct source *s)
{
	struct pw_blocks b;

	assert_int_equal(pw_blocks_init_rs(&b, s->f.transfer_len, s->f.symbol_len, s->f.max_sbl,
				 s->f.max_n, NULL),
		0);
	return b;
}

static void add_fdt(struct packets *p, const struct source *s)
{
	packets_add_fdt(p, TSI, 1, s, 1, true, 1);
}

static struct pw_alc_hdr header(const struct source *s, uint32_t sbn, uint32_t esi)
{
	return (struct pw_alc_hdr){.tsi = TSI,
		.toi = s->f.toi,
		.codepoint = PW_FEC_ID_RS,
		.sbn = sbn,
		.esi = (uint16_t)esi};
}

static void add_source(struct packets *p, const struct source *s, uint32_t sbn, uint32_t esi)
{
	const struct pw_blocks b = blocks_of(s);
	const uint64_t index = pw_blocks_first_symbol(&b, sbn) + esi;
	struct pw_alc_hdr hdr = header(s, sbn, esi);

	packets_add(p, &hdr, false, s->data + index * s->f.symbol_len,
		pw_blocks_symbol_bytes(&b, index));
}

/* Computes all parity symbols of the block: n of them, symbol_len bytes each; the caller frees them. */
static uint8_t *parity_of(
	const struct source *s, uint32_t sbn, enum pw_rs_points points, uint32_t *n)
{
	const struct pw_blocks b = blocks_of(s);
	const uint32_t k = pw_blocks_block_len(&b, sbn), len = b.symbol_len;
	const uint8_t *source[255];
	uint8_t *parity[255], *padded = calloc(k, len), *out;
	struct pw_rs *rs;
	uint32_t i;

	*n = pw_blocks_parity(&b, sbn);
	out = malloc((size_t)*n * len);
	assert_true(padded && out && *n);
	for (i = 0; i < k; i++) {
		const uint64_t index = pw_blocks_first_symbol(&b, sbn) + i;

		memcpy(padded + i * len, s->data + index * len, pw_blocks_symbol_bytes(&b, index));
		source[i] = padded + i * len;
	}
	for (i = 0; i < *n; i++)
		parity[i] = out + i * len;
	assert_int_equal(pw_rs_create(&rs, k, *n, points, NULL), 0);
	pw_rs_encode(rs, len, source, parity);
	pw_rs_destroy(rs);
	free(padded);
	return out;
}

/* The block's parity symbols from row `from` to `to`. */
static void add_parity(struct packets *p, const struct source *s, uint32_t sbn, uint32_t from,
	uint32_t to, enum pw_rs_points points)
{
	const struct pw_blocks b = blocks_of(s);
	uint32_t n, row;
	uint8_t *parity = parity_of(s, sbn, points, &n);

	for (row = from; row < to && row < n; row++) {
		struct pw_alc_hdr hdr = header(s, sbn, pw_blocks_block_len(&b, sbn) + row);

		packets_add(p, &hdr, false, parity + row * b.symbol_len, b.symbol_len);
	}
	free(parity);
}

/* All blocks, in order; lost(sbn, esi) names the packets that do not come. */
static void add_all(struct packets *p, const struct source *s, enum pw_rs_points points,
	bool (*lost)(uint32_t sbn, uint32_t esi))
{
	const struct pw_blocks b = blocks_of(s);
	uint32_t sbn, i, n;

	for (sbn = 0; sbn < b.n_blocks; sbn++) {
		const uint32_t k = pw_blocks_block_len(&b, sbn);

		for (i = 0; i < k; i++)
			if (!lost(sbn, i))
				add_source(p, s, sbn, i);
		n = pw_blocks_parity(&b, sbn);
		for (i = 0; i < n; i++)
			if (!lost(sbn, k + i))
				add_parity(p, s, sbn, i, i + 1, points);
	}
}

/* 3 of each block, and one parity symbol: exactly what parity can give. The first block is whole. */
static bool as_many_as_can_be(uint32_t sbn, uint32_t esi)
{
	return sbn && (esi == sbn % 7 || esi == 8 || esi == 19 || esi == 21);
}

static bool one_of_each(uint32_t sbn, uint32_t esi)
{
	(void)sbn;
	return esi == 5;
}

static bool none(uint32_t sbn, uint32_t esi)
{
	(void)sbn;
	(void)esi;
	return false;
}

static struct pw_recv_counters assert_whole(struct pw_recv *r, const struct source *s)
{
	struct pw_err err = {0};
	struct pw_recv_counters c;

	assert_state(r, 0, PW_RECV_COMPLETE);
	c = counters(r);
	assert_int_equal(pw_recv_finish(r, &err), 0);
	assert_null(pw_recv_gaps_written(r));
	assert_content(in_dir(dir, s->f.location), s);
	return c;
}

static void missing_symbols_are_restored(void **state)
{
	struct source s = fec_make(1, "f", 9 * K * SYMBOL + 17, K, MAX_N);
	struct pw_recv_config cfg = config();
	struct pw_recv *r = recv_make(&cfg);
	struct pw_recv_counters c;
	struct pw_recv_status st;
	struct packets p = {0};

	(void)state;
	add_fdt(&p, &s);
	add_all(&p, &s, PW_RS_RFC, as_many_as_can_be);
	push(r, &p);
	pw_recv_status(r, &st);
	c = assert_whole(r, &s);
	assert_true(c.restored >= 9 * 2 && c.restored <= 9 * 3);
	assert_int_equal(c.payload_bytes, s.f.transfer_len);
	/* They were lost on the path all the same. */
	assert_int_equal(st.symbols_expected, source_symbols(&s));
	assert_int_equal(st.symbols_seen, source_symbols(&s) - c.restored);
	assert_int_equal(c.out_of_object + c.duplicates + c.malformed + c.parity_dropped, 0);
	pw_recv_destroy(r);
	packets_drop(&p);
	source_drop(&s);
}

/* Two blocks lack more than parity has; the manifest asks for these only. */
static void the_manifest_asks_for_what_parity_could_not_fix(void **state)
{
	struct source s = fec_make(1, "f", 6 * K * SYMBOL, K, MAX_N);
	struct pw_recv_config cfg = config();
	struct pw_recv *r = recv_make(&cfg);
	struct pw_gaps g = {0};
	struct packets p = {0};
	struct pw_err err;
	uint32_t sbn, i;

	(void)state;
	add_fdt(&p, &s);
	for (sbn = 0; sbn < 6; sbn++) {
		const uint32_t n_lost = sbn == 2 || sbn == 5 ? MAX_N - K + 1 : MAX_N - K;

		for (i = sbn ? n_lost : 0; i < K; i++)
			add_source(&p, &s, sbn, i);
		add_parity(&p, &s, sbn, 0, MAX_N - K, PW_RS_RFC);
	}
	push(r, &p);
	assert_state(r, 0, PW_RECV_PARTIAL);
	assert_int_equal(pw_recv_finish(r, &err), 1);
	assert_int_equal(pw_gaps_load(pw_recv_gaps_written(r), &g, &err), 0);
	assert_int_equal(g.n_files, 1);
	assert_int_equal(g.files[0].n_missing, 2);
	assert_int_equal(g.files[0].missing[0].from, 2 * K * SYMBOL);
	assert_int_equal(g.files[0].missing[0].to, (2 * K + MAX_N - K + 1) * SYMBOL);
	assert_int_equal(g.files[0].missing[1].from, 5 * K * SYMBOL);
	pw_gaps_finish(&g);
	pw_recv_destroy(r);

	/* The next run has these symbols, but for one of each block. */
	packets_drop(&p);
	cfg.resume = true;
	r = recv_make(&cfg);
	add_fdt(&p, &s);
	for (sbn = 2; sbn < 6; sbn += 3) {
		for (i = 0; i < MAX_N - K; i++)
			add_source(&p, &s, sbn, i);
		add_parity(&p, &s, sbn, 0, 2, PW_RS_RFC);
	}
	push(r, &p);
	assert_int_equal(assert_whole(r, &s).restored, 2);
	pw_recv_destroy(r);
	packets_drop(&p);
	source_drop(&s);
}

static void the_code_of_the_sender_is_found(void **state)
{
	struct pw_recv_config cfg = config();
	struct packets p = {0};
	struct pw_recv *r;
	unsigned int points;

	(void)state;
	for (points = 0; points < PW_RS_N_POINTS; points++) {
		struct source s = fec_make(1, "f", 5 * K * SYMBOL - 3, K, MAX_N);

		/* No block is whole: one that has a symbol more than it needs tells. */
		r = recv_make(&cfg);
		add_fdt(&p, &s);
		add_all(&p, &s, points, one_of_each);
		push(r, &p);
		assert_int_equal(assert_whole(r, &s).restored, 5);
		pw_recv_destroy(r);
		packets_drop(&p);

		/* One block is whole, the others have just enough. */
		r = recv_make(&cfg);
		add_fdt(&p, &s);
		add_all(&p, &s, points, as_many_as_can_be);
		push(r, &p);
		assert_whole(r, &s);
		assert_int_equal(counters(r).restored, 4 * 3);
		pw_recv_destroy(r);
		packets_drop(&p);
		source_drop(&s);
	}
}

/* The only block has just enough symbols, so that nothing but the digest tells the code. */
static void codes_are_tried_until_the_digest_agrees(void **state)
{
	struct pw_recv_config cfg = config();
	struct packets p = {0};
	struct pw_recv *r;
	unsigned int points;

	(void)state;
	for (points = 0; points < PW_RS_N_POINTS; points++) {
		struct source s = fec_make(1, "f", K * SYMBOL - 9, K, MAX_N);
		uint32_t i;

		r = recv_make(&cfg);
		add_fdt(&p, &s);
		for (i = 2; i < K - 1; i++)
			add_source(&p, &s, 0, i);
		add_parity(&p, &s, 0, 1, 4, points);
		push(r, &p);
		assert_int_equal(assert_whole(r, &s).restored, 3);
		pw_recv_destroy(r);
		packets_drop(&p);
		source_drop(&s);
	}
}

/* Nothing would tell that the code was wrong. A digest that comes later does. */
static void without_a_digest_no_code_is_tried(void **state)
{
	struct source s = fec_make(1, "f", K * SYMBOL, K, MAX_N);
	const struct pw_digest digest = s.f.digest;
	struct pw_recv_config cfg = config();
	struct packets p = {0};
	struct pw_recv *r = recv_make(&cfg);
	uint32_t i;

	(void)state;
	s.f.digest.kind = PW_DIGEST_NONE;
	add_fdt(&p, &s);
	for (i = 1; i < K; i++)
		add_source(&p, &s, 0, i);
	add_parity(&p, &s, 0, 0, 1, PW_RS_YPO);
	push(r, &p);
	assert_state(r, 0, PW_RECV_PARTIAL);
	assert_int_equal(file_info(r, 0).have_bytes, (K - 1) * SYMBOL);
	packets_drop(&p);
	s.f.digest = digest;
	packets_add_fdt(&p, TSI, 2, &s, 1, true, 1);
	push(r, &p);
	assert_int_equal(assert_whole(r, &s).restored, 1);
	pw_recv_destroy(r);
	packets_drop(&p);
	source_drop(&s);
}

/* A forged parity symbol, or one of a code that nobody knows: the file is not complete, and is received again. */
static void forged_parity_does_not_make_a_file(void **state)
{
	struct source s = fec_make(1, "f", K * SYMBOL, K, MAX_N);
	struct pw_recv_config cfg = config();
	struct pw_recv *r = recv_make(&cfg);
	uint8_t forged[SYMBOL] = {1, 2, 3};
	struct pw_alc_hdr hdr = header(&s, 0, K);
	struct packets p = {0};
	uint32_t i;

	(void)state;
	add_fdt(&p, &s);
	for (i = 1; i < K; i++)
		add_source(&p, &s, 0, i);
	packets_add(&p, &hdr, false, forged, SYMBOL);
	push(r, &p);
	assert_state(r, 0, PW_RECV_MISMATCH);
	assert_int_equal(file_info(r, 0).have_bytes, 0);
	packets_drop(&p);
	for (i = 0; i < K; i++)
		add_source(&p, &s, 0, i);
	push(r, &p);
	assert_whole(r, &s);
	pw_recv_destroy(r);
	packets_drop(&p);
	source_drop(&s);
}

/* Parity that comes before its block, in any order, and more of it than is needed. */
static void any_order_restores_the_same_file(void **state)
{
	struct source s = fec_make(1, "f", 30 * K * SYMBOL - 1, K, MAX_N);
	struct pw_recv_config cfg = config();
	struct packets p = {0}, table = {0};
	struct pw_recv *r;
	uint64_t seed;

	(void)state;
	add_fdt(&table, &s);
	for (seed = 1; seed < 6; seed++) {
		r = recv_make(&cfg);
		push(r, &table);
		add_all(&p, &s, PW_RS_RFC, as_many_as_can_be);
		shuffle(p.v, p.n, seed);
		push(r, &p);
		assert_whole(r, &s);
		pw_recv_destroy(r);
		packets_drop(&p);
	}
	packets_drop(&table);
	source_drop(&s);
}

static void without_loss_nothing_is_restored(void **state)
{
	struct source s = fec_make(1, "f", 9 * K * SYMBOL, K, MAX_N);
	struct pw_recv_config cfg = config();
	struct pw_recv *r = recv_make(&cfg);
	struct pw_recv_counters c;
	struct packets p = {0};

	(void)state;
	add_fdt(&p, &s);
	add_all(&p, &s, PW_RS_RFC, none);
	push(r, &p);
	c = assert_whole(r, &s);
	assert_int_equal(c.restored, 0);
	assert_int_equal(c.parity + c.finished_toi, 9 * (MAX_N - K));
	assert_int_equal(c.duplicates, 0);
	pw_recv_destroy(r);
	packets_drop(&p);
	source_drop(&s);
}

/* Several symbols in a packet, across the end of the source block. The object's last one is padded. */
static void a_packet_may_hold_source_and_parity(void **state)
{
	struct source s = fec_make(1, "f", K * SYMBOL - 5, K, MAX_N);
	struct pw_recv_config cfg = config();
	struct pw_recv *r = recv_make(&cfg);
	struct pw_alc_hdr hdr = header(&s, 0, 2);
	uint8_t payload[(MAX_N - 2) * SYMBOL] = {0}, *parity;
	struct packets p = {0};
	uint32_t n;

	(void)state;
	add_fdt(&p, &s);
	memcpy(payload, s.data + 2 * SYMBOL, (K - 2) * SYMBOL - 5);
	parity = parity_of(&s, 0, PW_RS_RFC, &n);
	memcpy(payload + (K - 2) * SYMBOL, parity, n * SYMBOL);
	packets_add(&p, &hdr, false, payload, sizeof(payload));
	push(r, &p);
	assert_int_equal(assert_whole(r, &s).restored, 2);
	free(parity);
	pw_recv_destroy(r);
	packets_drop(&p);
	source_drop(&s);
}

/* Symbols beyond the code, of wrong lengths, or of another scheme. */
static void packets_that_contradict_are_counted(void **state)
{
	struct source s = fec_make(1, "f", 3 * K * SYMBOL, K, MAX_N);
	struct pw_recv_config cfg = config();
	struct pw_recv *r = recv_make(&cfg);
	const struct {
		uint32_t sbn, esi;
		size_t len;
		uint8_t codepoint;
	} lies[] = {
		{0, MAX_N, SYMBOL, PW_FEC_ID_RS},
		{0, 255, SYMBOL, PW_FEC_ID_RS},
		{3, 0, SYMBOL, PW_FEC_ID_RS},
		{0xffffff, 0, SYMBOL, PW_FEC_ID_RS},
		{0, K, SYMBOL - 1, PW_FEC_ID_RS},
		{0, K, SYMBOL + 1, PW_FEC_ID_RS},
		{0, MAX_N - 1, 2 * SYMBOL, PW_FEC_ID_RS},
		{0, K - 1, 9 * SYMBOL, PW_FEC_ID_RS},
		{0, 0, SYMBOL, PW_FEC_ID_NO_CODE},
	};
	static const uint8_t zeros[9 * SYMBOL];
	struct packets p = {0};
	struct pw_recv_counters c;
	size_t i;

	(void)state;
	add_fdt(&p, &s);
	add_source(&p, &s, 0, 0);
	for (i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		struct pw_alc_hdr hdr = header(&s, lies[i].sbn, lies[i].esi);

		hdr.codepoint = lies[i].codepoint;
		packets_add(&p, &hdr, false, zeros, lies[i].len);
	}
	push(r, &p);
	c = counters(r);
	assert_int_equal(c.out_of_object, sizeof(lies) / sizeof(lies[0]));
	assert_int_equal(c.parity, 0);
	assert_int_equal(c.symbols, 1);
	pw_recv_destroy(r);
	packets_drop(&p);
	source_drop(&s);
}

static void codes_that_cannot_be_are_refused(void **state)
{
	static const struct {
		uint32_t k, max_n;
	} lies[] = {{256, 255}, {20, 19}, {200, 256}, {1, UINT32_MAX}, {UINT32_MAX, UINT32_MAX}};
	struct pw_recv_config cfg = config();
	struct packets p = {0};
	struct pw_recv *r;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		struct source s = fec_make(1, "f", 3 * K * SYMBOL, lies[i].k, lies[i].max_n);

		r = recv_make(&cfg);
		add_fdt(&p, &s);
		push(r, &p);
		assert_state(r, 0, PW_RECV_REFUSED);
		pw_recv_destroy(r);
		packets_drop(&p);
		source_drop(&s);
	}
}

struct hand {
	struct pw_recv *r;
	uint32_t lane;
	const struct packets *p;
	pthread_t thread;
};

/* Brings every 64 packets of two times 64. */
static void *bring(void *arg)
{
	const struct hand *h = arg;
	size_t i;

	for (i = 64 * h->lane; i < h->p->n; i += 128)
		pw_recv_lane_burst(h->r, h->lane, h->p->v + i, h->p->n - i < 64 ? h->p->n - i : 64);
	return NULL;
}

static bool one_in_fifteen(uint32_t sbn, uint32_t esi)
{
	return (sbn * 31 + esi) % 15 == 3;
}

/* Two lanes, and a file that is larger than the memory for its chunks: the decoder reads it back from the disk. */
static void it_is_restored_while_lanes_place_and_the_disk_writes(void **state)
{
	struct source s = fec_make(1, "f", (24u << 20) + 77, 100, 112);
	char top[] = "/var/tmp/pagewire-test-XXXXXX";
	struct pw_recv_config cfg = {.out_dir = top,
		.force = true,
		.n_lanes = 2,
		.write = PW_OUTDIR_DIRECT,
		.write_memory_bytes = PW_OUTDIR_MEMORY_LO};
	struct packets table = {0}, p = {0};
	struct hand hands[2];
	struct pw_recv *r;
	struct pw_err err;
	size_t i;

	(void)state;
	s.f.symbol_len = 1024;
	assert_non_null(mkdtemp(top));
	r = recv_make(&cfg);
	add_fdt(&table, &s);
	add_all(&p, &s, PW_RS_RIZZO, one_in_fifteen);
	push(r, &table);
	for (i = 0; i < 2; i++) {
		hands[i] = (struct hand){.r = r, .lane = (uint32_t)i, .p = &p};
		assert_int_equal(pthread_create(&hands[i].thread, NULL, bring, &hands[i]), 0);
	}
	for (i = 0; i < 2; i++)
		pthread_join(hands[i].thread, NULL);
	pw_recv_settle(r);
	assert_state(r, 0, PW_RECV_COMPLETE);
	assert_true(counters(r).restored >= source_symbols(&s) / 15);
	assert_int_equal(pw_recv_finish(r, &err), 0);
	assert_content(in_dir(top, "f"), &s);
	pw_recv_destroy(r);
	packets_drop(&p);
	packets_drop(&table);
	source_drop(&s);
	dir_drop(top);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(missing_symbols_are_restored),
		test(the_manifest_asks_for_what_parity_could_not_fix),
		test(the_code_of_the_sender_is_found),
		test(codes_are_tried_until_the_digest_agrees),
		test(without_a_digest_no_code_is_tried),
		test(forged_parity_does_not_make_a_file),
		test(any_order_restores_the_same_file),
		test(without_loss_nothing_is_restored),
		test(a_packet_may_hold_source_and_parity),
		test(it_is_restored_while_lanes_place_and_the_disk_writes),
		test(packets_that_contradict_are_counted),
		test(codes_that_cannot_be_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
