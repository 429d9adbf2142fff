/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Internal to lib/kernel: what the frame ways share: the interface, the writing of frames, and the
 * meaning of a failed call. A way's own struct begins with a struct pw_rawtx.
 *
 *   packet_send     | sendmsg {header, page} for each packet
 *   packet_tx_ring  | header and page copied into a slot of a ring, one send() for a batch
 *   xdp_*           | the same into a UMEM, one sendto() for a batch
 *   xdp_sg          | header in a UMEM that has the file's pages as well
 */
#ifndef PW_KERNEL_RAWTX_H
#define PW_KERNEL_RAWTX_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/netdev.h"
#include "kernel/sock.h"
#include "kernel/symbols.h"

#define PW_RAWTX_SLOTS 512 /* as DPDK's af_packet: a ring that fits the L2 cache */

struct pw_rawtx {
	struct pw_sock s;   /* peer: the interface */
	uint32_t frame_max; /* bytes: of symbols and control packets */
	struct pw_netdev dev;
};

/* First step of a pw_way's socket: finds the interface. -ENODEV: no such interface. */
int pw_rawtx_interface(struct pw_rawtx *t, struct pw_err *err);
/* pw_way's socket: a packet socket that sends on the interface and receives nothing. */
int pw_rawtx_packet_socket(void *path, struct pw_err *err);
/* Last step of a pw_way's finish. */
void pw_rawtx_finish(struct pw_rawtx *t);

/* Reports that the kernel refuses a socket: what the host lacks, or another reason. */
int pw_rawtx_refused(const struct pw_rawtx *t, const char *what, int code, struct pw_err *err);

/* Lets `bytes` of packets wait below the socket, if the host allows it. pw_sock_wait_writable() then
 * sleeps until half of them have left. */
void pw_rawtx_grow_sndbuf(struct pw_rawtx *t, uint64_t bytes);

/* After a call that sends has failed with code: true when another try may succeed; false when the path
 * is broken for good, with a fault. */
bool pw_rawtx_survives(struct pw_rawtx *t, int code);

/* The UDP checksum is required (IPv6): write it to hdr, a filled template. */
bool pw_rawtx_needs_csum(const struct pw_frame_tmpl *tmpl);
void pw_rawtx_store_csum(
	const struct pw_frame_tmpl *tmpl, uint8_t *hdr, const void *payload, size_t len);

/* Writes the frame of the next symbol, or of a control packet, to dst[frame_max]; returns its length. */
uint32_t pw_rawtx_fill(struct pw_rawtx *t, struct pw_symbols *walk, uint8_t *dst);
uint32_t pw_rawtx_fill_copy(
	const struct pw_frame_tmpl *tmpl, const void *payload, size_t len, uint8_t *dst);

/* The same for a symbol, and leaves the checksum out. */
uint32_t pw_rawtx_write(struct pw_rawtx *t, const struct pw_symbol *sym, uint8_t *dst);

/* The slots of a way that copies frames into memory shared with the kernel. */
struct pw_rawtx_slots {
	/* Fills up to n slots with the walk's next symbols; returns how many were free. */
	uint16_t (*put)(void *path, struct pw_symbols *walk, uint16_t n);
	/* Fills a slot with a control packet; false: none was free. */
	bool (*put_copy)(
		void *path, const struct pw_frame_tmpl *tmpl, const void *payload, size_t len);
	/* Makes the kernel send. What it does not accept now stays queued. */
	void (*kick)(void *path);
	/* Kicks again if something is still queued, and takes back free slots. */
	void (*reap)(void *path);
	/* No slot is free: waits, PW_SEND_SLEEP_NS at most. True when there is one. */
	bool (*wait)(void *path);
	/* All slots are free. */
	bool (*all_sent)(void *path);
};
/* pw_tx_ops' send and send_copy for ways with slots: one kick for a batch. */
uint16_t pw_rawtx_send_slots(
	void *path, const struct pw_rawtx_slots *slots, const struct pw_tx_burst *b);
uint16_t pw_rawtx_send_copy(void *path, const struct pw_rawtx_slots *slots,
	const struct pw_frame_tmpl *tmpl, const void *payload, size_t len);
/* Waits for what is queued, a second at most. */
void pw_rawtx_drain(void *path, const struct pw_rawtx_slots *slots);

/* Members of pw_tx_ops that the ways share. */
int pw_rawtx_attach(void *path, struct pw_tx_object *obj, struct pw_err *err);
bool pw_rawtx_alive(void *path);
#define PW_RAWTX_OPS                                                                             \
	.attach = pw_rawtx_attach, .detach = pw_sock_detach, .outstanding = pw_sock_outstanding, \
	.alive = pw_rawtx_alive, .fault = pw_sock_fault, .counters = pw_sock_counters

#endif
