/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The frame way packet_tx_ring: AF_PACKET with PACKET_TX_RING. It copies frames into slots shared with
 * the kernel, and hands over a batch with one send(). The kernel's skbs refer to the slots: it copies no
 * payload.
 *
 *   slot   | tpacket2_hdr: status, length | frame ...  |      AVAILABLE      this way may fill it
 *                                                             SEND_REQUEST   the kernel may send it
 *                                                             SENDING        the driver has it
 *
 * send() does not wait (MSG_DONTWAIT): one that waits does so until the whole ring is empty. What a full
 * qdisc or socket refuses stays SEND_REQUEST, and the next send() takes it. PACKET_LOSS is off: a frame
 * that the kernel finds malformed stays as WRONG_FORMAT, and send() returns the error. With PACKET_LOSS
 * the kernel would drop such frames without an error.
 *
 * TPACKET_V2: the blocks of V3 are for receiving; its TX slots are the same with a longer header.
 */
#include <errno.h>
#include <linux/if_packet.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
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
	uint32_t next; /* the slot to fill next */
};

static struct tpacket2_hdr *slot(const struct tx_ring *r, uint32_t i)
{
	return (struct tpacket2_hdr *)(void *)(r->map + (size_t)i * r->slot_bytes);
}

/* Acquire: the kernel no longer uses the slot's bytes when it sets the status. */
static uint32_t status(const struct tpacket2_hdr *h)
{
	return __atomic_load_n(&h->tp_status, __ATOMIC_ACQUIRE);
}

static bool is_free(const struct tx_ring *r)
{
	return status(slot(r, r->next)) == TP_STATUS_AVAILABLE;
}

/* Release: the frame and its length are complete before the kernel may read them. */
static void queue(struct tx_ring *r, uint32_t len)
{
	struct tpacket2_hdr *h = slot(r, r->next);

	h->tp_len = len;
	__atomic_store_n(&h->tp_status, TP_STATUS_SEND_REQUEST, __ATOMIC_RELEASE);
	r->next = r->next + 1 == r->n_slots ? 0 : r->next + 1;
}

static uint8_t *next_frame(const struct tx_ring *r)
{
	return (uint8_t *)slot(r, r->next) + DATA_OFF;
}

static uint16_t ring_put(void *path, struct pw_symbols *walk, uint16_t n)
{
	struct tx_ring *r = path;
	uint16_t i;

	for (i = 0; i < n && is_free(r); i++)
		queue(r, pw_rawtx_fill(&r->t, walk, next_frame(r)));
	return i;
}

static bool ring_put_copy(
	void *path, const struct pw_frame_tmpl *tmpl, const void *payload, size_t len)
{
	struct tx_ring *r = path;

	if (!is_free(r))
		return false;
	queue(r, pw_rawtx_fill_copy(tmpl, payload, len, next_frame(r)));
	return true;
}

static void ring_kick(void *path)
{
	struct tx_ring *r = path;

	if (send(r->t.s.fd, NULL, 0, MSG_DONTWAIT) < 0)
		pw_rawtx_survives(&r->t, errno);
}

/* The kernel takes slots in order: when it has the last one that was filled, it has all. */
static bool has_leftovers(const struct tx_ring *r)
{
	uint32_t last = r->next ? r->next - 1 : r->n_slots - 1;

	return status(slot(r, last)) == TP_STATUS_SEND_REQUEST;
}

static void ring_reap(void *path)
{
	struct tx_ring *r = path;

	if (!r->t.s.fault[0] && has_leftovers(r))
		ring_kick(r);
}

static bool ring_wait(void *path)
{
	struct tx_ring *r = path;

	ring_reap(r);
	if (is_free(r) || r->t.s.fault[0])
		return is_free(r);
	if (has_leftovers(r)) /* the qdisc is full, and no event reports when it has room */
		pw_sock_nap();
	else
		pw_sock_wait_writable(&r->t.s);
	return is_free(r);
}

static bool ring_all_sent(void *path)
{
	const struct tx_ring *r = path;
	uint32_t i;

	for (i = 0; i < r->n_slots; i++)
		if (status(slot(r, i)) != TP_STATUS_AVAILABLE)
			return false;
	return true;
}

static const struct pw_rawtx_slots slots = {
	.put = ring_put,
	.put_copy = ring_put_copy,
	.kick = ring_kick,
	.reap = ring_reap,
	.wait = ring_wait,
	.all_sent = ring_all_sent,
};

static uint16_t ring_send(void *path, const struct pw_tx_burst *b)
{
	return pw_rawtx_send_slots(path, &slots, b);
}

static uint16_t ring_send_copy(
	void *path, const struct pw_frame_tmpl *tmpl, const void *payload, size_t len)
{
	return pw_rawtx_send_copy(path, &slots, tmpl, payload, len);
}

/* A slot that lies within a page is one fragment of the skb: use powers of two, then whole pages. */
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

/* Blocks have a whole number of slots, so slots are contiguous in the mapping. */
static int ring_init(void *path, struct pw_err *err)
{
	struct tx_ring *r = path;
	const int version = TPACKET_V2;
	struct tpacket_req req = {0};
	uint32_t per_block;

	r->slot_bytes = slot_bytes_for(r->t.frame_max);
	per_block = (uint32_t)pw_max_u64(1, BLOCK_BYTES / r->slot_bytes);
	req.tp_frame_size = r->slot_bytes;
	req.tp_block_size = per_block * r->slot_bytes;
	req.tp_block_nr = (uint32_t)pw_div_ceil(PW_RAWTX_SLOTS, per_block);
	req.tp_frame_nr = req.tp_block_nr * per_block;
	if (setsockopt(r->t.s.fd, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)) < 0 ||
		setsockopt(r->t.s.fd, SOL_PACKET, PACKET_TX_RING, &req, sizeof(req)) < 0)
		return pw_rawtx_refused(&r->t, "make a PACKET_TX_RING", errno, err);
	r->n_slots = req.tp_frame_nr;
	r->map_bytes = (size_t)req.tp_block_size * req.tp_block_nr;
	r->map = mmap(NULL, r->map_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, r->t.s.fd, 0);
	if (r->map == MAP_FAILED) {
		r->map = NULL;
		return pw_err_sys(err, errno, "cannot map the PACKET_TX_RING of %s", r->t.s.peer);
	}
	/* The socket's limit: the whole ring, with the kernel's bookkeeping for each slot. */
	pw_rawtx_grow_sndbuf(&r->t, (uint64_t)r->n_slots * (r->t.frame_max + 1024));
	return 0;
}

static void ring_finish(void *path)
{
	struct tx_ring *r = path;

	if (r->map) {
		pw_rawtx_drain(r, &slots);
		munmap(r->map, r->map_bytes);
	}
	pw_rawtx_finish(&r->t);
}

const struct pw_way pw_way_packet_tx_ring = {
	.name = "packet_tx_ring",
	.summary = "AF_PACKET: our copy into PACKET_TX_RING, send() a batch",
	.kind = PW_WAY_FRAME,
	.path_bytes = sizeof(struct tx_ring),
	.socket = pw_rawtx_packet_socket,
	.init = ring_init,
	.finish = ring_finish,
	.packets = &(const struct pw_tx_ops){.name = "packet_tx_ring",
		.send = ring_send,
		.send_copy = ring_send_copy,
		.reap = ring_reap,
		PW_RAWTX_OPS},
};
