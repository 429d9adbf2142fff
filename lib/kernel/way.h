/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The kernel's ways: the methods to send a file through the kernel that the bench compares. Each is a
 * descriptor (struct pw_way) in pw_ways[], and they share opening and closing.
 *
 *   stream     TCP    the file's bytes                          pw_stream_ops
 *   datagram   UDP    pagewire's packets: ALC header + symbol   pw_tx_ops
 *   frame      AF_*   the same with Ethernet and IP headers     pw_tx_ops
 *
 * A way does what a careful user of its system call would write: blocking calls, one buffer, batches
 * where the API has them.
 */
#ifndef PW_KERNEL_WAY_H
#define PW_KERNEL_WAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/log.h"
#include "file/window.h"
#include "path/path.h"
#include "wire/frame.h"

enum pw_way_kind { PW_WAY_STREAM, PW_WAY_DATAGRAM, PW_WAY_FRAME };

struct pw_way_config {
	struct pw_flow flow;   /* complete: addresses, ports; MACs for frame ways */
	const char *interface; /* frame ways: where the frames go; others: NULL */
	/* Stream ways and ways with .maps_file: the file; open as long as the path. Others: NULL. */
	const struct pw_window *win;
	uint32_t mtu;             /* of IP */
	uint32_t frame_bytes;     /* the longest frame: header and symbol */
	uint32_t batch;           /* packets in one call where the API has one: 1..PW_BURST */
	uint32_t chunk_bytes;     /* stream ways: bytes in one call, 64 KiB is usual */
	bool sqpoll;              /* io_uring: a kernel thread submits */
	bool qdisc_bypass;        /* PACKET_QDISC_BYPASS */
	const struct pw_log *log; /* may be NULL */
};

struct pw_way {
	const char *name;    /* "udp_gso" */
	const char *summary; /* one line: the calls it makes */
	enum pw_way_kind kind;
	bool needs_page_cache; /* its call refuses a file on hugetlbfs (EINVAL) */
	bool maps_file;        /* datagram and frame ways: sends one file, which config.win names */
	/* Options, for ways that share an implementation. */
	bool zerocopy; /* the kernel sends the pages themselves */
	bool gso;      /* one message carries several datagrams (UDP_SEGMENT) */
	bool csum;     /* the device computes the UDP checksum */
	bool tls;      /* the receiver has to call pw_ktls_start() on its connection */
	/* A path is the way's own struct, which begins with a struct pw_sock. pw_way_open() allocates
	 * it zeroed, then calls socket (connects) and init (the rest; may be NULL). pw_way_close()
	 * calls finish (may be NULL) even when one of them has failed, then closes the socket. */
	size_t path_bytes;
	int (*socket)(void *path, struct pw_err *err);
	int (*init)(void *path, struct pw_err *err);
	void (*finish)(void *path);
	/* How it sends: one of the two. */
	const struct pw_tx_ops *packets;    /* datagram and frame ways */
	const struct pw_stream_ops *stream; /* stream ways */
};

/* All ways, in the order of tables and help; ends with a NULL pointer. */
extern const struct pw_way *const pw_ways[];

const struct pw_way *pw_way_find(const char *name); /* NULL: there is no way of that name */

/* Stream ways connect here: blocking, 10 s at most. -EOPNOTSUPP, -EPERM, -ENOSYS and -ENODEV: this host
 * lacks what the way needs, err names it, and the caller skips the way. Other errors are failures. */
int pw_way_open(
	const struct pw_way *way, void **path, const struct pw_way_config *cfg, struct pw_err *err);
void pw_way_close(void *path); /* accepts NULL; takes a second at most */

#endif
