/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The receiver packet_rx_ring: a packet socket with a TPACKET_V3 ring. The kernel copies frames into a block; a
 * full block, or one that is a millisecond old, is ours until all of its frames have been handed out.
 *
 *   | block: frame, frame, ... | block | block |      poll() only when the next block is the kernel's
 *     frame: tpacket3_hdr ... virtio_net_hdr, Ethernet, IP, UDP, payload
 *
 * A classic BPF filter lets only UDP packets to our port into the ring. Frames that the sender's GSO has left
 * whole (over veth) are cut by the segment size in the virtio_net_hdr.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "kernel/rxraw.h"
#include "kernel/rxsock.h"
#include "kernel/rxways.h"
#include "kernel/sockaddr.h"

#define BLOCKS      64u
#define BLOCK_BYTES (256u << 10) /* more than the longest frame that GSO leaves */
#define FRAME_BYTES 2048u        /* V3 packs frames; the kernel wants a number all the same */
#define RETIRE_MS   1

/* Linux 6.2; younger than Debian 12's headers */
#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

struct rx {
	struct pw_rxraw r;
	uint8_t *ring; /* BLOCKS * BLOCK_BYTES */
	unsigned int block;
	uint32_t left; /* frames of the block that are not looked at yet */
	const uint8_t *next;
	bool is_ours; /* the block */
	int silence; /* a UDP socket that takes nothing, so that the kernel does not answer with ICMP */
	struct pw_rxtrain train;
};

static struct tpacket_block_desc *block(const struct rx *rx)
{
	return (struct tpacket_block_desc *)(rx->ring + (size_t)rx->block * BLOCK_BYTES);
}

static _Atomic uint32_t *status(const struct rx *rx)
{
	return (_Atomic uint32_t *)&block(rx)->hdr.bh1.block_status;
}

/* Takes the next block, if the kernel has filled it. */
static bool next_block(struct rx *rx)
{
	const struct tpacket_block_desc *b = block(rx);

	if (!(atomic_load_explicit(status(rx), memory_order_acquire) & TP_STATUS_USER))
		return false;
	rx->is_ours = true;
	rx->left = b->hdr.bh1.num_pkts;
	rx->next = (const uint8_t *)b + b->hdr.bh1.offset_to_first_pkt;
	return true;
}

static void give_back(struct rx *rx)
{
	atomic_store_explicit(status(rx), TP_STATUS_KERNEL, memory_order_release);
	rx->block = (rx->block + 1) % BLOCKS;
	rx->is_ours = false;
}

static uint32_t segment(const uint8_t *frame)
{
	struct virtio_net_hdr h;

	memcpy(&h, frame - sizeof(h), sizeof(h));
	return (h.gso_type & ~VIRTIO_NET_HDR_GSO_ECN) == VIRTIO_NET_HDR_GSO_UDP_L4 ? h.gso_size : 0;
}

/* The next frame of the block becomes the train, if it is for us. */
static void take_frame(struct rx *rx)
{
	const struct tpacket3_hdr *h = (const struct tpacket3_hdr *)rx->next;
	const uint8_t *frame = rx->next + h->tp_mac;
	const bool verify = !(h->tp_status & (TP_STATUS_CSUMNOTREADY | TP_STATUS_CSUM_VALID));
	struct pw_rx_view view;

	rx->left--;
	rx->next += h->tp_next_offset;
	if (h->tp_snaplen < h->tp_len) {
		pw_rxraw_cut(&rx->r, h->tp_len - PW_ETH_LEN);
	} else if (!pw_rxraw_take(&rx->r, frame, h->tp_snaplen, verify, &view)) {
		rx->r.c.packets++; /* it makes no view */
	} else {
		const uint32_t seg = segment(frame);

		rx->train = (struct pw_rxtrain){.data = view.data,
			.len = view.len,
			.seg = seg ? seg : view.len,
			.from = view.from};
	}
}

static uint16_t hand_out(struct rx *rx, struct pw_rx_view *views, uint16_t n)
{
	unsigned int none = 0;
	uint16_t k = 0;

	for (;;) {
		none = 0;
		k = (uint16_t)(k + pw_rxtrain_views(&rx->r.c, &rx->train, 1, &none, views + k,
					   (uint16_t)(n - k)));
		if (k == n || !rx->left)
			return k;
		take_frame(rx);
	}
}

/* All views of the block before have been released. */
static uint16_t advance(struct rx *rx, struct pw_rx_view *views, uint16_t n)
{
	uint16_t k = 0;

	while (k == 0 && next_block(rx)) {
		k = hand_out(rx, views, n);
		if (k == 0)
			give_back(rx);
	}
	return k;
}

static int packet_burst(void *path, struct pw_rx_view *views, uint16_t n, uint64_t timeout_ns)
{
	struct rx *rx = path;
	int k = rx->is_ours ? hand_out(rx, views, n) : 0;

	if (k)
		return k;
	if (rx->is_ours)
		give_back(rx);
	k = advance(rx, views, n);
	if (k || !timeout_ns)
		return k;
	k = pw_rxsock_wait(rx->r.fd, timeout_ns);
	return k <= 0 ? k : advance(rx, views, n);
}

static const struct pw_rx_counters *packet_counters(void *path)
{
	struct rx *rx = path;
	struct tpacket_stats_v3 st = {0};
	socklen_t len = sizeof(st);

	if (getsockopt(rx->r.fd, SOL_PACKET, PACKET_STATISTICS, &st, &len) == 0)
		rx->r.c.missed += st.tp_drops; /* since the last call */
	return &rx->r.c;
}

static const struct pw_rx_ops ops = {
	.name = "packet_rx_ring",
	.burst = packet_burst,
	.release = pw_rxsock_release,
	.alive = pw_rxraw_alive,
	.counters = packet_counters,
};

static int attach(int fd, struct sock_filter *code, size_t n)
{
	const struct sock_fprog prog = {.len = (unsigned short)n, .filter = code};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog));
}

/* UDP to the port, no fragment but the first. */
static int filter_port(int fd, const struct pw_addr *a)
{
	struct sock_filter v4[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 23),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 6),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 20),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x1fff, 4, 0),
		BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 14),
		BPF_STMT(BPF_LD | BPF_H | BPF_IND, 16),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, a->port, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_filter v6[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 20),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 3),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 56),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, a->port, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};

	return a->family == 4 ? attach(fd, v4, PW_ARRAY_LEN(v4)) : attach(fd, v6, PW_ARRAY_LEN(v6));
}

/* The kernel's own UDP gets every packet as well. Where the address is this host's, a socket must be bound to it, or
 * the kernel tells the sender that no process listens. Its filter drops everything. */
static void open_silence(struct rx *rx)
{
	struct sock_filter nothing[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
	struct sockaddr_storage ss;
	const socklen_t len = pw_sockaddr_make(&rx->r.listen, rx->r.dev.index, &ss);

	rx->silence = socket(ss.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (rx->silence >= 0 && attach(rx->silence, nothing, PW_ARRAY_LEN(nothing)) == 0)
		(void)bind(rx->silence, (const struct sockaddr *)&ss, len);
}

static int make_ring(struct rx *rx, struct pw_err *err)
{
	const struct tpacket_req3 req = {
		.tp_block_size = BLOCK_BYTES,
		.tp_block_nr = BLOCKS,
		.tp_frame_size = FRAME_BYTES,
		.tp_frame_nr = BLOCKS * (BLOCK_BYTES / FRAME_BYTES),
		.tp_retire_blk_tov = RETIRE_MS,
	};
	const int version = TPACKET_V3, on = 1, fd = rx->r.fd;

	if (setsockopt(fd, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)) < 0 ||
		setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)) < 0 ||
		setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof(req)) < 0)
		return pw_rxraw_refused(&rx->r, "make a PACKET_RX_RING", errno, err);
	rx->ring = mmap(NULL, (size_t)BLOCKS * BLOCK_BYTES, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_POPULATE, fd, 0);
	if (rx->ring != MAP_FAILED)
		return 0;
	rx->ring = NULL;
	return pw_rxraw_refused(&rx->r, "map a PACKET_RX_RING", errno, err);
}

static int packet_open(void *path, const struct pw_rx_way_config *cfg, struct pw_err *err)
{
	struct rx *rx = path;
	struct sockaddr_ll ll = {.sll_family = AF_PACKET};
	int ret;

	rx->silence = -1;
	ret = pw_rxraw_open(&rx->r, cfg, err);
	if (ret < 0)
		return ret;
	ll.sll_protocol = htobe16(cfg->listen.family == 4 ? ETH_P_IP : ETH_P_IPV6);
	ll.sll_ifindex = (int)rx->r.dev.index;
	/* Protocol 0: nothing comes before the filter and the ring are there. */
	rx->r.fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (rx->r.fd < 0)
		return pw_rxraw_refused(&rx->r, "open a packet socket", errno, err);
	ret = make_ring(rx, err);
	if (ret < 0)
		return ret;
	if (filter_port(rx->r.fd, &cfg->listen) < 0)
		return pw_rxraw_refused(&rx->r, "filter a packet socket", errno, err);
	open_silence(rx);
	if (bind(rx->r.fd, (const struct sockaddr *)&ll, sizeof(ll)) < 0)
		return pw_rxraw_refused(&rx->r, "bind a packet socket", errno, err);
	return 0;
}

static void packet_close(void *path)
{
	struct rx *rx = path;

	if (rx->ring)
		munmap(rx->ring, (size_t)BLOCKS * BLOCK_BYTES);
	if (rx->silence >= 0)
		close(rx->silence);
	pw_rxraw_close(&rx->r);
}

const struct pw_rx_way pw_rx_way_packet_rx_ring = {
	.name = "packet_rx_ring",
	.summary = "TPACKET_V3: the kernel copies frames into blocks, poll() for a block",
	.kind = PW_WAY_FRAME,
	.sleeps = true,
	.path_bytes = sizeof(struct rx),
	.open = packet_open,
	.close = packet_close,
	.packets = &ops,
};
