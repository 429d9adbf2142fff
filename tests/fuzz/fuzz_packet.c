/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A received frame on its way down: Ethernet, IP, UDP, ALC, block arithmetic; and the same bytes as
 * a bare UDP payload, and as a neighbour's question or answer. What a parser accepts is checked
 * against what the builders make of it.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "wire/alc.h"
#include "wire/blocks.h"
#include "wire/frame.h"
#include "wire/neigh.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void inside(const uint8_t *p, size_t n, const uint8_t *data, size_t size)
{
	assert(p >= data && n <= size && (size_t)(p - data) <= size - n);
}

static void check_symbol(const struct pw_blocks *b, uint64_t index)
{
	uint32_t sbn, esi;
	uint64_t back = UINT64_MAX;

	pw_blocks_locate(b, index, &sbn, &esi);
	assert(sbn < b->n_blocks && esi < pw_blocks_block_len(b, sbn));
	assert(pw_blocks_index(b, sbn, esi, &back) && back == index);
	assert(pw_blocks_symbol_bytes(b, index) > 0);
	assert(index * b->symbol_len + pw_blocks_symbol_bytes(b, index) <= b->transfer_len);
}

static void check_blocks(const struct pw_alc_hdr *h)
{
	struct pw_blocks b;
	uint64_t index;

	if (pw_blocks_init(&b, h->transfer_len, h->symbol_len, h->max_sbl, NULL))
		return;
	assert(pw_blocks_first_symbol(&b, b.n_blocks) == b.n_symbols);
	if (b.n_symbols) {
		check_symbol(&b, 0);
		check_symbol(&b, b.n_symbols - 1);
		check_symbol(&b, b.n_symbols / 2);
	}
	if (pw_blocks_index(&b, h->sbn, h->esi, &index)) {
		assert(index < b.n_symbols);
		check_symbol(&b, index);
	}
}

/* The header that we would write for what we read reads the same. */
static void check_rebuild(const struct pw_alc_hdr *h)
{
	struct pw_alc_hdr back;
	uint8_t buf[PW_ALC_HDR_MAX];
	const uint8_t *payload;
	size_t n, payload_len;
	int wide;

	if (h->tsi > UINT32_MAX || h->toi > UINT32_MAX || h->codepoint != PW_FEC_ID_NO_CODE)
		return;
	for (wide = 0; wide < 2; wide++) {
		n = pw_alc_build(buf, h, wide);
		assert(n == pw_alc_len(h, wide) && n <= sizeof(buf) && n % 4 == 0);
		assert(pw_alc_parse(buf, n, &back, &payload, &payload_len) == PW_ALC_OK);
		assert(payload == buf + n && payload_len == 0);
		assert(back.tsi == h->tsi && back.toi == h->toi);
		assert(back.close_session == h->close_session);
		assert(back.close_object == h->close_object);
		assert(back.sbn == h->sbn && back.esi == h->esi);
		assert(back.has_fdt == h->has_fdt && back.fdt_instance == h->fdt_instance);
		assert(back.has_fti == h->has_fti && back.transfer_len == h->transfer_len);
		assert(back.symbol_len == h->symbol_len && back.max_sbl == h->max_sbl);
	}
}

/* A packet that starts the same, whatever follows, is read the same. */
static void check_memo(const uint8_t *data, size_t size, const struct pw_alc_hdr *h)
{
	struct pw_alc_memo memo = {0};
	struct pw_alc_hdr other;
	const uint8_t *payload;
	uint8_t *copy;
	size_t i, len;

	pw_alc_remember(&memo, data);
	if (memo.len == 0)
		return;
	assert(pw_alc_is_same(&memo, data, size));
	copy = malloc(size);
	memcpy(copy, data, size);
	for (i = memo.len; i < size; i++)
		copy[i] = (uint8_t)~data[size - 1 - (i - memo.len)];
	assert(pw_alc_is_same(&memo, copy, size));
	assert(pw_alc_parse(copy, size, &other, &payload, &len) == PW_ALC_OK);
	assert(payload == copy + memo.len + PW_FEC_ID_LEN && payload + len == copy + size);
	assert(other.tsi == h->tsi && other.toi == h->toi);
	assert(other.close_session == h->close_session && other.has_fdt == h->has_fdt);
	assert(other.sbn == pw_be16_load(copy + memo.len));
	free(copy);
}

static void try_alc(const uint8_t *data, size_t size)
{
	const uint8_t *payload = NULL;
	struct pw_alc_hdr h;
	size_t payload_len = 0;
	enum pw_alc_verdict v = pw_alc_parse(data, size, &h, &payload, &payload_len);

	assert(strcmp(pw_alc_verdict_name(v), "unknown"));
	if (v != PW_ALC_OK)
		return;
	inside(payload, payload_len, data, size);
	assert(payload + payload_len == data + size);
	assert(h.tsi < 1ull << 48 && h.fdt_instance <= PW_FDT_INSTANCE_MAX);
	assert(h.transfer_len <= PW_MAX_TRANSFER_LEN);
	check_blocks(&h);
	check_rebuild(&h);
	if (payload_len)
		check_memo(data, size, &h);
}

/* A frame with the same headers, another source port and other bytes behind them is read the same, a
 * shorter one not. */
static void check_frame_memo(
	const uint8_t *data, size_t size, const struct pw_frame_view *v, bool has_checksum)
{
	const size_t hdr_len = (size_t)(v->payload - data);
	struct pw_frame_memo memo = {0};
	struct pw_frame_view other;
	uint8_t *copy;
	size_t i;

	pw_frame_remember(&memo, data, size, v);
	if (memo.udp_off == 0)
		return;
	assert(pw_frame_same(&memo, data, size, false) == v->payload);
	assert((pw_frame_same(&memo, data, size, true) == NULL) == has_checksum);
	assert(!pw_frame_same(&memo, data, size - 1, false));
	copy = malloc(size);
	memcpy(copy, data, size);
	for (i = hdr_len - 2; i < size; i++)
		copy[i] = (uint8_t)~data[size - 1 - (i - (hdr_len - 2))];
	copy[hdr_len - PW_UDP_LEN] ^= 1;
	assert(pw_frame_same(&memo, copy, size, false) == copy + hdr_len);
	assert(pw_frame_parse(copy, size, false, &other) == PW_FRAME_OK);
	assert(other.payload == copy + hdr_len && other.payload_len == memo.payload_len);
	assert(pw_addr_equal_host(&other.dst, &v->dst) && other.dst.port == v->dst.port);
	free(copy);
}

static void try_frame(const uint8_t *data, size_t size)
{
	struct pw_frame_view v, verified;
	enum pw_frame_verdict plain = pw_frame_parse(data, size, false, &v);
	enum pw_frame_verdict strict = pw_frame_parse(data, size, true, &verified);

	assert(plain < PW_FRAME_N_VERDICTS);
	assert(strict == plain || (plain == PW_FRAME_OK && strict == PW_FRAME_CHECKSUM));
	if (plain != PW_FRAME_OK)
		return;
	inside(v.payload, v.payload_len, data, size);
	assert(v.src.family == v.dst.family && (v.src.family == 4 || v.src.family == 6));
	if (!v.checksum_present)
		assert(strict == PW_FRAME_OK);
	check_frame_memo(data, size, &v, v.checksum_present);
	try_alc(v.payload, v.payload_len);
}

static void try_neighbour(const uint8_t *data, size_t size, uint8_t family)
{
	static const uint8_t mac[6] = {2, 0, 0, 0, 0, 1};
	struct pw_addr own = {.family = family, .bytes = {192, 0, 2, 1}};
	uint8_t buf[PW_NEIGH_FRAME_MAX], got[6];
	size_t n = 0;

	pw_neigh_parse_reply(data, size, &own, got);
	if (!pw_neigh_answer(data, size, &own, mac, buf, &n))
		return;
	assert(n >= 60 && n <= sizeof(buf));
	assert(pw_neigh_parse_reply(buf, n, &own, got) && !memcmp(got, mac, 6));
}

static uint16_t checksum(uint32_t sum, const uint8_t *p, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* Makes the IPv4 header's and ICMPv6's checksums right: chance would hardly get past them. */
static void repair(uint8_t *data, size_t size)
{
	size_t off = size >= 18 && pw_be16_load(data + 12) == 0x8100 ? 18 : 14, n;
	uint8_t *ip = data + off;

	if (size < off + 20)
		return;
	n = (size_t)(ip[0] & 15) * 4;
	if (ip[0] >> 4 == 4 && n >= 20 && size - off >= n) {
		pw_be16_store(ip + 10, 0);
		pw_be16_store(ip + 10, checksum(0, ip, n));
	}
	if (ip[0] >> 4 == 6 && size - off >= 44 && ip[6] == 58) {
		n = pw_be16_load(ip + 4);
		if (n < 4 || n > size - off - 40)
			return;
		pw_be16_store(ip + 42, 0);
		pw_be16_store(ip + 42, checksum((uint32_t)n + 58, ip + 8, n + 32));
	}
}

static void try_all(const uint8_t *data, size_t size)
{
	try_frame(data, size);
	try_neighbour(data, size, 4);
	try_neighbour(data, size, 6);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	try_alc(data, size);
	try_all(data, size);
	assert(copy);
	memcpy(copy, data, size);
	repair(copy, size);
	try_all(copy, size);
	free(copy);
	return 0;
}
