/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * For the tests of the datagram ways: a network namespace with a loopback, objects whose windows have
 * several extents, and a plain UDP socket that checks each datagram.
 */
#ifndef PW_TESTS_KERNEL_UDP_UTIL_H
#define PW_TESTS_KERNEL_UDP_UTIL_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
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
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "kernel/sockaddr.h"
#include "kernel/way.h"
#include "wire/alc.h"

#define PORT 4001

/* NULL, or why this test has no network namespace */
static const char *no_net;

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

static inline void set_lo(short flags)
{
	struct ifreq ifr = {.ifr_name = "lo", .ifr_flags = flags};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &ifr) < 0)
		no_net = "the loopback of our own cannot be set up";
	if (fd >= 0)
		close(fd);
}

static inline void set_lo_mtu(int mtu)
{
	struct ifreq ifr = {.ifr_name = "lo", .ifr_mtu = mtu};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(ioctl(fd, SIOCSIFMTU, &ifr), 0);
	close(fd);
}

/* A new network namespace: sockets that an earlier test left open are in another one. */
static inline void need_net(void)
{
	no_net = unshare(CLONE_NEWNET) < 0 ? "no network namespace of our own (not root)" : NULL;
	if (!no_net)
		set_lo(IFF_UP | IFF_MULTICAST);
	if (no_net) {
		print_message("# skipped: %s\n", no_net);
		skip();
	}
}

static inline struct pw_flow make_flow(bool v6)
{
	struct pw_flow f = {.vlan = PW_VLAN_NONE, .ttl = 9, .dscp = 10};
	struct pw_err err = {0};

	if (pw_addr_parse("src", v6 ? "::1" : "127.0.0.1", 4000, &f.src, &err) < 0 ||
		pw_addr_parse("dst", v6 ? "::1" : "127.0.0.1", PORT, &f.dst, &err) < 0)
		fail_msg("%s", err.msg);
	return f;
}

static inline struct pw_way_config make_config(const struct pw_flow *flow)
{
	return (struct pw_way_config){
		.flow = *flow, .mtu = 65535, .batch = PW_BURST, .chunk_bytes = 65536};
}

static inline const struct pw_way *find_way(const char *name)
{
	const struct pw_way *way = pw_way_find(name);

	assert_non_null(way);
	assert_int_equal(way->kind, PW_WAY_DATAGRAM);
	return way;
}

static inline void *open_way(const struct pw_way *way, const struct pw_way_config *cfg)
{
	struct pw_err err = {0};
	void *path;
	int r = pw_way_open(way, &path, cfg, &err);

	if (r == -EOPNOTSUPP || r == -EPERM || r == -ENOSYS) {
		print_message("# skipped: %s\n", err.msg);
		skip();
	}
	if (r < 0)
		fail_msg("%s", err.msg);
	return path;
}

/* An object in memory, and in a file without a name. Its extents are not adjacent. */
struct object {
	struct pw_tx_object o;
	struct pw_window win;
	struct pw_extent extents[3];
	uint8_t *data; /* the whole object, as it must arrive */
	uint8_t *seen; /* how often each symbol has arrived */
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

static inline void object_headers(struct object *ob, const struct pw_flow *flow)
{
	const struct pw_alc_hdr hdr = {.tsi = 7, .toi = 3};
	const uint64_t len = ob->win.len_bytes;
	const uint32_t symbol_len = ob->o.blocks.symbol_len;
	uint8_t alc[PW_ALC_HDR_MAX];
	size_t alc_len = pw_alc_build(alc, &hdr, false);

	pw_frame_template(&ob->o.tmpl, flow, alc, alc_len, (uint16_t)symbol_len, false);
	pw_frame_template(&ob->o.tmpl_last, flow, alc, alc_len,
		(uint16_t)(len ? (len - 1) % symbol_len + 1 : symbol_len), false);
}

/* Extents end at cut[0] and cut[1], if the object is that long. */
static inline void object_make(struct object *ob, const struct pw_flow *flow, uint64_t len,
	uint32_t symbol_len, const uint64_t cut[2])
{
	uint64_t a = pw_min_u64(cut[0], len), b = pw_min_u64(cut[1], len), i;
	struct pw_err err = {0};

	memset(ob, 0, sizeof(*ob));
	ob->data = malloc(len + 1);
	assert_non_null(ob->data);
	for (i = 0; i < len; i++)
		ob->data[i] = (uint8_t)((i * 0x9e3779b97f4a7c15ull) >> 56);
	ob->win.extents = ob->extents;
	ob->win.len_bytes = len;
	ob->win.page_bytes = 4096;
	ob->win.fd = memfd_create("object", MFD_CLOEXEC);
	assert_int_equal(pwrite(ob->win.fd, ob->data, len, 0), len);
	object_run(ob, 0, a);
	object_run(ob, a, b);
	object_run(ob, b, len);
	ob->o.win = &ob->win;
	ob->o.toi = 3;
	if (pw_blocks_init(&ob->o.blocks, len, symbol_len, 100, &err) < 0)
		fail_msg("%s", err.msg);
	object_headers(ob, flow);
	ob->seen = calloc(1, ob->o.blocks.n_symbols + 1);
	assert_non_null(ob->seen);
}

static inline void object_drop(struct object *ob)
{
	uint32_t i;

	for (i = 0; i < ob->win.n_extents; i++)
		free((void *)(uintptr_t)ob->extents[i].va);
	close(ob->win.fd);
	free(ob->data);
	free(ob->seen);
}

static inline int open_sink(const struct pw_flow *flow)
{
	const struct timeval patience = {.tv_sec = 2};
	const int size = 64 << 20, on = 1;
	struct sockaddr_storage ss;
	socklen_t len = pw_sockaddr_make(&flow->dst, 0, &ss);
	int fd = socket(ss.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, IPPROTO_IP, IP_RECVTTL, &on, sizeof(on));
	setsockopt(fd, IPPROTO_IP, IP_RECVTOS, &on, sizeof(on));
	if (ss.ss_family == AF_INET6) {
		setsockopt(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, &on, sizeof(on));
		setsockopt(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, &on, sizeof(on));
	}
	assert_int_equal(bind(fd, (struct sockaddr *)&ss, len), 0);
	return fd;
}

/* Checks a datagram of the object: the header against the template, the payload against the file. */
static inline void take_symbol(int fd, struct object *ob)
{
	static uint8_t buf[70000];
	const struct pw_frame_tmpl *t;
	uint8_t want[PW_FRAME_HDR_MAX];
	uint16_t hdr_len = (uint16_t)(ob->o.tmpl.len - ob->o.tmpl.alc_off);
	uint32_t fec_id, len;
	uint64_t index = 0;
	ssize_t n;

	/* io_uring's completions interrupt a sleep, and a call with SO_RCVTIMEO is not restarted. */
	do
		n = recv(fd, buf, sizeof(buf), 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		fail_msg("a datagram did not come");
	assert_true(n > hdr_len);
	fec_id = pw_be32_load(buf + hdr_len - 4);
	assert_true(pw_blocks_index(&ob->o.blocks, fec_id >> 16, fec_id & 0xffff, &index));
	len = pw_blocks_symbol_bytes(&ob->o.blocks, index);
	assert_int_equal(n, hdr_len + len);
	t = len == ob->o.tmpl.payload_len ? &ob->o.tmpl : &ob->o.tmpl_last;
	memcpy(want, t->bytes + t->alc_off, hdr_len);
	pw_be32_store(want + hdr_len - 4, fec_id);
	assert_memory_equal(buf, want, hdr_len);
	assert_memory_equal(buf + hdr_len, ob->data + index * ob->o.blocks.symbol_len, len);
	ob->seen[index]++;
}

static inline void assert_quiet(int fd)
{
	char byte;

	assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
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

/* Waits until the kernel has released all pages. */
static inline void let_go(const struct pw_way *way, void *path)
{
	uint64_t end = pw_clock_ns() + 5 * PW_NS_PER_S;

	while (way->packets->outstanding(path) && pw_clock_ns() < end) {
		way->packets->reap(path);
		usleep(100);
	}
	assert_int_equal(way->packets->outstanding(path), 0);
}

static inline void attach(const struct pw_way *way, void *path, struct object *ob)
{
	struct pw_err err = {0};

	if (way->packets->attach(path, &ob->o, &err) < 0)
		fail_msg("%s", err.msg);
}

static inline void detach(const struct pw_way *way, void *path, struct object *ob)
{
	let_go(way, path);
	assert_int_equal(ob->win.n_out, 0);
	assert_int_equal(way->packets->detach(path, &ob->o), 0);
}

/* Sends the object in bursts (0: of changing length) and compares each datagram. */
static inline void deliver(
	const struct pw_way *way, void *path, int fd, struct object *ob, uint16_t burst)
{
	const uint64_t n_symbols = ob->o.blocks.n_symbols;
	uint64_t at = 0, i, end = pw_clock_ns() + 20 * PW_NS_PER_S;

	attach(way, path, ob);
	while (at < n_symbols && pw_clock_ns() < end) {
		struct pw_tx_burst b =
			burst_at(ob, at, burst ? burst : (uint16_t)(1 + at * 7 % PW_BURST));
		uint16_t n = way->packets->send(path, &b);

		assert_in_range(n, 0, b.n);
		if (way->packets->fault(path))
			fail_msg("%s", way->packets->fault(path));
		for (i = 0; i < n; i++)
			take_symbol(fd, ob);
		at += n;
	}
	assert_int_equal(at, n_symbols);
	assert_quiet(fd);
	for (i = 0; i < n_symbols; i++)
		assert_int_equal(ob->seen[i], 1);
	detach(way, path, ob);
}

static inline struct CMUnitTest row(const char *name, CMUnitTestFunction f, const char *way)
{
	return (struct CMUnitTest){name, f, NULL, NULL, (void *)(uintptr_t)way};
}

#define ROW(f, way) row(#f ": " way, f, way)
#define EACH_WAY(f)                                                                  \
	ROW(f, "udp_read_send"), ROW(f, "udp_mmap_sendmsg"), ROW(f, "udp_sendmmsg"), \
		ROW(f, "udp_gso"), ROW(f, "udp_zerocopy"), ROW(f, "uring_udp_zc"),   \
		ROW(f, "uring_sendmsg_zc")
#define EACH_ZEROCOPY_WAY(f) \
	ROW(f, "udp_zerocopy"), ROW(f, "uring_udp_zc"), ROW(f, "uring_sendmsg_zc")

#endif
