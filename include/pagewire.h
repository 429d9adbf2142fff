/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libpagewire: put the zero-copy transmitter into a program of your own.
 *
 *   pagewire_open()      plan the files, start the port, map the pages
 *   pagewire_announce()  send the file table (FDT), so that receivers know the files
 *   pagewire_burst()     n symbols -> n packets whose payload is the mapped pages; never blocks
 *   pagewire_close()     end the session, wait for the driver, unmap
 *
 * One sender a process (DPDK's EAL starts once), one thread for all calls; that thread is bound to
 * config.core by pagewire_open(). Functions return 0 or more, or a negative errno value; then
 * pagewire_error() says in one sentence what went wrong and how to mend it.
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
 * them until pagewire_open() returns. */
struct pagewire_config {
	const char *port;      /* "vhost:PATH", "0000:3b:00.0", ...; see pagewire-send(1), PORTS */
	const char *to;        /* "239.77.0.1:4001", "[ff15::1]:4001" */
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
	uint64_t cpu_copied_bytes; /* payload bytes that the CPU copied: 0 on ports that take chains
				    */
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

/* Sends the FDT instance that describes all files. Repeat it every second or so. May wait for a
 * full ring. */
int pagewire_announce(struct pagewire *pw);

/* Sends symbols [first, first + n) of file i, n <= PAGEWIRE_BURST; returns how many were taken,
 * from the front: 0 when the ring is full, fewer than n at the end of a source block. -EINVAL when
 * the range is not in the file. */
int pagewire_burst(struct pagewire *pw, unsigned int i, uint64_t first, unsigned int n);

void pagewire_counters(const struct pagewire *pw, struct pagewire_counters *out);
/* The last error's sentence; "" when there was none. */
const char *pagewire_error(const struct pagewire *pw);

/* Tells receivers that the session ends, waits up to two seconds for the driver to give the pages
 * back, stops the port, unmaps. Accepts NULL. */
void pagewire_close(struct pagewire *pw);

#ifdef __cplusplus
}
#endif

#endif
