/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Internal to lib/kernel: what the frame ways share. Each way's own struct begins with a struct
 * pw_rawtx, so a path's address is also its address.
 *
 *   packet_send     | sendmsg {header, page} |                    | a packet
 *   packet_tx_ring  | header and page copied into a slot of ...   | a ring, one send() a batch
 *   xdp_*           | the same                                    | a UMEM, one sendto() a batch
 */
#ifndef PW_KERNEL_RAWTX_H
#define PW_KERNEL_RAWTX_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "kernel/symbols.h"
#include "kernel/way.h"

#define PW_RAWTX_SLOTS    512  /* as many as DPDK's af_packet has: a ring that fits the L2 cache */
#define PW_RAWTX_DRAIN_MS 1000 /* close() waits so long for what is queued */

struct pw_rawtx {
	struct pw_tx_counters c;
	uint32_t batch;
	uint32_t frame_max; /* bytes: symbols and control packets */
	unsigned int ifindex;
	int fd;  /* what sends; -1 = none yet */
	int ctl; /* what asks about the interface */
	char ifname[IFNAMSIZ];
	char fault[PW_ERR_MAX]; /* "" = none */
};

/* Finds the interface. -ENODEV: there is none of that name. */
int pw_rawtx_init(struct pw_rawtx *t, const struct pw_way_config *cfg, struct pw_err *err);
/* Closes ctl, and fd where there is one. */
void pw_rawtx_finish(struct pw_rawtx *t);

/* t->fd becomes a raw packet socket that sends on the interface and receives nothing. */
int pw_rawtx_packet_socket(struct pw_rawtx *t, const struct pw_way_config *cfg, struct pw_err *err);

/* Says why a socket was refused: what the host lacks, or what else went wrong. */
int pw_rawtx_refused(const struct pw_rawtx *t, const char *what, int code, struct pw_err *err);

/* Lets `bytes` of packets wait below the socket, if the host allows it; pw_rawtx_wait_writable()
 * sleeps until half of them have left. */
void pw_rawtx_grow_sndbuf(struct pw_rawtx *t, uint64_t bytes);

/* After a call that sends failed with code: true when another try may succeed; false when the path
 * is broken for good, and t->fault says how. */
bool pw_rawtx_survives(struct pw_rawtx *t, int code);

/* The queue below is full and nothing tells when it is not. */
void pw_rawtx_nap(void);
/* Until fd can take more, PW_SEND_SLEEP_NS at most. */
void pw_rawtx_wait_writable(struct pw_rawtx *t);

/* Writes the frame of the next symbol, or of a control packet, to dst[frame_max]; returns its
 * length. */
uint32_t pw_rawtx_fill(struct pw_rawtx *t, struct pw_symbols *walk, uint8_t *dst);
uint32_t pw_rawtx_fill_copy(struct pw_rawtx *t, const struct pw_frame_tmpl *tmpl,
	const void *payload, size_t len, uint8_t *dst);

/* False, and a fault, when a control packet is longer than any slot. */
bool pw_rawtx_fits(struct pw_rawtx *t, const struct pw_frame_tmpl *tmpl, size_t len);

/* hdr is a filled template without UDP checksum, of a packet that needs one. */
bool pw_rawtx_needs_csum(const struct pw_frame_tmpl *tmpl);

void pw_rawtx_account(struct pw_rawtx *t, const struct pw_tx_burst *b, uint16_t n);
void pw_rawtx_account_copy(struct pw_rawtx *t, const struct pw_frame_tmpl *tmpl, size_t len);

/* How a way with slots does its part of a burst. */
struct pw_rawtx_slots {
	/* Fills up to n slots; returns how many were free. */
	uint16_t (*put)(void *path, struct pw_symbols *walk, uint16_t n);
	/* Tells the kernel. What it does not take now stays queued. */
	void (*kick)(void *path);
	/* No slot is free: waits, PW_SEND_SLEEP_NS at most. True when there is one. */
	bool (*wait)(void *path);
};
/* pw_tx_ops' send: batches of slots, one kick each. */
uint16_t pw_rawtx_send_slots(
	void *path, const struct pw_rawtx_slots *slots, const struct pw_tx_burst *b);

/* pw_tx_ops' calls that are the same for all. Pages are not read after send() has returned, so
 * nothing is outstanding. */
int pw_rawtx_attach(void *path, struct pw_tx_object *obj, struct pw_err *err);
int pw_rawtx_detach(void *path, struct pw_tx_object *obj);
bool pw_rawtx_alive(void *path);
const char *pw_rawtx_fault(void *path);
uint32_t pw_rawtx_outstanding(void *path);
const struct pw_tx_counters *pw_rawtx_counters(void *path);

#endif
