/* SPDX-License-Identifier: BSD-3-Clause */
/* Makes and removes the wires of the comparison, and reads their counters. */
#include "bench/wire.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "bench/wirelink.h"
#include "bench/wirenet.h"
#include "bench/wirenic.h"
#include "host/sysfs.h"

#define PORT    4001
#define TTL     64
#define MTU_MIN 576u /* RFC 791: what every host must take */

/* 198.18.0.0/15 is for benchmarks (RFC 2544); the MACs are locally administered. */
#define SOURCE_ADDR "198.18.0.1"
#define SINK_ADDR   "198.18.0.2"
#define SOURCE_MAC  "02:00:00:00:50:01"
#define SINK_MAC    "02:00:00:00:50:02"

#define SINK_IF   "pws"
#define SOURCE_IF "pwa"
#define PEER_IF   "pwb"
#define TAP_IF    "pwt0"

#define TAP_WAIT_NS (5 * PW_NS_PER_S)
#define TAP_POLL_NS (2 * 1000 * 1000)

struct request {
	const char *nic;
	const struct pw_addr *to;
	const char *work_dir;
};

static int open_loopback(struct pw_wire *w, const struct request *req, struct pw_err *err);
static int open_sink(struct pw_wire *w, const struct request *req, struct pw_err *err);
static int open_veth(struct pw_wire *w, const struct request *req, struct pw_err *err);
static int open_tap(struct pw_wire *w, const struct request *req, struct pw_err *err);
static int open_vhost(struct pw_wire *w, const struct request *req, struct pw_err *err);
static int open_null(struct pw_wire *w, const struct request *req, struct pw_err *err);
static int open_nic(struct pw_wire *w, const struct request *req, struct pw_err *err);

static const struct kind {
	const char *name;
	uint32_t mtu_max; /* of such a device; an IPv4 packet has 65535 bytes at most */
	int (*open)(struct pw_wire *w, const struct request *req, struct pw_err *err);
	const char *caveat;
} kinds[PW_WIRE_N] = {
	[PW_WIRE_LOOPBACK] = {"loopback", 65536, open_loopback,
		"lo: no device and no checksums; TCP moves segments of 64 KiB; MSG_ZEROCOPY copies "
		"after all"},
	[PW_WIRE_SINK] = {"sink", 65535, open_sink,
		"an ifb device counts frames and frees them: no DMA, no receiver, the bytes are "
		"not read"},
	[PW_WIRE_VETH] = {"veth", 65535, open_veth,
		"the sender's CPU also runs the receiver's softirq; GRO, TSO and checksum offload "
		"as "
		"the kernel sets them: trains cross uncut"},
	[PW_WIRE_TAP] = {"tap", 65521, open_tap,
		"the kernel copies frames for the reader, a system call each; zero-copy pages are "
		"copied on the way in"},
	[PW_WIRE_VHOST] = {"vhost", 65535, open_vhost,
		"one copy a packet, made by the core of the vhost end, stands for a NIC's DMA"},
	[PW_WIRE_NULL] = {"null", 65535, open_null,
		"nothing leaves: what pagewire itself costs without a device"},
	[PW_WIRE_NIC] = {"nic", UINT32_MAX, open_nic,
		"the receiver is another host: the device counts what left, not what "
		"arrived; for dpdk_pci only the driver counts"},
};

const char *pw_wire_name(enum pw_wire_kind k)
{
	return kinds[k].name;
}

const char *pw_wire_caveat(enum pw_wire_kind k)
{
	return kinds[k].caveat;
}

int pw_wire_parse(const char *text, enum pw_wire_kind *k, const char **nic, struct pw_err *err)
{
	int i;

	*nic = NULL;
	for (i = 0; i < PW_WIRE_N; i++) {
		if (i == PW_WIRE_NIC || strcmp(text, kinds[i].name) != 0)
			continue;
		*k = (enum pw_wire_kind)i;
		return 0;
	}
	if (strncmp(text, "nic:", 4) == 0 && text[4] && strlen(text + 4) < IFNAMSIZ) {
		*k = PW_WIRE_NIC;
		*nic = text + 4;
		return 0;
	}
	return pw_err_set(err, EINVAL,
		"cannot read wire '%.40s': there is none of that name; use loopback, sink, veth, "
		"tap, "
		"vhost, null or nic:INTERFACE",
		text);
}

static void set_flow(struct pw_flow *flow, const char *src, const char *dst)
{
	memset(flow, 0, sizeof(*flow));
	flow->vlan = PW_VLAN_NONE;
	flow->ttl = TTL;
	/* constants that parse */
	pw_addr_parse("source", src, PORT, &flow->src, NULL);
	pw_addr_parse("sink", dst, PORT, &flow->dst, NULL);
	pw_mac_parse("source", SOURCE_MAC, flow->src_mac, NULL);
	pw_mac_parse("sink", SINK_MAC, flow->dst_mac, NULL);
}

/* Address, state and the static neighbour of an interface that has its MAC and MTU. */
static int bring_up(int ns, const char *name, const char *own, const char *peer,
	const char *peer_mac, struct pw_err *err)
{
	int r;

	/* refused where the interface has no IPv6, which is as good */
	pw_wirenet_ip(ns, -1, NULL, "link set dev %s addrgenmode none", name);
	r = pw_wirenet_ip(ns, -1, err, "link set dev %s up", name);
	if (r == 0)
		r = pw_wirenet_ip(ns, -1, err, "addr add %s/24 dev %s", own, name);
	if (r == 0)
		r = pw_wirenet_ip(ns, -1, err, "neigh add %s lladdr %s nud permanent dev %s", peer,
			peer_mac, name);
	return r;
}

/* One namespace for both ends. */
static int make_shared(struct pw_wire *w, struct pw_err *err)
{
	int r = pw_wirenet_make(&w->source_ns, err);

	w->sink_ns = w->source_ns;
	return r;
}

/* Who may make no namespace has the host's own lo, with the MTU that it has. */
static int open_loopback(struct pw_wire *w, const struct request *req, struct pw_err *err)
{
	int r = make_shared(w, err);

	(void)req;
	if (r && r != -EPERM)
		return r;
	set_flow(&w->flow, "127.0.0.1", "127.0.0.1");
	memset(w->flow.src_mac, 0, sizeof(w->flow.src_mac));
	memset(w->flow.dst_mac, 0, sizeof(w->flow.dst_mac));
	strcpy(w->source_if, "lo");
	strcpy(w->sink_if, "lo");
	if (r)
		return 0;
	return pw_wirenet_ip(w->source_ns, -1, err, "link set dev lo mtu %u", w->mtu);
}

/* An ifb has no set-address call: its MAC is given when it is made; its queue is as long as an Ethernet
 * device's, not the 32 that it would have. Other devices do not do: a
 * bridge without ports has no carrier, so its queue drops every frame uncounted. */
static int open_sink(struct pw_wire *w, const struct request *req, struct pw_err *err)
{
	struct pw_err why = {0};
	int r = make_shared(w, err);

	(void)req;
	if (r)
		return r;
	r = pw_wirenet_ip(w->source_ns, -1, &why,
		"link add %s address " SOURCE_MAC " mtu %u txqueuelen 1000 type ifb", SINK_IF,
		w->mtu);
	if (r == -EOPNOTSUPP)
		return pw_err_set(err, EOPNOTSUPP,
			"cannot make wire sink: this kernel has no ifb device (%.80s); modprobe "
			"ifb",
			why.msg);
	if (r) {
		if (err)
			*err = why;
		return r;
	}
	strcpy(w->source_if, SINK_IF);
	return bring_up(w->source_ns, SINK_IF, SOURCE_ADDR, SINK_ADDR, SINK_MAC, err);
}

static int open_veth(struct pw_wire *w, const struct request *req, struct pw_err *err)
{
	int r = pw_wirenet_make(&w->source_ns, err);

	(void)req;
	if (r == 0)
		r = pw_wirenet_make(&w->sink_ns, err);
	if (r == 0)
		r = pw_wirenet_ip(w->source_ns, w->sink_ns, err,
			"link add " SOURCE_IF " address " SOURCE_MAC
			" mtu %u type veth peer name " PEER_IF " address " SINK_MAC
			" mtu %u netns " PW_WIRENET_PEER,
			w->mtu, w->mtu);
	if (r == 0)
		r = bring_up(w->sink_ns, PEER_IF, SINK_ADDR, SOURCE_ADDR, SOURCE_MAC, err);
	if (r == 0)
		r = bring_up(w->source_ns, SOURCE_IF, SOURCE_ADDR, SINK_ADDR, SINK_MAC, err);
	strcpy(w->source_if, SOURCE_IF);
	strcpy(w->sink_if, PEER_IF);
	return r;
}

static int open_tap(struct pw_wire *w, const struct request *req, struct pw_err *err)
{
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	(void)req;
	if (fd < 0)
		return pw_err_set(err, errno == ENOENT ? ENODEV : errno,
			"cannot make wire tap: /dev/net/tun: %s; modprobe tun, as root",
			strerror(errno));
	close(fd);
	strcpy(w->source_if, TAP_IF);
	strcpy(w->sink_if, TAP_IF);
	return make_shared(w, err);
}

static int open_vhost(struct pw_wire *w, const struct request *req, struct pw_err *err)
{
	int n = snprintf(w->socket, sizeof(w->socket), "%s/vhost.sock", req->work_dir);

	if (n < 0 || (size_t)n >= sizeof(w->socket)) {
		w->socket[0] = '\0';
		return pw_err_set(err, ENAMETOOLONG,
			"cannot make wire vhost: the path of a socket in %.80s has more than %zu "
			"bytes; "
			"use a shorter directory (TMPDIR)",
			req->work_dir, sizeof(w->socket) - 1);
	}
	return 0;
}

static int open_null(struct pw_wire *w, const struct request *req, struct pw_err *err)
{
	(void)w;
	(void)req;
	(void)err;
	return 0;
}

static int open_nic(struct pw_wire *w, const struct request *req, struct pw_err *err)
{
	struct pw_wirenic nic;
	int r = pw_wirenic_query(&nic, req->nic, req->to, w->mtu, err);

	if (r)
		return r;
	snprintf(w->source_if, sizeof(w->source_if), "%s", nic.name);
	snprintf(w->pci, sizeof(w->pci), "%s", nic.pci);
	w->bifurcated = nic.bifurcated;
	w->mtu = w->mtu ? w->mtu : nic.mtu;
	memcpy(w->flow.src_mac, nic.mac, sizeof(w->flow.src_mac));
	memcpy(w->flow.dst_mac, nic.to_mac, sizeof(w->flow.dst_mac));
	w->flow.src = nic.from;
	w->flow.src.port = PORT;
	w->flow.dst = *req->to;
	if (w->flow.dst.port == 0)
		w->flow.dst.port = PORT;
	return 0;
}

int pw_wire_open(struct pw_wire *w, enum pw_wire_kind kind, const char *nic,
	const struct pw_addr *to, uint32_t mtu, const char *work_dir, struct pw_err *err)
{
	const struct request req = {.nic = nic, .to = to, .work_dir = work_dir};
	const struct kind *k = &kinds[kind];
	int r;

	assert((kind == PW_WIRE_NIC) == (nic != NULL));
	memset(w, 0, sizeof(*w));
	w->kind = kind;
	w->source_ns = -1;
	w->sink_ns = -1;
	w->mtu = mtu;
	snprintf(w->text, sizeof(w->text), kind == PW_WIRE_NIC ? "nic:%.40s" : "%s",
		kind == PW_WIRE_NIC ? nic : k->name);
	set_flow(&w->flow, SOURCE_ADDR, SINK_ADDR);
	if ((mtu < MTU_MIN && !(kind == PW_WIRE_NIC && mtu == 0)) || mtu > k->mtu_max)
		return pw_err_set(err, EINVAL,
			"cannot make wire %s: MTU %u is out of range; use %u to %u", w->text, mtu,
			MTU_MIN, k->mtu_max);
	r = k->open(w, &req, err);
	if (r)
		pw_wire_close(w);
	return r;
}

static int wait_for_device(void *arg, struct pw_err *err)
{
	const struct timespec pause = {.tv_nsec = TAP_POLL_NS};
	uint64_t deadline = pw_clock_ns() + TAP_WAIT_NS;
	const char *name = arg;

	while (if_nametoindex(name) == 0) {
		if (pw_clock_ns() > deadline)
			return pw_err_set(err, ETIMEDOUT,
				"cannot make wire tap: the sink made no interface %s in %u s", name,
				(unsigned int)(TAP_WAIT_NS / PW_NS_PER_S));
		nanosleep(&pause, NULL);
	}
	return 0;
}

int pw_wire_sink_ready(struct pw_wire *w, struct pw_err *err)
{
	int r;

	if (w->kind != PW_WIRE_TAP)
		return 0;
	r = pw_wirenet_call(w->sink_ns, wait_for_device, w->sink_if, err);
	if (r == 0)
		r = pw_wirenet_ip(w->sink_ns, -1, err, "link set dev %s mtu %u address " SOURCE_MAC,
			w->sink_if, w->mtu);
	if (r == 0)
		r = bring_up(w->sink_ns, w->sink_if, SOURCE_ADDR, SINK_ADDR, SINK_MAC, err);
	return r;
}

int pw_wire_enter(int ns, struct pw_err *err)
{
	if (ns >= 0 && setns(ns, CLONE_NEWNET))
		return pw_err_set(err, errno,
			"cannot enter the wire's network namespace: %s; run as root "
			"(CAP_SYS_ADMIN)",
			strerror(errno));
	return 0;
}

struct pw_wire_count pw_wire_between(
	const struct pw_wire_count *before, const struct pw_wire_count *after)
{
	const uint64_t queued = after->queue_packets - before->queue_packets;
	const uint64_t packets = after->packets - before->packets;
	/* some drivers (virtio_net) count a frame only when they free it, with one of the next run:
	 * what came through the queue is counted there */
	const bool by_queue = 2 * queued >= packets;

	return (struct pw_wire_count){
		.packets = by_queue ? queued : packets,
		.bytes = by_queue ? after->queue_bytes - before->queue_bytes
				  : after->bytes - before->bytes,
		.dropped = after->dropped - before->dropped,
	};
}

int pw_wire_count(const struct pw_wire *w, struct pw_wire_count *c, struct pw_err *err)
{
	struct pw_wirelink_count link;
	int r;

	memset(c, 0, sizeof(*c));
	if (w->source_if[0] == '\0')
		return pw_err_set(err, EOPNOTSUPP,
			"cannot count at wire %s: it has no interface of the kernel", w->text);
	r = pw_wirelink_count(w->source_ns, w->source_if, &link, err);
	if (r)
		return r;
	c->packets = link.tx_packets;
	c->bytes = link.tx_bytes;
	c->dropped = link.tx_dropped;
	if (w->kind == PW_WIRE_NIC) {
		/* what the queue let go, in segments; where there is no queue, or a way goes past
		 * it, the device's count stands */
		c->queue_packets = link.qdisc_packets;
		c->queue_bytes = link.qdisc_bytes;
		c->waiting = link.qdisc_waiting;
	}
	if (w->kind == PW_WIRE_SINK) {
		/* an ifb has received what it is sent; packets may go past the queue, trains are
		 * counted uncut behind it */
		c->packets = link.rx_packets;
		c->bytes = link.rx_bytes;
		c->queue_packets = link.qdisc_packets;
		c->queue_bytes = link.qdisc_bytes;
		c->dropped += link.qdisc_dropped;
	}
	return 0;
}

struct tap_search {
	const char *interface; /* NULL: any */
	char *who;
	size_t len;
	bool found;
};

/* "ALL  eth0     packet_rcv", and without an interface when it is for all of them */
static int is_tap(void *ctx, char *line)
{
	struct tap_search *s = ctx;
	char a[64], b[64];
	int n;

	if (strncmp(line, "ALL", 3) != 0)
		return 0;
	n = sscanf(line + 3, "%63s %63s", a, b);
	if (n == 2 && s->interface && strcmp(a, s->interface) != 0)
		return 0;
	snprintf(s->who, s->len, "%s", line);
	s->found = true;
	return 1;
}

/* thread-self: /proc/net is that of the process's first thread */
static int search_taps(void *arg, struct pw_err *err)
{
	(void)err;
	return pw_sysfs_each_line(NULL, "/proc/thread-self/net/ptype", is_tap, arg);
}

bool pw_wire_has_tap(const struct pw_wire *w, char *who, size_t len)
{
	struct tap_search s = {.who = who, .len = len};

	if (len)
		who[0] = '\0';
	if (w->source_if[0] == '\0')
		return false;
	if (w->kind == PW_WIRE_NIC)
		s.interface = w->source_if;
	pw_wirenet_call(w->source_ns, search_taps, &s, NULL);
	return s.found;
}

void pw_wire_close(struct pw_wire *w)
{
	if (w->socket[0])
		unlink(w->socket);
	if (w->sink_ns >= 0 && w->sink_ns != w->source_ns)
		close(w->sink_ns);
	if (w->source_ns >= 0)
		close(w->source_ns);
	w->socket[0] = '\0';
	w->source_ns = -1;
	w->sink_ns = -1;
}
