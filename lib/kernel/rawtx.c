/* SPDX-License-Identifier: BSD-3-Clause */
#include "kernel/rawtx.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#define NAP_NS 50000

int pw_rawtx_init(struct pw_rawtx *t, const struct pw_way_config *cfg, struct pw_err *err)
{
	const uint32_t ip_max = cfg->mtu + PW_ETH_LEN + PW_VLAN_LEN;

	*t = (struct pw_rawtx){.fd = -1, .ctl = -1};
	if (!cfg->interface || strlen(cfg->interface) >= sizeof(t->ifname))
		return pw_err_set(err, EINVAL,
			"send frames: no interface is named; `ip -br link` lists those there are");
	strcpy(t->ifname, cfg->interface);
	t->batch = (uint32_t)pw_max_u64(1, pw_min_u64(cfg->batch, PW_BURST));
	t->frame_max = (uint32_t)pw_max_u64(cfg->frame_bytes, ip_max);
	t->ifindex = if_nametoindex(t->ifname);
	if (t->ifindex == 0)
		return pw_err_set(err, ENODEV,
			"send on interface %s: there is none of that name; `ip -br link` lists "
			"them",
			t->ifname);
	t->ctl = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (t->ctl < 0)
		return pw_err_sys(err, errno, "send on interface %s: open a socket", t->ifname);
	return 0;
}

void pw_rawtx_finish(struct pw_rawtx *t)
{
	if (t->fd >= 0)
		close(t->fd);
	if (t->ctl >= 0)
		close(t->ctl);
	t->fd = t->ctl = -1;
}

int pw_rawtx_refused(const struct pw_rawtx *t, const char *what, int code, struct pw_err *err)
{
	if (code == EPERM || code == EACCES)
		return pw_err_set(err, EPERM,
			"%s on %s: only root, or who has CAP_NET_RAW, may; run as root, or "
			"setcap cap_net_raw+ep on the program",
			what, t->ifname);
	if (code == EAFNOSUPPORT || code == EPROTONOSUPPORT || code == EOPNOTSUPP)
		return pw_err_set(err, EOPNOTSUPP,
			"%s on %s: this kernel was built without it; use another way", what,
			t->ifname);
	if (code == ENODEV || code == ENXIO)
		return pw_err_set(err, ENODEV,
			"%s on %s: the interface is gone; `ip -br link` lists those there are",
			what, t->ifname);
	return pw_err_sys(err, code, "%s on %s", what, t->ifname);
}

int pw_rawtx_packet_socket(struct pw_rawtx *t, const struct pw_way_config *cfg, struct pw_err *err)
{
	const struct timeval sleep = {.tv_usec = PW_SEND_SLEEP_NS / 1000};
	/* Protocol 0: the kernel hands this socket nothing. */
	const struct sockaddr_ll ll = {.sll_family = AF_PACKET, .sll_ifindex = (int)t->ifindex};
	const int on = 1;

	t->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (t->fd < 0)
		return pw_rawtx_refused(t, "open a packet socket", errno, err);
	if (bind(t->fd, (const struct sockaddr *)&ll, sizeof(ll)) < 0)
		return pw_rawtx_refused(t, "bind a packet socket", errno, err);
	if (cfg->qdisc_bypass &&
		setsockopt(t->fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on)) < 0)
		return pw_rawtx_refused(t, "bypass the qdisc", errno, err);
	if (setsockopt(t->fd, SOL_SOCKET, SO_SNDTIMEO, &sleep, sizeof(sleep)) < 0)
		return pw_err_sys(err, errno, "bound a packet socket's sleep on %s", t->ifname);
	return 0;
}

void pw_rawtx_grow_sndbuf(struct pw_rawtx *t, uint64_t bytes)
{
	/* The kernel grants twice that, and calls the socket writable below a half of the grant. */
	int want = (int)pw_min_u64(bytes / 2, INT_MAX / 2);

	/* Only CAP_NET_ADMIN goes beyond wmem_max; with less the queue is shorter, that is all. */
	if (setsockopt(t->fd, SOL_SOCKET, SO_SNDBUFFORCE, &want, sizeof(want)) < 0)
		setsockopt(t->fd, SOL_SOCKET, SO_SNDBUF, &want, sizeof(want));
}

static bool set_fault(struct pw_rawtx *t, int code)
{
	struct pw_err err = {0};
	const char *i = t->ifname;

	if (t->fault[0]) /* the first one is the cause */
		return false;
	if (code == ENETDOWN)
		pw_err_set(&err, code, "interface %s is down; ip link set %s up", i, i);
	else if (code == ENXIO || code == ENODEV)
		pw_err_set(
			&err, code, "interface %s is gone; `ip -br link` lists those there are", i);
	else if (code == EMSGSIZE)
		pw_err_set(&err, code,
			"a packet is longer than the MTU of %s; raise that, or send with a "
			"smaller --mtu",
			i);
	else if (code == EFAULT)
		pw_err_set(&err, code,
			"the file's pages cannot be read: it was truncated while it was being "
			"sent; send it again");
	else
		pw_err_sys(&err, code, "interface %s takes no packets", i);
	memcpy(t->fault, err.msg, sizeof(t->fault));
	return false;
}

bool pw_rawtx_survives(struct pw_rawtx *t, int code)
{
	switch (code) {
	case EAGAIN:
	case EINTR:
	case ENOBUFS: /* the qdisc, or the driver's ring, is full */
	case EBUSY:   /* AF_XDP: the driver dropped a packet */
	case ENOMEM:
		return true;
	default:
		return set_fault(t, code);
	}
}

void pw_rawtx_nap(void)
{
	nanosleep(&(struct timespec){.tv_nsec = NAP_NS}, NULL);
}

void pw_rawtx_wait_writable(struct pw_rawtx *t)
{
	struct pollfd p = {.fd = t->fd, .events = POLLOUT};

	poll(&p, 1, (int)(PW_SEND_SLEEP_NS / 1000000));
}

bool pw_rawtx_needs_csum(const struct pw_frame_tmpl *tmpl)
{
	return tmpl->l3_len == PW_IPV6_LEN;
}

/* The payload is in place behind its header. */
static void checksum(
	struct pw_rawtx *t, const struct pw_frame_tmpl *tmpl, uint8_t *frame, size_t len)
{
	if (!pw_rawtx_needs_csum(tmpl))
		return;
	pw_be16_store(
		frame + tmpl->alc_off - 2, pw_frame_udp_csum(tmpl, frame, frame + tmpl->len, len));
	t->c.cpu_read_bytes += len;
}

uint32_t pw_rawtx_fill(struct pw_rawtx *t, struct pw_symbols *walk, uint8_t *dst)
{
	const struct pw_frame_tmpl *tmpl;
	struct pw_symbol sym;

	pw_symbols_next(walk, &sym);
	tmpl = sym.tmpl;
	memcpy(dst, tmpl->bytes, tmpl->len);
	pw_be32_store(dst + tmpl->len - 4, sym.fec_id);
	pw_symbol_copy(dst + tmpl->len, &sym);
	checksum(t, tmpl, dst, sym.len);
	t->c.cpu_copied_bytes += sym.len;
	return (uint32_t)tmpl->len + sym.len;
}

uint32_t pw_rawtx_fill_copy(struct pw_rawtx *t, const struct pw_frame_tmpl *tmpl,
	const void *payload, size_t len, uint8_t *dst)
{
	const uint64_t read = t->c.cpu_read_bytes;

	memcpy(dst, tmpl->bytes, tmpl->len);
	memcpy(dst + tmpl->len, payload, len);
	checksum(t, tmpl, dst, len);
	t->c.cpu_read_bytes = read; /* no file's bytes */
	return (uint32_t)(tmpl->len + len);
}

bool pw_rawtx_fits(struct pw_rawtx *t, const struct pw_frame_tmpl *tmpl, size_t len)
{
	return tmpl->len + len <= t->frame_max || set_fault(t, EMSGSIZE);
}

void pw_rawtx_account(struct pw_rawtx *t, const struct pw_tx_burst *b, uint16_t n)
{
	uint64_t bytes;

	if (n == 0) {
		t->c.full_polls++;
		return;
	}
	bytes = pw_symbols_bytes(b, n);
	t->c.packets += n;
	t->c.payload_bytes += bytes;
	t->c.wire_bytes += bytes + (uint64_t)n * b->obj->tmpl.len;
}

void pw_rawtx_account_copy(struct pw_rawtx *t, const struct pw_frame_tmpl *tmpl, size_t len)
{
	t->c.packets++;
	t->c.wire_bytes += tmpl->len + len;
}

uint16_t pw_rawtx_send_slots(
	void *path, const struct pw_rawtx_slots *slots, const struct pw_tx_burst *b)
{
	struct pw_rawtx *t = path;
	struct pw_symbols walk;
	uint16_t n = 0, k;

	pw_symbols_init(&walk, b, 0);
	while (n < b->n && !t->fault[0]) {
		k = slots->put(path, &walk, (uint16_t)pw_min_u64(t->batch, (uint64_t)(b->n - n)));
		if (k == 0 && (n > 0 || !slots->wait(path)))
			break;
		n = (uint16_t)(n + k);
		if (k)
			slots->kick(path);
	}
	pw_rawtx_account(t, b, n);
	return n;
}

/* AF_XDP sends what is too long without a word, so it is asked before. */
int pw_rawtx_attach(void *path, struct pw_tx_object *obj, struct pw_err *err)
{
	struct pw_rawtx *t = path;
	struct ifreq req = {0};
	uint64_t longest;

	assert(!obj->tmpl.udp_csum_offload);
	if (obj->blocks.transfer_len == 0)
		return 0;
	longest = obj->tmpl.len + pw_min_u64(obj->blocks.symbol_len, obj->blocks.transfer_len);
	strcpy(req.ifr_name, t->ifname);
	if (ioctl(t->ctl, SIOCGIFMTU, &req) < 0)
		return pw_rawtx_refused(t, "send", errno, err);
	if (longest - obj->tmpl.l2_len > (uint64_t)req.ifr_mtu || longest > t->frame_max)
		return pw_err_set(err, EMSGSIZE,
			"send on %s: packets of %u bytes do not fit its MTU of %d; raise that, or "
			"send with a smaller --mtu",
			t->ifname, (unsigned int)(longest - obj->tmpl.l2_len), req.ifr_mtu);
	return 0;
}

int pw_rawtx_detach(void *path, struct pw_tx_object *obj)
{
	(void)path;
	(void)obj;
	return 0;
}

bool pw_rawtx_alive(void *path)
{
	struct pw_rawtx *t = path;
	struct ifreq req = {.ifr_ifindex = (int)t->ifindex};

	/* By its index: another one may have got the name. */
	if (t->fault[0] || ioctl(t->ctl, SIOCGIFNAME, &req) < 0 ||
		ioctl(t->ctl, SIOCGIFFLAGS, &req) < 0)
		return false;
	return (req.ifr_flags & (IFF_UP | IFF_RUNNING)) == (IFF_UP | IFF_RUNNING);
}

const char *pw_rawtx_fault(void *path)
{
	struct pw_rawtx *t = path;

	return t->fault[0] ? t->fault : NULL;
}

uint32_t pw_rawtx_outstanding(void *path)
{
	(void)path;
	return 0;
}

const struct pw_tx_counters *pw_rawtx_counters(void *path)
{
	return &((struct pw_rawtx *)path)->c;
}
