/* SPDX-License-Identifier: BSD-3-Clause */
/* Opens the interface of the frame ways, writes their frames, and decides what a failed call means. */
#include "kernel/rawtx.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/bytes.h"
#include "base/clock.h"

#define DRAIN_NS PW_NS_PER_S

int pw_rawtx_interface(struct pw_rawtx *t, struct pw_err *err)
{
	const struct pw_way_config *cfg = &t->s.cfg;
	const uint32_t ip_max = cfg->mtu + PW_ETH_LEN + PW_VLAN_LEN;
	int ret = pw_netdev_open(&t->dev, "send", cfg->interface, err);

	if (ret < 0)
		return ret;
	strcpy(t->s.peer, t->dev.name);
	t->frame_max = (uint32_t)pw_max_u64(cfg->frame_bytes, ip_max);
	return 0;
}

void pw_rawtx_finish(struct pw_rawtx *t)
{
	pw_netdev_close(&t->dev);
}

int pw_rawtx_refused(const struct pw_rawtx *t, const char *what, int code, struct pw_err *err)
{
	if (code == EPERM || code == EACCES)
		return pw_err_set(err, EPERM,
			"cannot %s on %s: only root or a program with CAP_NET_RAW may; run as "
			"root, or "
			"setcap cap_net_raw+ep on the program",
			what, t->s.peer);
	if (code == EAFNOSUPPORT || code == EPROTONOSUPPORT || code == EOPNOTSUPP)
		return pw_err_set(err, EOPNOTSUPP,
			"cannot %s on %s: this kernel was built without it; use another way", what,
			t->s.peer);
	if (code == ENODEV || code == ENXIO)
		return pw_err_set(err, ENODEV,
			"cannot %s on %s: the interface is gone; `ip -br link` lists them", what,
			t->s.peer);
	return pw_err_sys(err, code, "cannot %s on %s", what, t->s.peer);
}

int pw_rawtx_packet_socket(void *path, struct pw_err *err)
{
	struct pw_rawtx *t = path;
	struct sockaddr_ll ll = {.sll_family = AF_PACKET};
	const int on = 1;
	int ret = pw_rawtx_interface(t, err);

	if (ret < 0)
		return ret;
	/* Protocol 0: the kernel delivers nothing to this socket. */
	ll.sll_ifindex = (int)t->dev.index;
	t->s.fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (t->s.fd < 0)
		return pw_rawtx_refused(t, "open a packet socket", errno, err);
	if (bind(t->s.fd, (const struct sockaddr *)&ll, sizeof(ll)) < 0)
		return pw_rawtx_refused(t, "bind a packet socket", errno, err);
	if (t->s.cfg.qdisc_bypass &&
		setsockopt(t->s.fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on)) < 0)
		return pw_rawtx_refused(t, "bypass the qdisc", errno, err);
	return pw_sock_bound_sleep(&t->s, err);
}

void pw_rawtx_grow_sndbuf(struct pw_rawtx *t, uint64_t bytes)
{
	/* The kernel grants twice as much, and a socket is writable below half of what it grants.
	 * Without CAP_NET_ADMIN the limit is wmem_max: then the queue is shorter, which is no error. */
	pw_sock_size_buffer(t->s.fd, SO_SNDBUF, (int)pw_min_u64(bytes / 2, INT_MAX / 2), NULL);
}

bool pw_rawtx_survives(struct pw_rawtx *t, int code)
{
	const char *i = t->s.peer;

	switch (code) {
	case EAGAIN:
	case EINTR:
	case ENOBUFS: /* the qdisc, or the driver's ring, is full */
	case EBUSY:   /* AF_XDP: the driver dropped a packet */
	case ENOMEM:
		return true;
	case ENETDOWN:
		return pw_sock_break(&t->s, "interface %s is down; ip link set %s up", i, i);
	case ENXIO:
	case ENODEV:
		return pw_sock_break(&t->s, "interface %s is gone; `ip -br link` lists them", i);
	default:
		return pw_sock_break_by(&t->s, code, 0);
	}
}

bool pw_rawtx_needs_csum(const struct pw_frame_tmpl *tmpl)
{
	return tmpl->l3_len == PW_IPV6_LEN;
}

void pw_rawtx_store_csum(
	const struct pw_frame_tmpl *tmpl, uint8_t *hdr, const void *payload, size_t len)
{
	pw_be16_store(hdr + tmpl->alc_off - 2, pw_frame_udp_csum(tmpl, hdr, payload, len));
}

uint32_t pw_rawtx_write(struct pw_rawtx *t, const struct pw_symbol *sym, uint8_t *dst)
{
	const struct pw_frame_tmpl *tmpl = sym->tmpl;

	memcpy(dst, tmpl->bytes, tmpl->len);
	pw_be32_store(dst + tmpl->len - 4, sym->fec_id);
	pw_symbol_copy(dst + tmpl->len, sym);
	t->s.c.cpu_copied_bytes += sym->len;
	return (uint32_t)tmpl->len + sym->len;
}

uint32_t pw_rawtx_fill(struct pw_rawtx *t, struct pw_symbols *walk, uint8_t *dst)
{
	struct pw_symbol sym;
	uint32_t bytes;

	pw_symbols_next(walk, &sym);
	bytes = pw_rawtx_write(t, &sym, dst);
	if (pw_rawtx_needs_csum(sym.tmpl)) {
		pw_rawtx_store_csum(sym.tmpl, dst, dst + sym.tmpl->len, sym.len);
		t->s.c.cpu_read_bytes += sym.len;
	}
	return bytes;
}

uint32_t pw_rawtx_fill_copy(
	const struct pw_frame_tmpl *tmpl, const void *payload, size_t len, uint8_t *dst)
{
	memcpy(dst, tmpl->bytes, tmpl->len);
	memcpy(dst + tmpl->len, payload, len);
	if (pw_rawtx_needs_csum(tmpl))
		pw_rawtx_store_csum(tmpl, dst, payload, len);
	return (uint32_t)(tmpl->len + len);
}

uint16_t pw_rawtx_send_slots(
	void *path, const struct pw_rawtx_slots *slots, const struct pw_tx_burst *b)
{
	struct pw_sock *s = path;
	struct pw_symbols walk;
	uint16_t n = 0, k;

	pw_symbols_init(&walk, b, 0);
	while (n < b->n && !s->fault[0]) {
		k = slots->put(
			path, &walk, (uint16_t)pw_min_u64(s->cfg.batch, (uint64_t)(b->n - n)));
		if (k == 0 && (n > 0 || !slots->wait(path)))
			break;
		n = (uint16_t)(n + k);
		if (k)
			slots->kick(path);
	}
	pw_sock_account(s, b, n);
	return n;
}

uint16_t pw_rawtx_send_copy(void *path, const struct pw_rawtx_slots *slots,
	const struct pw_frame_tmpl *tmpl, const void *payload, size_t len)
{
	struct pw_rawtx *t = path;
	bool sent = false;

	if (tmpl->len + len > t->frame_max)
		pw_sock_break_by(&t->s, EMSGSIZE, 0);
	if (!t->s.fault[0])
		sent = slots->put_copy(path, tmpl, payload, len) ||
		       (slots->wait(path) && slots->put_copy(path, tmpl, payload, len));
	if (sent)
		slots->kick(path);
	return pw_sock_account_copy(&t->s, sent, tmpl, len);
}

void pw_rawtx_drain(void *path, const struct pw_rawtx_slots *slots)
{
	const uint64_t end = pw_clock_ns() + DRAIN_NS;
	struct pw_sock *s = path;

	while (!s->fault[0] && !slots->all_sent(path) && pw_clock_ns() < end) {
		slots->reap(path);
		pw_sock_nap();
	}
}

/* Checks the MTU: AF_XDP sends frames that are too long without an error. */
int pw_rawtx_attach(void *path, struct pw_tx_object *obj, struct pw_err *err)
{
	struct pw_rawtx *t = path;
	struct ifreq req = {0};
	uint64_t longest;

	assert(!obj->tmpl.udp_csum_offload);
	if (obj->blocks.transfer_len == 0)
		return 0;
	longest = obj->tmpl.len + pw_min_u64(obj->blocks.symbol_len, obj->blocks.transfer_len);
	strcpy(req.ifr_name, t->s.peer);
	if (ioctl(t->dev.ctl, SIOCGIFMTU, &req) < 0)
		return pw_rawtx_refused(t, "send", errno, err);
	if (longest - obj->tmpl.l2_len > (uint64_t)req.ifr_mtu || longest > t->frame_max)
		return pw_err_set(err, EMSGSIZE,
			"cannot send on %s: packets of %u bytes exceed its MTU of %d; raise that, "
			"or "
			"send with a smaller --mtu",
			t->s.peer, (unsigned int)(longest - obj->tmpl.l2_len), req.ifr_mtu);
	return 0;
}

bool pw_rawtx_alive(void *path)
{
	const struct pw_rawtx *t = path;
	const int up = IFF_UP | IFF_RUNNING;

	return !t->s.fault[0] && (pw_netdev_flags(&t->dev) & up) == up;
}
