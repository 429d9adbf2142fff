/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libpagewire: the zero-copy sender and the receiver, for a program of your own.
 *
 *   pagewire_open()      plan the files, start the port, map the pages
 *   pagewire_announce()  send the file table (FDT), so that receivers know the files
 *   pagewire_burst()     n symbols -> n packets whose payload is the mapped pages; never blocks
 *   pagewire_close()     end the session, wait for the driver, unmap
 *
 *   pagewire_recv_open()   open the directory, then the port or socket
 *   pagewire_recv_poll()   receive for a while; hands out each file as it ends
 *   pagewire_recv_close()  list what is missing in the gap manifest, close
 *
 * One port a process (DPDK's EAL starts once), to send or to receive; a receiver on a kernel socket needs
 * none. An open that failed can be repeated in the same thread, after the close of its handle, where EAL
 * would start with the same arguments (core, no_huge, PCI device; no more memory); else the second open
 * fails with -EALREADY. One thread for all calls of a handle; opening a port binds it to config.core.
 * Functions return 0 or more, or a negative errno value; then pagewire_error() and pagewire_recv_error()
 * return one sentence with the reason and the fix.
 *
 * Opening installs a handler of SIGBUS for the whole process, once: when somebody truncates a mapped file,
 * pagewire_burst() returns -EIO and the process does not crash. A SIGBUS of another cause gets the action
 * that was set before: install a handler of your own before the first open, or not at all. The library
 * changes no other signal: with a vhost or virtio-user port, ignore SIGPIPE, which a peer that leaves may
 * raise. Each file holds a descriptor while it is open: DPDK's EAL raises the soft RLIMIT_NOFILE of the
 * process to the hard limit, and pagewire_open() fails with -EMFILE where that is too low.
 */
#ifndef PAGEWIRE_H
#define PAGEWIRE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PAGEWIRE_BURST     64 /* symbols in one pagewire_burst(), at most */
#define PAGEWIRE_MAX_FILES 64

struct pagewire; /* opaque */

/* Zero means the default everywhere; strings may be NULL but for port and to. The caller keeps
 * them until pagewire_open() returns. The same holds for struct pagewire_recv_config. */
struct pagewire_config {
	const char *port;      /* "vhost:PATH", "0000:3b:00.0", ...; see pagewire-send(1), PORTS */
	const char *to;        /* "239.77.0.1:4001", "[ff15::1]:4001", "host:4001" */
	const char *from;      /* source address; default: the interface's, or a link-local one */
	const char *core;      /* CPU list; default: any of the port's NUMA node */
	const char *pages;     /* "hugefile", "pagecache", "stage"; default: by port and file */
	uint32_t mtu;          /* IP MTU in bytes; default 1500 */
	uint32_t symbol_bytes; /* default: what the MTU takes */
	uint32_t tsi;          /* transport session identifier; default: another one each time */
	uint32_t wait_ms;      /* for socket, peer and link; default 30000 */
	int no_huge;           /* EAL memory on ordinary pages */
};

struct pagewire_counters {
	uint64_t packets;          /* taken by the driver, FDT included */
	uint64_t payload_bytes;    /* file bytes among them */
	uint64_t cpu_copied_bytes; /* payload bytes that the CPU copied; 0: the port takes chains */
	uint64_t full_polls;       /* bursts of which the driver took nothing */
};

/* Opens 1..PAGEWIRE_MAX_FILES files. On failure *pw is still set (unless memory is out: NULL) for
 * pagewire_error(), and must be closed. */
int pagewire_open(struct pagewire **pw, const struct pagewire_config *config,
	const char *const *paths, unsigned int n_paths);

/* Symbols of file i (0 for an empty file), 0 when i is out of range. */
uint64_t pagewire_symbols(const struct pagewire *pw, unsigned int i);
/* Bytes of file i, and where they are mapped: the very pages that are transmitted. The mapping is
 * NULL for an empty file and for one staged in several extents. */
uint64_t pagewire_bytes(const struct pagewire *pw, unsigned int i);
const void *pagewire_pages(const struct pagewire *pw, unsigned int i);

/* Sends the FDT instance of all files; repeat it about every second. May wait for the ring. The first call
 * sends it twice, 50 ms apart: a peer that is just starting may drop the first one. */
int pagewire_announce(struct pagewire *pw);

/* Sends symbols [first, first + n) of file i, n <= PAGEWIRE_BURST; returns how many were taken,
 * from the front: 0 when the ring is full, fewer than n at the end of a source block. -EINVAL when
 * the range is not in the file. -EIO when the file was truncated after the open, or the peer's memory is
 * gone: the last packets may carry zeros. */
int pagewire_burst(struct pagewire *pw, unsigned int i, uint64_t first, unsigned int n);

void pagewire_counters(const struct pagewire *pw, struct pagewire_counters *out);
/* The last error's sentence; "" when there was none. */
const char *pagewire_error(const struct pagewire *pw);

/* Tells receivers that the session ends, waits up to two seconds for the driver to give the pages
 * back, stops the port, unmaps. Accepts NULL. */
void pagewire_close(struct pagewire *pw);

#define PAGEWIRE_RECV_END 2 /* of pagewire_recv_poll() */

struct pagewire_recv; /* opaque */

/* See pagewire-recv(1) for each. A port or listen must be named, and out or discard. */
struct pagewire_recv_config {
	const char *port;      /* "virtio-user:PATH", ...; default: none, a kernel UDP socket */
	const char *listen;    /* "239.77.0.1:4001"; with a port: take this destination alone */
	const char *interface; /* where the socket joins the group; default: the route's */
	const char *source;    /* take only sessions from this address; default: any */
	const char *out;       /* directory for the files; it must exist */
	const char *gaps;      /* the gap manifest; default: pagewire-gaps.json in out */
	const char *core;      /* of a port: CPU list; default: any of the port's NUMA node */
	uint32_t mtu;          /* of a port: IP MTU in bytes; default 1500 */
	uint32_t tsi;          /* take only this session; default: all */
	unsigned int queues;   /* of a port: 1..64, each with a thread; default 1, the caller's */
	uint32_t timeout_ms;   /* silence that ends it; default 30000, UINT32_MAX: none does */
	uint32_t wait_ms;      /* for socket, peer and link; default 30000 */
	int resume, force, discard, require_digest;
	int no_huge;               /* EAL memory on ordinary pages */
	unsigned long long expect; /* ends after so many files; default: when the sessions end */
};

struct pagewire_recv_file {
	const char *name;   /* as received, control characters escaped */
	uint64_t bytes;     /* of the whole file */
	uint64_t have;      /* of them, received */
	int good;           /* verified, on the disk, and has its name; else see state */
	const char *state;  /* "complete", "unverified" (no digest was named), "refused",
			     * "superseded"; at the end also "partial", "mismatch", "known" */
	const char *reason; /* why it is not good: one sentence; or NULL */
	const char *digest; /* as the sender named it, "xxh3-128:0123..."; or "" */
};

/* As pagewire_open(): *r is set even on failure. The directory is locked until the close. */
int pagewire_recv_open(struct pagewire_recv **r, const struct pagewire_recv_config *config);

/* Receives for timeout_ms, or a few hundredths of a second more. Packets are received in this call only
 * (and by the threads of further queues): call it again soon.
 *   1: a file has ended, and is in *file, once each, until the next call
 *   0: none has
 *   PAGEWIRE_RECV_END: the session is over, and every file was handed out; those that never ended
 *      came last. pagewire_recv_error() has the reason, or "".
 *   -errno: the same, by a failure of the port or the disk */
int pagewire_recv_poll(
	struct pagewire_recv *r, unsigned int timeout_ms, struct pagewire_recv_file *file);
const char *pagewire_recv_error(const struct pagewire_recv *r);

/* Also before the end; what is partial stays, for resume. 0: every file of every session (expect: so
 * many) is good. 1: one is not. -errno: as of the open or the last poll. NULL: -EINVAL. */
int pagewire_recv_close(struct pagewire_recv *r);

#ifdef __cplusplus
}
#endif

#endif
