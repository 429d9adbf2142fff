/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Internal to lib/kernel: what the receivers of frames share: the interface, the search for our packets in
 * frames that may be hostile, and the counters. A receiver's own struct begins with a struct pw_rxraw.
 *
 *   packet_rx_ring  | blocks of frames in a ring that the kernel has copied them to
 *   xdp_rx*         | descriptors of frames in a UMEM
 */
#ifndef PW_KERNEL_RXRAW_H
#define PW_KERNEL_RXRAW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "kernel/netdev.h"
#include "kernel/rxway.h"
#include "path/path.h"
#include "wire/frame.h"

struct pw_rxraw {
	struct pw_rx_path way;
	struct pw_addr listen;
	uint32_t mtu;
	int fd;
	struct pw_netdev dev;
	struct pw_frame_memo memo; /* the last frame for us */
	struct pw_host_key from;   /* its sender */
	struct pw_rx_counters c;
};

/* First step of a pw_rx_way's open: finds the interface. -ENODEV: no such interface. */
int pw_rxraw_open(struct pw_rxraw *r, const struct pw_rx_way_config *cfg, struct pw_err *err);
/* Last step of its close. */
void pw_rxraw_close(struct pw_rxraw *r);
/* Reports that the kernel refuses a socket: what the host lacks, or another reason. */
int pw_rxraw_refused(const struct pw_rxraw *r, const char *what, int code, struct pw_err *err);

/* Reads nothing beyond frame[len]. True: it is for us, and *view is its UDP payload. False: it was counted as
 * foreign or malformed, or carries nothing. verify: the UDP checksum has to be checked. */
bool pw_rxraw_take(
	struct pw_rxraw *r, const uint8_t *frame, size_t len, bool verify, struct pw_rx_view *view);
/* A frame of which the kernel has stored only a part; ip_len: its length before, without Ethernet. */
void pw_rxraw_cut(struct pw_rxraw *r, uint32_t ip_len);

bool pw_rxraw_alive(void *path); /* member of pw_rx_ops: the interface is up */

#endif
