/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The kernel's ways out of this host: one small file each, all behind lib/path's tables.
 *
 *   stream     TCP    the file's bytes                  pw_stream_ops
 *   datagram   UDP    pagewire's packets: ALC + symbol  pw_tx_ops
 *   frame      AF_*   the same with Ethernet and IP     pw_tx_ops
 *
 * A way is what a careful user of that system call would write: blocking calls, one buffer, batches
 * where the API has them. Nothing of a way is visible but its entry in pw_ways[].
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
	struct pw_flow flow;         /* complete: addresses, ports; MACs for frame ways */
	const char *interface;       /* frame ways: where the frames go; others: NULL */
	const struct pw_window *win; /* stream ways: the file; open while the path is */
	uint32_t mtu;                /* IP MTU */
	uint32_t frame_bytes;        /* the longest frame: header and symbol */
	uint32_t batch;              /* packets in one call where the API has one: 1..PW_BURST */
	uint32_t chunk_bytes;        /* stream ways: bytes in one call, 64 KiB is usual */
	bool sqpoll;                 /* io_uring: a kernel thread submits */
	bool qdisc_bypass;           /* PACKET_QDISC_BYPASS */
	const struct pw_log *log;    /* may be NULL */
};

struct pw_way {
	const char *name;    /* "udp_gso" */
	const char *summary; /* one line: the calls it makes */
	enum pw_way_kind kind;
	bool needs_page_cache; /* its call refuses a file on hugetlbfs (EINVAL) */
	/* Stream ways connect here (blocking, 10 s at most). -EOPNOTSUPP, -EPERM, -ENOSYS and
	 * -ENODEV: this host lacks what the way needs, err says what: the way is skipped. Other errors
	 * are failures. */
	int (*open)(void **path, const struct pw_way_config *cfg, struct pw_err *err);
	void (*close)(void *path);          /* accepts NULL; takes at most a second */
	const struct pw_tx_ops *packets;    /* datagram and frame ways */
	const struct pw_stream_ops *stream; /* stream ways */
};

/* Every way, in the order of tables and help; ends with a NULL pointer. */
extern const struct pw_way *const pw_ways[];

const struct pw_way *pw_way_find(const char *name); /* NULL: there is none */

#endif
