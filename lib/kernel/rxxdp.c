/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The receivers xdp_rx and xdp_rx_zerocopy: AF_XDP, receive only, on queue 0. A short XDP program redirects UDP
 * packets to our port to the socket; all other frames go on to the kernel.
 *
 *   fill ring: free chunks --> | UMEM: chunk, chunk, ... | --> RX ring: descriptors --> views --release--> fill ring
 *
 * With XDP_COPY the kernel copies each frame into a chunk; with XDP_ZEROCOPY the driver has its NIC write there.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <xdp/libxdp.h>
#include <xdp/xsk.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "kernel/rxraw.h"
#include "kernel/rxsock.h"
#include "kernel/rxways.h"

#define CHUNKS       4096u
#define CHUNK_BYTES  4096u
#define HEADROOM     256u /* the kernel's XDP_PACKET_HEADROOM */
#define N_TO_TAKE    64u  /* descriptors in a burst */
#define BUSY_WAIT_NS PW_NS_PER_S

struct rx {
	struct pw_rxraw r;
	uint8_t *area; /* CHUNKS * CHUNK_BYTES */
	struct xsk_umem *umem;
	struct xsk_socket *xsk;
	struct xsk_ring_prod fill;
	struct xsk_ring_cons done, rx; /* done stays empty */
	int map, prog, link;           /* -1: not there */
	uint64_t drops;                /* of the socket, when they were last read */
	uint64_t held[N_TO_TAKE];      /* chunks of the last burst's frames */
	unsigned int n_held;
};

static void give(struct rx *rx, const uint64_t *chunks, uint32_t n)
{
	uint32_t at = 0, i;

	/* The ring has room for all chunks. */
	xsk_ring_prod__reserve(&rx->fill, n, &at);
	for (i = 0; i < n; i++)
		*xsk_ring_prod__fill_addr(&rx->fill, at + i) = chunks[i];
	xsk_ring_prod__submit(&rx->fill, n);
}

static void xdp_release(void *path)
{
	struct rx *rx = path;

	if (rx->n_held)
		give(rx, rx->held, rx->n_held);
	rx->n_held = 0;
}

static int take(struct rx *rx, struct pw_rx_view *views, uint16_t n)
{
	const uint32_t max = n < N_TO_TAKE ? n : N_TO_TAKE;
	uint32_t at = 0, i, got = xsk_ring_cons__peek(&rx->rx, max, &at);
	int k = 0;

	for (i = 0; i < got; i++) {
		const struct xdp_desc *d = xsk_ring_cons__rx_desc(&rx->rx, at + i);

		/* The checksum is not checked: the metadata of XDP does not tell whether the NIC has done so, and
		 * the file's digest is. */
		if (pw_rxraw_take(&rx->r, rx->area + d->addr, d->len, false, &views[k])) {
			rx->r.c.bytes += views[k].len;
			k++;
		}
		rx->held[i] = d->addr / CHUNK_BYTES * CHUNK_BYTES;
	}
	if (got)
		xsk_ring_cons__release(&rx->rx, got);
	rx->n_held = got;
	rx->r.c.packets += got;
	if (k == 0) /* the caller releases a burst only when it got views */
		xdp_release(rx);
	return k;
}

static int xdp_burst(void *path, struct pw_rx_view *views, uint16_t n, uint64_t timeout_ns)
{
	struct rx *rx = path;
	int k = take(rx, views, n);

	if (k || !timeout_ns)
		return k;
	k = pw_rxsock_wait(rx->r.fd, timeout_ns);
	return k <= 0 ? k : take(rx, views, n);
}

static const struct pw_rx_counters *xdp_counters(void *path)
{
	struct rx *rx = path;
	struct xdp_statistics st = {0};
	socklen_t len = sizeof(st);
	uint64_t drops;

	if (getsockopt(rx->r.fd, SOL_XDP, XDP_STATISTICS, &st, &len) < 0)
		return &rx->r.c;
	/* No free chunk, and no room in the RX ring. */
	drops = st.rx_dropped + st.rx_ring_full;
	rx->r.c.missed += drops - rx->drops;
	rx->drops = drops;
	return &rx->r.c;
}

static const struct pw_rx_ops ops = {
	.name = "xdp_rx",
	.burst = xdp_burst,
	.release = xdp_release,
	.alive = pw_rxraw_alive,
	.counters = xdp_counters,
};

#define INSN(c, d, s, o, i) \
	((struct bpf_insn){ \
		.code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (int)(i)})
#define LOAD(size, dst, src, off) INSN(BPF_LDX | BPF_MEM | (size), dst, src, off, 0)
#define MOVE(dst, src)            INSN(BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0)
#define SET(dst, imm)             INSN(BPF_ALU64 | BPF_MOV | BPF_K, dst, 0, 0, imm)
#define ADD(dst, imm)             INSN(BPF_ALU64 | BPF_ADD | BPF_K, dst, 0, 0, imm)
#define UNLESS_FITS(a, b, to)     INSN(BPF_JMP | BPF_JGT | BPF_X, a, b, to, 0)
#define UNLESS(reg, value, to)    INSN(BPF_JMP | BPF_JNE | BPF_K, reg, 0, to, value)
#define CALL(fn)                  INSN(BPF_JMP | BPF_CALL, 0, 0, 0, fn)
#define EXIT                      INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

/* if (frame is IPv4 without options or IPv6, carries UDP, to our port) redirect(map, queue, else pass) else pass */
static int load_program(struct rx *rx)
{
	const bool v4 = rx->r.listen.family == 4;
	const short proto = PW_ETH_LEN + (v4 ? 9 : 6),
		    port = (short)(PW_ETH_LEN + (v4 ? PW_IPV4_LEN : PW_IPV6_LEN) + 2);
	const struct bpf_insn code[] = {
		LOAD(BPF_W, 3, 1, offsetof(struct xdp_md, data)),
		LOAD(BPF_W, 2, 1, offsetof(struct xdp_md, data_end)),
		MOVE(4, 3),
		ADD(4, port + 6),
		UNLESS_FITS(4, 2, 15),
		LOAD(BPF_H, 5, 3, 12),
		UNLESS(5, htons(v4 ? ETH_P_IP : ETH_P_IPV6), 13),
		LOAD(BPF_B, 5, 3, PW_ETH_LEN),
		INSN(BPF_ALU64 | BPF_AND | BPF_K, 5, 0, 0, v4 ? 0xff : 0xf0),
		UNLESS(5, v4 ? 0x45 : 0x60, 10),
		LOAD(BPF_B, 5, 3, proto),
		UNLESS(5, IPPROTO_UDP, 8),
		LOAD(BPF_H, 5, 3, port),
		UNLESS(5, htons(rx->r.listen.port), 6),
		LOAD(BPF_W, 2, 1, offsetof(struct xdp_md, rx_queue_index)),
		INSN(BPF_LD | BPF_DW | BPF_IMM, 1, BPF_PSEUDO_MAP_FD, 0, rx->map),
		INSN(0, 0, 0, 0, 0), /* the second half of the load */
		SET(3, XDP_PASS),
		CALL(BPF_FUNC_redirect_map),
		EXIT,
		SET(0, XDP_PASS),
		EXIT,
	};

	rx->prog = bpf_prog_load(
		BPF_PROG_TYPE_XDP, "pagewire", "BSD-3-Clause", code, PW_ARRAY_LEN(code), NULL);
	return rx->prog < 0 ? rx->prog : 0;
}

/* The link goes with its descriptor, so also with a process that is killed. */
static int attach_program(struct rx *rx, struct pw_err *err)
{
	const char *what = "attach an XDP program";
	uint32_t queue = 0;
	int ret;

	rx->map = bpf_map_create(
		BPF_MAP_TYPE_XSKMAP, "pagewire", sizeof(uint32_t), sizeof(int), 1, NULL);
	if (rx->map < 0)
		return pw_rxraw_refused(&rx->r, what, -rx->map, err);
	ret = bpf_map_update_elem(rx->map, &queue, &rx->r.fd, 0);
	if (ret == 0)
		ret = load_program(rx);
	if (ret < 0)
		return pw_rxraw_refused(&rx->r, what, -ret, err);
	rx->link = bpf_link_create(rx->prog, (int)rx->r.dev.index, BPF_XDP, NULL);
	if (rx->link == -EBUSY || rx->link == -EEXIST)
		return pw_err_set(err, EBUSY,
			"cannot %s on %s: it has one already; `ip link set dev %s xdp off` removes "
			"it",
			what, rx->r.dev.name, rx->r.dev.name);
	if (rx->link == -ERANGE || rx->link == -EINVAL)
		return pw_err_set(err, EOPNOTSUPP,
			"cannot %s on %s: its driver refuses that with this MTU or these offloads; "
			"use a smaller "
			"--mtu",
			what, rx->r.dev.name);
	return rx->link < 0 ? pw_rxraw_refused(&rx->r, what, -rx->link, err) : 0;
}

/* libxdp prints to stderr, for the whole process. */
static int print_nothing(enum libxdp_print_level level, const char *fmt, va_list args)
{
	(void)level;
	(void)fmt;
	(void)args;
	return 0;
}

static int make_area(struct rx *rx, struct pw_err *err)
{
	rx->area = mmap(NULL, (size_t)CHUNKS * CHUNK_BYTES, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (rx->area != MAP_FAILED)
		return 0;
	rx->area = NULL;
	return pw_err_sys(err, errno, "cannot receive by AF_XDP: cannot allocate a UMEM");
}

static int make_socket(struct rx *rx, bool zerocopy)
{
	const struct xsk_umem_config ucfg = {
		.fill_size = CHUNKS,
		.comp_size = XSK_RING_CONS__DEFAULT_NUM_DESCS,
		.frame_size = CHUNK_BYTES,
	};
	const struct xsk_socket_config cfg = {
		.rx_size = CHUNKS,
		.libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
		.bind_flags =
			(uint16_t)(XDP_USE_NEED_WAKEUP | (zerocopy ? XDP_ZEROCOPY : XDP_COPY)),
	};
	int ret = xsk_umem__create(
		&rx->umem, rx->area, (uint64_t)CHUNKS * CHUNK_BYTES, &rx->fill, &rx->done, &ucfg);

	if (ret == 0)
		ret = xsk_socket__create(
			&rx->xsk, rx->r.dev.name, 0, rx->umem, &rx->rx, NULL, &cfg);
	return ret;
}

/* After a socket is closed, the kernel frees its queue a little later, in a work queue: try again. */
static int make_all(struct rx *rx, struct pw_err *err)
{
	const uint64_t end = pw_clock_ns() + BUSY_WAIT_NS;
	const bool zerocopy = rx->r.way.way == &pw_rx_way_xdp_rx_zerocopy;
	int ret = make_area(rx, err);

	while (ret == 0) {
		ret = make_socket(rx, zerocopy);
		if (ret == 0)
			return 0;
		if (ret == -EBUSY && pw_clock_ns() < end) {
			xsk_umem__delete(rx->umem);
			rx->umem = NULL;
			nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
			ret = 0;
			continue;
		}
		if (ret == -ENOBUFS)
			return pw_err_set(err, ENOBUFS,
				"cannot receive by AF_XDP: %u KiB for a UMEM exceed the limit of "
				"locked memory; "
				"raise it (ulimit -l)",
				CHUNKS * CHUNK_BYTES / 1024);
		if (zerocopy && (ret == -EOPNOTSUPP || ret == -EINVAL))
			return pw_err_set(err, EOPNOTSUPP,
				"cannot open an AF_XDP socket on %s: its driver has no AF_XDP "
				"zero-copy; use "
				"xdp_rx",
				rx->r.dev.name);
		return pw_rxraw_refused(&rx->r, "open an AF_XDP socket", -ret, err);
	}
	return ret;
}

static void fill_all(struct rx *rx)
{
	uint64_t i;

	for (i = 0; i < CHUNKS; i++)
		give(rx, &(uint64_t){i * CHUNK_BYTES}, 1);
}

static int xdp_open(void *path, const struct pw_rx_way_config *cfg, struct pw_err *err)
{
	struct rx *rx = path;
	libxdp_print_fn_t old;
	int ret;

	rx->map = rx->prog = rx->link = -1;
	ret = pw_rxraw_open(&rx->r, cfg, err);
	if (ret < 0)
		return ret;
	if (cfg->mtu + PW_ETH_LEN > CHUNK_BYTES - HEADROOM)
		return pw_err_set(err, EOPNOTSUPP,
			"cannot receive by AF_XDP: frames of %u bytes are longer than a chunk of "
			"the UMEM has "
			"room for; use a --mtu of %u at most",
			cfg->mtu + PW_ETH_LEN, CHUNK_BYTES - HEADROOM - PW_ETH_LEN);
	old = libxdp_set_print(print_nothing);
	ret = make_all(rx, err);
	libxdp_set_print(old);
	if (ret < 0)
		return ret;
	rx->r.fd = xsk_socket__fd(rx->xsk);
	fill_all(rx);
	return attach_program(rx, err);
}

static void xdp_close(void *path)
{
	struct rx *rx = path;
	libxdp_print_fn_t old = libxdp_set_print(print_nothing);

	if (rx->link >= 0)
		close(rx->link);
	if (rx->prog >= 0)
		close(rx->prog);
	if (rx->map >= 0)
		close(rx->map);
	if (rx->xsk) {
		xsk_socket__delete(rx->xsk); /* closes r.fd */
		rx->r.fd = -1;
	}
	if (rx->umem)
		xsk_umem__delete(rx->umem);
	libxdp_set_print(old);
	if (rx->area)
		munmap(rx->area, (size_t)CHUNKS * CHUNK_BYTES);
	pw_rxraw_close(&rx->r);
}

const struct pw_rx_way pw_rx_way_xdp_rx = {
	.name = "xdp_rx",
	.summary = "AF_XDP copy mode: the kernel copies frames into the UMEM, poll()",
	.kind = PW_WAY_FRAME,
	.sleeps = true,
	.path_bytes = sizeof(struct rx),
	.open = xdp_open,
	.close = xdp_close,
	.packets = &ops,
};

const struct pw_rx_way pw_rx_way_xdp_rx_zerocopy = {
	.name = "xdp_rx_zerocopy",
	.summary = "AF_XDP zero-copy: the NIC writes frames into the UMEM, poll()",
	.kind = PW_WAY_FRAME,
	.sleeps = true,
	.path_bytes = sizeof(struct rx),
	.open = xdp_open,
	.close = xdp_close,
	.packets = &ops,
};
