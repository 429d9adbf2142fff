/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * AF_PACKET with PACKET_TX_RING: frames are copied into slots that the kernel shares, and one
 * send() a batch hands them over. The kernel's skbs point into the slots: it copies no payload.
 *
 *   slot   | tpacket2_hdr: status, length | frame ...  |      AVAILABLE -> ours to fill
 *                                                             SEND_REQUEST -> the kernel's
 *                                                             SENDING -> in the driver
 *
 * send() does not wait (MSG_DONTWAIT), since one that waits does so for the whole ring to empty.
 * What a full qdisc or socket refuses stays SEND_REQUEST, and the next send() takes it up. Without
 * PACKET_LOSS a frame that the kernel finds malformed stays as WRONG_FORMAT and send() says why; with
 * it the kernel would drop such frames and say nothing.
 *
 * TPACKET_V2: V3's blocks are for receiving, its TX slots are the same with a longer header.
 */
#include <errno.h>
#include <linux/if_packet.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "kernel/rawtx.h"
#include "kernel/ways.h"

#define DATA_OFF    (TPACKET2_HDRLEN - sizeof(struct sockaddr_ll))
#define BLOCK_BYTES 65536u

struct tx_ring {
	struct pw_rawtx t;
	uint8_t *map;
	size_t map_bytes;
	uint32_t slot_bytes;
	uint32_t n_slots;
	uint32_t next; /* filled next */
};

static struct tpacket2_hdr *slot(const struct tx_ring *r, uint32_t i)
{
	return (struct tpacket2_hdr *)(void *)(r->map + (size_t)i * r->slot_bytes);
}

/* Acquire: the kernel has done with the slot's bytes before it says so. */
static uint32_t status(const struct tpacket2_hdr *h)
{
	return __atomic_load_n(&h->tp_status, __ATOMIC_ACQUIRE);
}

static bool is_free(const struct tx_ring *r)
{
	return status(slot(r, r->next)) == TP_STATUS_AVAILABLE;
}

/* Release: the frame and its length are there before the kernel may look at them. */
static void queue(struct tx_ring *r, uint32_t len)
{
	struct tpacket2_hdr *h = slot(r, r->next);

	h->tp_len = len;
	__atomic_store_n(&h->tp_status, TP_STATUS_SEND_REQUEST, __ATOMIC_RELEASE);
	r->next = r->next + 1 == r->n_slots ? 0 : r->next + 1;
}

static uint16_t ring_put(void *path, struct pw_symbols *walk, uint16_t n)
{
	struct tx_ring *r = path;
	uint16_t i;

	for (i = 0; i < n && is_free(r); i++)
		queue(r, pw_rawtx_fill(&r->t, walk, (uint8_t *)slot(r, r->next) + DATA_OFF));
	return i;
}

static void ring_kick(void *path)
{
	struct tx_ring *r = path;

	if (send(r->t.fd, NULL, 0, MSG_DONTWAIT) < 0)
		pw_rawtx_survives(&r->t, errno);
}

/* The kernel takes slots in order: when it has the last one filled, it has all. */
static bool has_leftovers(const struct tx_ring *r)
{
	uint32_t last = r->next ? r->next - 1 : r->n_slots - 1;

	return status(slot(r, last)) == TP_STATUS_SEND_REQUEST;
}

static void kick_leftovers(struct tx_ring *r)
{
	if (!r->t.fault[0] && has_leftovers(r))
		ring_kick(r);
}

static bool ring_wait(void *path)
{
	struct tx_ring *r = path;

	kick_leftovers(r);
	if (is_free(r) || r->t.fault[0])
		return is_free(r);
	if (has_leftovers(r)) /* the qdisc is full: no event tells when it is not */
		pw_rawtx_nap();
	else
		pw_rawtx_wait_writable(&r->t);
	return is_free(r);
}

static uint16_t ops_send(void *path, const struct pw_tx_burst *b)
{
	static const struct pw_rawtx_slots slots = {ring_put, ring_kick, ring_wait};

	return pw_rawtx_send_slots(path, &slots, b);
}

static uint16_t ops_send_copy(
	void *path, const struct pw_frame_tmpl *tmpl, const void *payload, size_t len)
{
	struct tx_ring *r = path;

	if (r->t.fault[0] || !pw_rawtx_fits(&r->t, tmpl, len) || (!is_free(r) && !ring_wait(r))) {
		r->t.c.full_polls++;
		return 0;
	}
	queue(r, pw_rawtx_fill_copy(
			 &r->t, tmpl, payload, len, (uint8_t *)slot(r, r->next) + DATA_OFF));
	ring_kick(r);
	pw_rawtx_account_copy(&r->t, tmpl, len);
	return 1;
}

static void ops_reap(void *path)
{
	kick_leftovers(path);
}

static const struct pw_tx_ops ops = {
	.name = "packet_tx_ring",
	.attach = pw_rawtx_attach,
	.detach = pw_rawtx_detach,
	.send = ops_send,
	.send_copy = ops_send_copy,
	.reap = ops_reap,
	.alive = pw_rawtx_alive,
	.fault = pw_rawtx_fault,
	.outstanding = pw_rawtx_outstanding,
	.counters = pw_rawtx_counters,
};

static bool all_sent(const struct tx_ring *r)
{
	uint32_t i;

	for (i = 0; i < r->n_slots; i++)
		if (status(slot(r, i)) != TP_STATUS_AVAILABLE)
			return false;
	return true;
}

static void drain(struct tx_ring *r)
{
	const uint64_t end = pw_clock_ns() + PW_RAWTX_DRAIN_MS * 1000000ull;

	while (!r->t.fault[0] && !all_sent(r) && pw_clock_ns() < end) {
		kick_leftovers(r);
		pw_rawtx_nap();
	}
}

static void way_close(void *path)
{
	struct tx_ring *r = path;

	if (!r)
		return;
	if (r->map) {
		drain(r);
		munmap(r->map, r->map_bytes);
	}
	pw_rawtx_finish(&r->t);
	free(r);
}

/* A slot within a page is one fragment of the skb: powers of two, then whole pages. */
static uint32_t slot_bytes_for(uint32_t frame)
{
	const uint32_t page = (uint32_t)sysconf(_SC_PAGESIZE);
	uint32_t need = (uint32_t)DATA_OFF + frame, bytes = 256;

	if (need > page)
		return (uint32_t)pw_align_up(need, page);
	while (bytes < need)
		bytes *= 2;
	return bytes;
}

/* Blocks of whole slots, so slots lie one behind the other in the mapping. */
static int make_ring(struct tx_ring *r, struct pw_err *err)
{
	const int version = TPACKET_V2;
	struct tpacket_req req = {0};
	uint32_t per_block;

	r->slot_bytes = slot_bytes_for(r->t.frame_max);
	per_block = (uint32_t)pw_max_u64(1, BLOCK_BYTES / r->slot_bytes);
	req.tp_frame_size = r->slot_bytes;
	req.tp_block_size = per_block * r->slot_bytes;
	req.tp_block_nr = (uint32_t)pw_div_ceil(PW_RAWTX_SLOTS, per_block);
	req.tp_frame_nr = req.tp_block_nr * per_block;
	if (setsockopt(r->t.fd, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)) < 0 ||
		setsockopt(r->t.fd, SOL_PACKET, PACKET_TX_RING, &req, sizeof(req)) < 0)
		return pw_rawtx_refused(&r->t, "make a PACKET_TX_RING", errno, err);
	r->n_slots = req.tp_frame_nr;
	r->map_bytes = (size_t)req.tp_block_size * req.tp_block_nr;
	r->map = mmap(NULL, r->map_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, r->t.fd, 0);
	if (r->map == MAP_FAILED) {
		r->map = NULL;
		return pw_err_sys(err, errno, "map the PACKET_TX_RING of %s", r->t.ifname);
	}
	/* The socket's limit is to be the ring's, with the kernel's bookkeeping for each slot. */
	pw_rawtx_grow_sndbuf(&r->t, (uint64_t)r->n_slots * (r->t.frame_max + 1024));
	return 0;
}

static int way_open(void **path, const struct pw_way_config *cfg, struct pw_err *err)
{
	struct tx_ring *r = calloc(1, sizeof(*r));
	int ret;

	*path = NULL;
	if (!r)
		return pw_err_sys(err, ENOMEM, "open packet_tx_ring");
	ret = pw_rawtx_init(&r->t, cfg, err);
	if (ret == 0)
		ret = pw_rawtx_packet_socket(&r->t, cfg, err);
	if (ret == 0)
		ret = make_ring(r, err);
	if (ret < 0)
		way_close(r);
	else
		*path = r;
	return ret;
}

const struct pw_way pw_way_packet_tx_ring = {
	.name = "packet_tx_ring",
	.summary = "AF_PACKET: our copy into PACKET_TX_RING, send() a batch",
	.kind = PW_WAY_FRAME,
	.open = way_open,
	.close = way_close,
	.packets = &ops,
};
