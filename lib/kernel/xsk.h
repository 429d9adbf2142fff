/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Internal to lib/kernel: an AF_XDP socket that only sends, without an XDP program: what the xdp_* ways
 * share. They differ in what their UMEM is and in how a frame is described.
 *
 *   TX ring          | desc | desc | ...    one or more for a frame --> sendto() for a batch
 *   completion ring  | addr | addr | ...    the kernel no longer reads what is there
 *
 * A frame occupies a slot until all its descriptors are complete. The slot's number follows from a
 * descriptor's address. The rings have room for every descriptor of every slot, so they are never full.
 *
 * It uses the kernel's interface directly: libxdp 1.3 cannot register a UMEM with metadata.
 */
#ifndef PW_KERNEL_XSK_H
#define PW_KERNEL_XSK_H

#include <linux/if_xdp.h>
#include <stdbool.h>
#include <stdint.h>

#include "kernel/rawtx.h"

/* In kernels newer than Debian 12's headers */
#ifndef XDP_USE_SG
#define XDP_USE_SG    (1 << 4) /* Linux 6.6 */
#define XDP_PKT_CONTD (1 << 0)
#endif

#define PW_XSK_CHUNK_MIN 2048           /* the kernel's XDP_UMEM_MIN_CHUNK_SIZE */
#define PW_XSK_COPY_SLOT PW_RAWTX_SLOTS /* xdp_sg: the number of a slot for control packets */
#define PW_XSK_SLOTS     (PW_RAWTX_SLOTS + 1)

struct pw_xsk_ring {
	uint32_t *producer, *consumer, *flags;
	void *entries;
	uint32_t size; /* a power of two */
	uint32_t at;   /* our own position: of the producer (TX), of the consumer (completions) */
	void *map;
	size_t map_bytes;
};

struct pw_xsk {
	struct pw_rawtx t;
	struct pw_xsk_ring tx, done;
	/* Aligned chunks: bytes of a slot. 0: unaligned chunks, and an address has twice the slot's number
	 * as its offset, see pw_xsk_addr(). */
	uint32_t slot_bytes;
	uint32_t n_free;
	uint16_t free_slots[PW_RAWTX_SLOTS];   /* a stack: reuses first what the cache has */
	uint16_t left[PW_XSK_SLOTS];           /* descriptors of a slot that are not complete */
	struct pw_window *win[PW_RAWTX_SLOTS]; /* whose pages a slot's frame refers to, or NULL */
	uint32_t n_out;                        /* slots with such a window */
};

struct pw_xsk_umem {
	void *area; /* on a page; 0 of the addresses */
	uint64_t bytes;
	uint32_t chunk_bytes;
	uint32_t flags;          /* XDP_UMEM_* */
	uint32_t metadata_bytes; /* in front of a frame, or 0 */
	uint32_t frame_descs;    /* at most; more than one: XDP_USE_SG */
};

/* A way's socket, after pw_rawtx_interface(): registers the UMEM and binds to queue 0. -EOPNOTSUPP: the
 * kernel or the driver does not have it. */
int pw_xsk_open(struct pw_xsk *x, const struct pw_xsk_umem *umem, struct pw_err *err);
/* Waits for what is queued, a second at most, and closes. The UMEM's memory may be unmapped afterwards. */
void pw_xsk_close(struct pw_xsk *x);

/* The slot that the next frame gets; x->n_free > 0. */
static inline uint16_t pw_xsk_top(const struct pw_xsk *x)
{
	return x->free_slots[x->n_free - 1];
}

/* Takes the slot on top for a frame of n descriptors. win: the frame refers to its pages, or NULL. */
static inline void pw_xsk_take(struct pw_xsk *x, uint16_t n, struct pw_window *win)
{
	const uint16_t slot = x->free_slots[--x->n_free];

	x->left[slot] = n;
	x->win[slot] = win;
	if (win) {
		win->n_out++;
		x->n_out++;
	}
}

/* Unaligned chunks: the kernel adds the upper 16 bits of an address to the lower 48, and returns both. So
 * the upper bits carry the slot's number. Twice, because Linux 6.18 does not return the lowest bit of a
 * frame's first address: that bit must be 0. at >= 2 * slot. */
static inline uint64_t pw_xsk_addr(uint64_t at, uint16_t slot)
{
	const uint64_t offset = 2ull * slot;

	return (at - offset) | offset << XSK_UNALIGNED_BUF_OFFSET_SHIFT;
}

static inline void pw_xsk_put(struct pw_xsk *x, uint64_t addr, uint32_t len, uint32_t options)
{
	struct xdp_desc *desc = x->tx.entries;

	desc[x->tx.at++ & (x->tx.size - 1)] =
		(struct xdp_desc){.addr = addr, .len = len, .options = options};
}

/* Shows the kernel the descriptors that were put. */
static inline void pw_xsk_submit(struct pw_xsk *x)
{
	__atomic_store_n(x->tx.producer, x->tx.at, __ATOMIC_RELEASE);
}

/* Takes back the slots of complete frames. */
void pw_xsk_collect(struct pw_xsk *x);
/* How many of n frames have a free slot; collects where too few have. */
uint16_t pw_xsk_room(struct pw_xsk *x, uint16_t n);

/* Members of pw_rawtx_slots */
void pw_xsk_kick(void *path);
void pw_xsk_reap(void *path); /* of pw_tx_ops as well */
bool pw_xsk_wait(void *path);
bool pw_xsk_all_sent(void *path);
#define PW_XSK_SLOT_OPS \
	.kick = pw_xsk_kick, .reap = pw_xsk_reap, .wait = pw_xsk_wait, .all_sent = pw_xsk_all_sent

#endif
