/* SPDX-License-Identifier: BSD-3-Clause */
/* What the user asks of a DPDK port, and what a sender or a receiver adds. The caller owns every pointer. */
#ifndef PW_DPDK_CONFIG_H
#define PW_DPDK_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "path/path.h"
#include "wire/frame.h"

enum pw_iova { PW_IOVA_AUTO, PW_IOVA_VA, PW_IOVA_PA };

/* What the user asks of a port. The options are parsed straight into it. */
struct pw_port_config {
	const char *port;  /* PORT, see portspec.h */
	const char *cores; /* CPU list of the polling threads; NULL = those of the port's node */
	const char
		*file_prefix;  /* names EAL's files below /run/dpdk; NULL = EAL's, or "pagewire" */
	uint64_t memory_bytes; /* EAL memory; 0 = what is needed */
	uint64_t wait_ns;      /* for the socket, the peer and the link */
	uint32_t mtu;          /* IP MTU in bytes */
	uint32_t queue_size;   /* descriptors, 0 = 1024 or what the port takes */
	uint16_t n_queues;     /* each way; 0 = 1 */
	enum pw_iova iova;
	bool no_huge;    /* EAL memory from ordinary pages */
	bool telemetry;  /* EAL's telemetry socket */
	bool shared_mem; /* secondary processes may map EAL's memory: dpdk-dumpcap */
	int eal_argc;    /* raw EAL arguments, after ours */
	char **eal_argv;
};

#define PW_PORT_CONFIG_DEFAULT                         \
	{                                              \
		.mtu = 1500, .wait_ns = 30000000000ull \
	}

struct pw_dpdk_tx;

struct pw_dpdk_config {
	struct pw_port_config set;
	const char *second; /* sender: a PORT that will be opened beside this one, or NULL */
	struct pw_dpdk_tx *
		first; /* sender: the open port of which this one is the second; it is closed later */
	uint64_t stage_bytes;   /* EAL memory for staged files, on top of the pools */
	bool readonly_maps;     /* sender on vfio-pci: the page cache, mapped for reading only */
	uint32_t queue_mbps;    /* sender: the port's limit of each transmit queue; 0 = none */
	bool require_hw_pacing; /* a port without such limits is refused; else it goes without */
	bool udp_csum_offload_wanted; /* sender: use the port's UDP checksum where it has one */
	struct pw_addr listen;        /* receiver: accept only this destination; family 0 = any */
	struct pw_addr source;        /* receiver: accept only this sender; family 0 = any */
	bool keep_eal;                /* a failed open leaves EAL running, for another open */
	bool verbose;                 /* let EAL and drivers speak at info level */
	bool (*cancelled)(void);      /* polled while waiting; may be NULL */
};

/* Descriptors of a queue that are requested of the port. */
static inline uint32_t pw_dpdk_descs(uint64_t queue_size)
{
	return queue_size ? (uint32_t)queue_size : 1024;
}

/* EAL memory for the pools of a few thousand mbufs; most of it is for receive and linear buffers. */
static inline uint64_t pw_dpdk_pool_bytes(uint64_t mtu, uint64_t queue_size, uint64_t n_queues)
{
	uint64_t queue = (4ull * pw_dpdk_descs(queue_size) + 1024) * (mtu + 512);
	uint64_t n_more = n_queues ? n_queues - 1 : 0;

	return (48ull << 20) + queue + n_more * (queue + (6ull << 20));
}

/* Payload mbufs of a transmit queue, and so the most packets whose pages a driver can hold: two rings,
 * because some drivers fill two for a queue; eight bursts; a mempool cache. */
#define PW_DPDK_MBUF_CACHE 256
static inline uint32_t pw_dpdk_tx_mbufs(uint32_t queue_size)
{
	return 2 * pw_dpdk_descs(queue_size) + 8 * PW_BURST + PW_DPDK_MBUF_CACHE;
}

/* EAL memory for staged files: for each, O_DIRECT's alignment and the heap's own bytes; for all, the bytes that
 * are lost because extents end with whole symbols. */
static inline uint64_t pw_dpdk_stage_file_bytes(uint64_t file_bytes)
{
	return pw_align_up(file_bytes, 4096) + 8192;
}

static inline uint64_t pw_dpdk_stage_bytes(uint64_t sum_of_files)
{
	return sum_of_files ? sum_of_files + sum_of_files / 64 + (16ull << 20) : 0;
}

#endif
