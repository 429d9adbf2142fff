/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The kernel's ways to receive, which the bench compares. Each is a descriptor (struct pw_rx_way) in
 * pw_rx_ways[], and they share opening and closing.
 *
 *   stream     TCP    the file's bytes                          pw_rx_stream_ops
 *   datagram   UDP    pagewire's packets: ALC header + symbol   pw_rx_ops
 *   frame      AF_*   the same with Ethernet and IP headers     pw_rx_ops
 *
 * The receiver of all packet ways is lib/recv with its loop; only the calls that bring the packets differ.
 */
#ifndef PW_KERNEL_RXWAY_H
#define PW_KERNEL_RXWAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/log.h"
#include "kernel/way.h"
#include "path/path.h"

struct pw_rx_way_config {
	struct pw_addr listen;    /* where the sender sends to: address and port */
	const char *interface;    /* frame ways: where the frames come in; others: may be NULL */
	uint32_t mtu;             /* of IP: the longest packet */
	bool tls;                 /* stream ways: the sender's way has .tls */
	const struct pw_log *log; /* may be NULL */
};

/* Of a stream. */
struct pw_rx_stream_counters {
	uint64_t mapped_bytes; /* received without a copy, in pages that the kernel has mapped */
	uint64_t copied_bytes;
};

/* Receives a stream. Both calls sleep PW_SEND_SLEEP_NS at most and return -EAGAIN when nothing came. */
struct pw_rx_stream_ops {
	/* Takes one connection: 0, or -errno with err. */
	int (*accept)(void *path, struct pw_err *err);
	/* The stream's next bytes, len (> 0) at most, to `to`. Returns how many came, 0 at the stream's end, or
	 * -errno with err. */
	int64_t (*recv)(void *path, void *to, size_t len, struct pw_err *err);
	/* Both may be NULL. A way that leaves bytes in pages of its own copies those of the last pass to where
	 * recv() was told to put them; called once, after the measurement. */
	void (*settle)(void *path);
	const struct pw_rx_stream_counters *(*counters)(void *path);
};

struct pw_rx_way {
	const char *name;    /* "udp" */
	const char *summary; /* one line: the calls it makes */
	enum pw_way_kind kind;
	bool sleeps; /* burst() waits for packets; false: it polls */
	/* A path is the way's own struct, which begins with a struct pw_rx_path. pw_rx_way_open() allocates it
	 * zeroed and calls open; pw_rx_way_close() calls close even when open has failed. */
	size_t path_bytes;
	int (*open)(void *path, const struct pw_rx_way_config *cfg, struct pw_err *err);
	void (*close)(void *path);
	/* How it receives: one of the two. */
	const struct pw_rx_ops *packets;       /* datagram and frame ways */
	const struct pw_rx_stream_ops *stream; /* stream ways */
};

/* What pw_rx_way_open() fills in. */
struct pw_rx_path {
	const struct pw_rx_way *way;
};

/* All ways, in the order of tables and help; ends with a NULL pointer. */
extern const struct pw_rx_way *const pw_rx_ways[];

const struct pw_rx_way *pw_rx_way_find(const char *name); /* NULL: there is no way of that name */

/* After this, packets and connections can come. -EOPNOTSUPP, -EPERM, -ENOSYS and -ENODEV: this host lacks what
 * the way needs, err names it, and the caller skips the way. Other errors are failures. */
int pw_rx_way_open(const struct pw_rx_way *way, void **path, const struct pw_rx_way_config *cfg,
	struct pw_err *err);
void pw_rx_way_close(void *path); /* accepts NULL */

#endif
