/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which of two ports a captured frame leaves by: the clients' or the servers'. Three ways to know:
 *
 *   first packet   Who sends the first frame of a flow is its client. A frame without ports (wire/flow.h) goes by the first
 *                  frame between its two hosts.
 *   networks       Who has an address in the clients' networks is a client (tcpprep --cidr).
 *   cache          A file of tcpprep says it of each frame.
 */
#ifndef PW_WIRE_SIDE_H
#define PW_WIRE_SIDE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "wire/flow.h"
#include "wire/prefix.h"

#define PW_SIDE_NETS_MAX  64u
#define PW_SIDE_FLOWS_MAX (1u << 28)

enum pw_side {
	PW_SIDE_CLIENT, /* sent by a client; tcpreplay's primary interface, intf1 */
	PW_SIDE_SERVER, /* sent by a server; tcpreplay's secondary interface, intf2 */
	PW_SIDE_NONE,   /* cache: not to be sent, or not in the cache */
};

/* The flows that were seen. One thread. */
struct pw_side_table {
	uint64_t *slots;  /* the hash with the client's direction in bit 0; in mem */
	void *mem;        /* owned; pages that no flow has used cost nothing */
	uint64_t n_slots; /* a power of 2 */
	uint64_t n_flows; /* that are in it, host pairs included */
	uint64_t n_full;  /* frames of flows that found no room */
};

/* Room for n_flows (1..PW_SIDE_FLOWS_MAX) flows, 32 bytes each. -ENOMEM; -EINVAL. */
int pw_side_table_init(struct pw_side_table *t, uint32_t n_flows, struct pw_err *err);
void pw_side_table_finish(struct pw_side_table *t); /* accepts a zeroed one */

/* hash: pw_flow_hash(key). In constant time, whatever flows come. A flow for which there is no room is counted in n_full at each of
 * its frames, and goes by its ports: the end with the lower one is the server; if they are equal, the higher address. */
enum pw_side pw_side_by_first(
	struct pw_side_table *t, const struct pw_flow_key *key, uint64_t hash);

struct pw_side_nets {
	struct pw_prefix nets[PW_SIDE_NETS_MAX];
	unsigned n;
};

/* "10.0.0.0/8,2001:db8::/32". `what` is the option's name for the error. -EINVAL. */
int pw_side_nets_parse(
	struct pw_side_nets *nets, const char *what, const char *text, struct pw_err *err);

/* Frames without an IP address are of the clients' side. */
enum pw_side pw_side_by_nets(const struct pw_side_nets *nets, const struct pw_flow_key *key);

/* A cache file of tcpprep, version 04 (tcpreplay 3 and 4): four frames a byte, the first in the low bits. */
struct pw_side_cache {
	const uint8_t *bits; /* in the caller's bytes */
	uint64_t n_frames;
};

/* bytes[len]: the whole file, for as long as the cache is used. -EBADMSG: not a cache, another version, or
 * cut. */
int pw_side_cache_parse(struct pw_side_cache *cache, const char *path, const uint8_t *bytes,
	size_t len, struct pw_err *err);

/* index: of the frame in the capture, from 0. At n_frames and above: PW_SIDE_NONE; the cache is of another capture. */
enum pw_side pw_side_by_cache(const struct pw_side_cache *cache, uint64_t index);

#endif
