/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of ways: on which wires each runs, and how many copies it is expected to make. */
#include "bench/way.h"

#include <string.h>

#include "base/bytes.h"

#define ON(wire) (1u << PW_WIRE_##wire)

/* The bypass, once per port and per place that the pages may come from. */
static const struct pw_bench_way bypass[] = {
	{.name = "dpdk_null",
		.label = "dpdk_null/hugefile",
		.summary = "net_null drops every mbuf: what pagewire itself costs",
		.port = "null",
		.pages = PW_PAGES_HUGEFILE,
		.wires = ON(NULL)},
	{.name = "dpdk_null",
		.label = "dpdk_null/pagecache",
		.summary = "the same, with pages of the page cache",
		.port = "null",
		.pages = PW_PAGES_PAGECACHE,
		.wires = ON(NULL)},
	{.name = "dpdk_null",
		.label = "dpdk_null/stage",
		.summary = "the same, with the file staged in EAL memory",
		.port = "null",
		.pages = PW_PAGES_STAGE,
		.wires = ON(NULL)},
	{.name = "dpdk_vhost",
		.label = "dpdk_vhost/hugefile",
		.summary = "net_vhost copies from the file's pages into the peer's ring",
		.port = "vhost:",
		.sink_port = "virtio-user:",
		.pages = PW_PAGES_HUGEFILE,
		.wires = ON(VHOST),
		.unseen_copy = true},
	{.name = "dpdk_vhost",
		.label = "dpdk_vhost/pagecache",
		.summary = "the same, with pages of the page cache",
		.port = "vhost:",
		.sink_port = "virtio-user:",
		.pages = PW_PAGES_PAGECACHE,
		.wires = ON(VHOST),
		.unseen_copy = true},
	{.name = "dpdk_virtio_user",
		.label = "dpdk_virtio_user/stage",
		.summary = "net_virtio_user lends EAL pages; the peer copies, as a device would",
		.port = "virtio-user:",
		.sink_port = "vhost:",
		.pages = PW_PAGES_STAGE,
		.wires = ON(VHOST)},
	{.name = "dpdk_af_packet",
		.label = "dpdk_af_packet/hugefile",
		.summary = "net_af_packet copies into PACKET_TX_RING, send() a burst",
		.port = "af_packet:",
		.pages = PW_PAGES_HUGEFILE,
		.wires = ON(SINK) | ON(VETH) | ON(NIC),
		.unseen_copy = true},
	{.name = "dpdk_af_xdp",
		.label = "dpdk_af_xdp/hugefile",
		.summary = "net_af_xdp: one linear mbuf a packet into the UMEM, sendto() a burst",
		.port = "af_xdp:",
		.pages = PW_PAGES_HUGEFILE,
		.wires = ON(VETH) | ON(NIC)},
	{.name = "dpdk_pci",
		.label = "dpdk_pci/hugefile",
		.summary = "the NIC's poll-mode driver on vfio-pci: DMA from the file's pages "
			   "(--rebind)",
		.port = "",
		.pages = PW_PAGES_HUGEFILE,
		.wires = ON(NIC),
		.takes_device = true},
	{.name = "dpdk_pci",
		.label = "dpdk_pci/stage",
		.summary = "the same, with the file staged in EAL memory",
		.port = "",
		.pages = PW_PAGES_STAGE,
		.wires = ON(NIC),
		.takes_device = true},
};

static unsigned int wires_of(enum pw_way_kind kind)
{
	switch (kind) {
	case PW_WAY_STREAM:
		return ON(LOOPBACK) | ON(VETH);
	case PW_WAY_DATAGRAM:
		return ON(LOOPBACK) | ON(SINK) | ON(VETH) | ON(TAP) | ON(NIC);
	default:
		return ON(SINK) | ON(VETH) | ON(TAP) | ON(NIC);
	}
}

size_t pw_bench_ways(struct pw_bench_way *ways)
{
	const struct pw_way *const *k;
	size_t i, n = 0;

	for (k = pw_ways; *k && n < PW_BENCH_WAYS_MAX; k++)
		ways[n++] = (struct pw_bench_way){
			.name = (*k)->name,
			.label = (*k)->name,
			.summary = (*k)->summary,
			.kernel = *k,
			.wires = wires_of((*k)->kind),
		};
	for (i = 0; i < PW_ARRAY_LEN(bypass) && n < PW_BENCH_WAYS_MAX; i++)
		ways[n++] = bypass[i];
	return n;
}

bool pw_bench_way_is_stream(const struct pw_bench_way *way)
{
	return way->kernel && way->kernel->kind == PW_WAY_STREAM;
}

#define ANY        (~0u)
#define NO_NIC     (ON(LOOPBACK) | ON(VETH))
#define LINEARIZES (ON(LOOPBACK) | ON(VETH) | ON(TAP))

/* CPU copies per payload byte on the sender's side with the page cache warm, and the device's. The
 * first line that fits stands. Derivations: docs/bench-method.md, "What each way should cost". */
static const struct expectation {
	const char *way;
	unsigned int wires;
	double cpu, dma;
	const char *reason;
} expectations[] = {
	{"read_write", ANY, 2, 1, "filemap_read -> _copy_to_iter; tcp_sendmsg -> _copy_from_iter"},
	{"mmap_write", ANY, 1, 1, "tcp_sendmsg -> _copy_from_iter from the mapping"},
	{"sendfile", ANY, 0, 1, "page references: splice to the socket's fragments"},
	{"splice", ANY, 0, 1, "page references through a pipe"},
	{"uring_splice", ANY, 0, 1, "page references through a pipe, by a worker of the ring"},
	{"ktls_sendfile", ANY, 1, 1, "the cipher writes ciphertext to new pages; no probe sees it"},
	{"msg_zerocopy", NO_NIC, 1, 0, "pinned pages, but looped back: skb_copy_ubufs, COPIED"},
	{"msg_zerocopy", ANY, 0, 1, "pinned pages"},
	{"uring_send_zc", NO_NIC, 1, 0,
		"registered pages, but looped back: skb_copy_ubufs, COPIED"},
	{"uring_send_zc", ANY, 0, 1, "registered pages"},
	{"uring_send", ANY, 1, 1, "tcp_sendmsg -> _copy_from_iter, asked for through the ring"},
	{"udp_read_send", ANY, 2, 1, "filemap_read -> _copy_to_iter; ip_generic_getfrag"},
	{"udp_mmap_sendmsg", ANY, 1, 1, "ip_generic_getfrag -> _copy_from_iter"},
	{"udp_sendmmsg", ANY, 1, 1, "ip_generic_getfrag -> _copy_from_iter"},
	{"udp_gso", ANY, 1, 1, "ip_generic_getfrag once a super-packet; segments share fragments"},
	{"udp_zerocopy", LINEARIZES, 1, 0, "pinned pages, but looped back: skb_copy_ubufs, COPIED"},
	{"udp_zerocopy", ANY, 0, 1, "pinned pages"},
	{"uring_udp_zc", LINEARIZES, 1, 0, "pinned pages, but looped back: skb_copy_ubufs, COPIED"},
	{"uring_udp_zc", ANY, 0, 1, "pinned pages"},
	{"uring_sendmsg_zc", LINEARIZES, 1, 0,
		"registered pages, but looped back: skb_copy_ubufs, COPIED"},
	{"uring_sendmsg_zc", ANY, 0, 1, "registered pages"},
	{"packet_send", ANY, 1, 1, "packet_snd -> skb_copy_datagram_from_iter"},
	{"packet_tx_ring", LINEARIZES, 2, 0,
		"our memcpy into the ring; skb_copy_ubufs where the frame is looped back"},
	{"packet_tx_ring", ANY, 1, 1,
		"our memcpy into the ring; the kernel sends the ring's pages"},
	{"xdp_copy", ANY, 2, 1, "our memcpy into the UMEM; xsk_build_skb -> skb_store_bits"},
	{"xdp_copy_csum", ANY, 2, 1, "as xdp_copy; the device or the stack computes the checksum"},
	{"xdp_sg", ANY, 1, 1,
		"xsk_build_skb: a plain memcpy of each piece, which no probe sees; none by "
		"virtio_net"},
	{"xdp_zerocopy", ANY, 1, 1, "our memcpy into the UMEM"},
	{"xdp_sg_zerocopy", ANY, 0, 1, "the NIC's DMA reads the file's pages"},
	{"dpdk_null", ANY, 0, 0, "mbufs are the file's pages, which are not read"},
	{"dpdk_vhost", ANY, 1, 0,
		"rte_vhost's rte_memcpy, in place of a NIC's DMA; no probe sees it"},
	{"dpdk_virtio_user", ANY, 0, 0, "the peer copies, in place of a NIC's DMA"},
	{"dpdk_af_packet", LINEARIZES, 2, 0,
		"the driver's rte_memcpy into the ring; skb_copy_ubufs where the frame is looped "
		"back"},
	{"dpdk_af_packet", ANY, 1, 1, "the driver's rte_memcpy into the ring; no probe sees it"},
	{"dpdk_pci", ANY, 0, 1, "the NIC's DMA reads the file's pages"},
	{"dpdk_af_xdp", ANY, 2, 1, "one linear mbuf a packet; xsk_build_skb -> skb_store_bits"},
};

struct pw_expected pw_bench_expect(
	const struct pw_bench_way *way, enum pw_wire_kind wire, bool cold)
{
	struct pw_expected e = {.cpu_copies = __builtin_nan(""), .reason = "not derived"};
	size_t i;

	for (i = 0; i < PW_ARRAY_LEN(expectations); i++) {
		const struct expectation *x = &expectations[i];

		if (strcmp(x->way, way->name) || !(x->wires & 1u << wire))
			continue;
		e.cpu_copies = x->cpu;
		/* the wires of a bench without a NIC have no DMA, and a cold file comes by the disk's */
		e.dma_copies = (wire == PW_WIRE_NIC ? x->dma : 0) + (cold ? 1 : 0);
		e.reason = x->reason;
		if (!way->kernel && way->pages == PW_PAGES_STAGE && !cold) {
			e.cpu_copies += 1;
			e.reason = "read into EAL memory from tmpfs, which has no O_DIRECT; none "
				   "after";
		}
		break;
	}
	return e;
}
