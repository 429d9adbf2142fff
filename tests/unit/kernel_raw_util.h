/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * For the tests of the frame ways: a veth pair in a network namespace, objects in memory, and a socket at
 * the far end that receives every frame.
 *
 *   way --> pwtx ======== pwrx --> AF_PACKET socket
 */
#ifndef PW_TESTS_KERNEL_RAW_UTIL_H
#define PW_TESTS_KERNEL_RAW_UTIL_H

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "kernel/way.h"
#include "wire/alc.h"

#define TX     "pwtx"
#define RX     "pwrx"
#define TX_MAC "02:00:00:00:00:01"
#define RX_MAC "02:00:00:00:00:02"

/* NULL, or why this test has no network namespace */
static const char *no_net = "not asked";

__attribute__((format(printf, 1, 2))) static inline void sh(const char *fmt, ...)
{
	char cmd[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(cmd, sizeof(cmd), fmt, args);
	va_end(args);
	if (system(cmd) != 0)
		fail_msg("%s", cmd);
}

/* veth delivers frames on the CPU that sent them. A queue's timer may send on another CPU than the
 * sender, and then frames overtake each other: use one CPU. */
static inline void stay_on_one_cpu(void)
{
	int cpu = sched_getcpu();
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((unsigned int)(cpu < 0 ? 0 : cpu), &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static inline void make_net(void)
{
	stay_on_one_cpu();
	if (unshare(CLONE_NEWNET) < 0)
		no_net = "no network namespace of our own (not root)";
	else if (system("ip link add " TX " type veth peer name " RX " && ip link del " TX) != 0)
		no_net = "no veth pair (needs ip)";
	/* No frames of neighbour discovery */
	else if (system("echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6") != 0)
		no_net = "cannot write /proc/sys";
	else
		no_net = NULL;
}

/* Waits until the interface is up and has a carrier for a sender, which the kernel reports with a delay. */
static inline bool is_running(const char *name)
{
	struct ifreq req = {0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool running;

	snprintf(req.ifr_name, sizeof(req.ifr_name), "%s", name);
	running = ioctl(fd, SIOCGIFFLAGS, &req) == 0 && (req.ifr_flags & IFF_RUNNING);
	close(fd);
	return running;
}

/* Makes a new pair, without the settings of the one before. The receiving end is set up first: then the
 * other end has a carrier when it is opened, and has its queue at once. An end that waits for its carrier
 * gets the queue later, from a work item, and drops frames without an error until then. */
static inline void need_link(unsigned int mtu)
{
	const uint64_t until = pw_clock_ns() + 20 * PW_NS_PER_S;

	if (no_net) {
		print_message("# skipped: %s\n", no_net);
		skip();
	}
	if (if_nametoindex(TX))
		sh("ip link del " TX);
	sh("ip link add " TX " address " TX_MAC " mtu %u type veth peer name " RX " address " RX_MAC
	   " mtu %u && ip link set " RX " up && ip link set " TX " up",
		mtu, mtu);
	while (!is_running(TX) || !is_running(RX))
		assert_true(pw_clock_ns() < until);
}

enum { VLAN = 1, IPV6 = 2 };

static inline struct pw_flow make_flow(unsigned int kind)
{
	struct pw_flow f = {.vlan = kind & VLAN ? 42 : PW_VLAN_NONE, .ttl = 9, .dscp = 10};
	bool v6 = kind & IPV6;
	struct pw_err err = {0};

	if (pw_mac_parse("src", TX_MAC, f.src_mac, &err) < 0 ||
		pw_mac_parse("dst", RX_MAC, f.dst_mac, &err) < 0 ||
		pw_addr_parse("src", v6 ? "fd00::9" : "10.9.0.9", 4000, &f.src, &err) < 0 ||
		pw_addr_parse("dst", v6 ? "fd00::2" : "10.9.0.2", 4001, &f.dst, &err) < 0)
		fail_msg("%s", err.msg);
	return f;
}

static inline struct pw_way_config make_config(const struct pw_flow *flow, uint32_t mtu)
{
	return (struct pw_way_config){
		.flow = *flow,
		.interface = TX,
		.mtu = mtu,
		.frame_bytes = mtu + pw_frame_l2_len(flow),
		.batch = PW_BURST,
	};
}

static inline void *open_way(const struct pw_way *way, const struct pw_way_config *cfg)
{
	struct pw_err err = {0};
	void *path;
	int r = pw_way_open(way, &path, cfg, &err);

	if (r == -EOPNOTSUPP || r == -EPERM) {
		print_message("# skipped: %s\n", err.msg);
		skip();
	}
	if (r < 0)
		fail_msg("%s", err.msg);
	return path;
}

/* An object whose window has several extents, which are not adjacent. */
struct object {
	struct pw_tx_object o;
	struct pw_window win;
	struct pw_extent extents[3];
	uint8_t *data; /* the whole object, as it must arrive */
};

static inline void object_run(struct object *ob, uint64_t from, uint64_t to)
{
	uint8_t *part;

	if (from >= to)
		return;
	part = malloc(to - from); /* exact, so that ASan detects a read beyond it */
	assert_non_null(part);
	memcpy(part, ob->data + from, to - from);
	ob->extents[ob->win.n_extents++] = (struct pw_extent){
		.va = part, .iova = PW_IOVA_NONE, .offset = from, .len_bytes = to - from};
}

/* Extents end at cut[0] and cut[1], if the object is that long. */
static inline void object_make(struct object *ob, const struct pw_flow *flow, uint64_t len,
	uint32_t symbol_len, const uint64_t cut[2])
{
	const struct pw_alc_hdr hdr = {.tsi = 7, .toi = 3};
	uint64_t a = pw_min_u64(cut[0], len), b = pw_min_u64(cut[1], len), i;
	uint8_t alc[PW_ALC_HDR_MAX];
	size_t alc_len = pw_alc_build(alc, &hdr, false);
	struct pw_err err = {0};

	memset(ob, 0, sizeof(*ob));
	ob->data = malloc(len + 1);
	assert_non_null(ob->data);
	for (i = 0; i < len; i++)
		ob->data[i] = (uint8_t)((i * 0x9e3779b97f4a7c15ull) >> 56);
	ob->win.extents = ob->extents;
	ob->win.len_bytes = len;
	object_run(ob, 0, a);
	object_run(ob, a, b);
	object_run(ob, b, len);
	ob->o.win = &ob->win;
	ob->o.toi = 3;
	if (pw_blocks_init(&ob->o.blocks, len, symbol_len, 100, &err) < 0)
		fail_msg("%s", err.msg);
	pw_frame_template(&ob->o.tmpl, flow, alc, alc_len, (uint16_t)symbol_len, false);
	pw_frame_template(&ob->o.tmpl_last, flow, alc, alc_len,
		(uint16_t)(len ? (len - 1) % symbol_len + 1 : symbol_len), false);
}

static inline void object_drop(struct object *ob)
{
	uint32_t i;

	for (i = 0; i < ob->win.n_extents; i++)
		free((void *)(uintptr_t)ob->extents[i].va);
	free(ob->data);
}

/* Opens a socket for all frames that reach the far end. */
static inline int open_sink(void)
{
	const struct sockaddr_ll ll = {.sll_family = AF_PACKET,
		.sll_protocol = htobe16(ETH_P_ALL),
		.sll_ifindex = (int)if_nametoindex(RX)};
	const struct timeval patience = {.tv_sec = 2};
	const int on = 1, size = 64 << 20;
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on)), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	assert_int_equal(bind(fd, (const struct sockaddr *)&ll, sizeof(ll)), 0);
	return fd;
}

/* Receives a frame, and restores the VLAN tag that the kernel has removed. -1: none arrived. */
static inline ssize_t take_frame(int fd, uint8_t *buf, size_t room, int flags)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	} ctrl;
	struct iovec iov = {buf + PW_VLAN_LEN, room - PW_VLAN_LEN};
	struct msghdr msg = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &ctrl,
		.msg_controllen = sizeof(ctrl)};
	struct tpacket_auxdata aux = {0};
	struct cmsghdr *c;
	ssize_t n = recvmsg(fd, &msg, flags);

	if (n < 0)
		return -1;
	for (c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c))
		if (c->cmsg_level == SOL_PACKET && c->cmsg_type == PACKET_AUXDATA)
			memcpy(&aux, CMSG_DATA(c), sizeof(aux));
	if (!(aux.tp_status & TP_STATUS_VLAN_VALID)) {
		memmove(buf, buf + PW_VLAN_LEN, (size_t)n);
		return n;
	}
	memmove(buf, buf + PW_VLAN_LEN, 12);
	pw_be16_store(buf + 12, aux.tp_vlan_tpid);
	pw_be16_store(buf + 14, aux.tp_vlan_tci);
	return n + PW_VLAN_LEN;
}

/* Checks that buf[len] is the template with this FEC payload ID, followed by the payload. */
static inline void assert_frame(uint8_t *buf, ssize_t len, const struct pw_frame_tmpl *t,
	uint32_t fec_id, const uint8_t *payload, size_t payload_len)
{
	uint8_t want[PW_FRAME_HDR_MAX];
	struct pw_frame_view v;

	if (len < 0)
		fail_msg("frame %08x did not come", fec_id);
	assert_int_equal(len, t->len + payload_len);
	assert_int_equal(pw_frame_parse(buf, (size_t)len, true, &v), PW_FRAME_OK);
	assert_int_equal(v.checksum_present, v.dst.family == 6);
	memcpy(want, t->bytes, t->len);
	pw_be32_store(want + t->len - 4, fec_id);
	memset(buf + t->alc_off - 2, 0, 2); /* the checksum, which is verified above */
	assert_memory_equal(buf, want, t->len);
	if (payload_len) /* payload may be NULL */
		assert_memory_equal(buf + t->len, payload, payload_len);
}

/* Receives and checks the burst's first n frames. */
static inline void take_burst(
	int fd, const struct object *ob, const struct pw_tx_burst *b, uint16_t n)
{
	static uint8_t buf[70000];
	uint64_t offset = b->offset;
	uint16_t i;

	for (i = 0; i < n; i++) {
		uint32_t len =
			(uint32_t)pw_min_u64(ob->o.blocks.symbol_len, ob->win.len_bytes - offset);

		assert_frame(buf, take_frame(fd, buf, sizeof(buf), 0),
			len == ob->o.tmpl.payload_len ? &ob->o.tmpl : &ob->o.tmpl_last,
			b->payload_id + i, ob->data + offset, len);
		offset += len;
	}
}

static inline void assert_quiet(int fd)
{
	static uint8_t buf[70000];

	assert_int_equal(take_frame(fd, buf, sizeof(buf), MSG_DONTWAIT), -1);
}

/* A burst of n symbols at most that begins with symbol `index`. */
static inline struct pw_tx_burst burst_at(struct object *ob, uint64_t index, uint16_t n)
{
	const struct pw_blocks *bl = &ob->o.blocks;
	uint32_t sbn, esi;

	pw_blocks_locate(bl, index, &sbn, &esi);
	return (struct pw_tx_burst){
		.obj = &ob->o,
		.offset = index * bl->symbol_len,
		.payload_id = pw_blocks_payload_id(bl, sbn, esi),
		.n = (uint16_t)pw_min_u64(n, pw_blocks_block_len(bl, sbn) - esi),
	};
}

static inline const struct pw_way *find(const char *name)
{
	const struct pw_way *way = pw_way_find(name);

	assert_non_null(way);
	assert_int_equal(way->kind, PW_WAY_FRAME);
	return way;
}

/* Sends the object in bursts of changing length and compares each frame; returns how many. */
static inline uint64_t deliver(
	const struct pw_way *way, void *path, int fd, struct object *ob, uint16_t burst)
{
	const uint64_t n_symbols = ob->o.blocks.n_symbols;
	uint64_t at = 0, end = pw_clock_ns() + 20 * PW_NS_PER_S;
	struct pw_err err = {0};

	if (way->packets->attach(path, &ob->o, &err) < 0)
		fail_msg("%s", err.msg);
	while (at < n_symbols && pw_clock_ns() < end) {
		struct pw_tx_burst b =
			burst_at(ob, at, burst ? burst : (uint16_t)(1 + at * 7 % PW_BURST));
		uint16_t n = way->packets->send(path, &b);

		assert_in_range(n, 0, b.n);
		if (way->packets->fault(path))
			fail_msg("%s", way->packets->fault(path));
		way->packets->reap(path);
		take_burst(fd, ob, &b, n);
		at += n;
	}
	assert_int_equal(at, n_symbols);
	assert_quiet(fd);
	assert_int_equal(way->packets->outstanding(path), 0);
	assert_int_equal(way->packets->detach(path, &ob->o), 0);
	return n_symbols;
}

static inline struct CMUnitTest row(const char *name, CMUnitTestFunction f, const char *way)
{
	return (struct CMUnitTest){name, f, NULL, NULL, (void *)(uintptr_t)way};
}

#define ROW(f, way) row(#f ": " way, f, way)
/* Ways that obey the MTU and the qdisc; AF_XDP bypasses both. */
#define EACH_PACKET_WAY(f) ROW(f, "packet_send"), ROW(f, "packet_tx_ring")
#define EACH_WAY(f)        EACH_PACKET_WAY(f), ROW(f, "xdp_copy")

#endif
