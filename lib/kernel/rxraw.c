/* SPDX-License-Identifier: BSD-3-Clause */
/* What the receivers of frames share: the interface, and the search for our packets. */
#include "kernel/rxraw.h"

#include <errno.h>
#include <net/if.h>
#include <unistd.h>

int pw_rxraw_open(struct pw_rxraw *r, const struct pw_rx_way_config *cfg, struct pw_err *err)
{
	r->fd = -1;
	r->listen = cfg->listen;
	r->mtu = cfg->mtu;
	return pw_netdev_open(&r->dev, "receive", cfg->interface, err);
}

void pw_rxraw_close(struct pw_rxraw *r)
{
	if (r->fd >= 0)
		close(r->fd);
	r->fd = -1;
	pw_netdev_close(&r->dev);
}

int pw_rxraw_refused(const struct pw_rxraw *r, const char *what, int code, struct pw_err *err)
{
	if (code == EPERM || code == EACCES)
		return pw_err_set(err, EPERM,
			"cannot %s on %s: only root or a program with CAP_NET_RAW may; run as root",
			what, r->dev.name);
	if (code == EAFNOSUPPORT || code == EPROTONOSUPPORT || code == EOPNOTSUPP || code == ENOSYS)
		return pw_err_set(err, EOPNOTSUPP,
			"cannot %s on %s: this kernel was built without it; receive in another way",
			what, r->dev.name);
	return pw_err_sys(err, code, "cannot %s on %s", what, r->dev.name);
}

/* A frame whose headers differ from those of the last one for us. A checksum field with only the pseudo header's
 * sum is taken: the sender left the rest to a NIC that the frame has not passed, as over veth. */
static bool take_new(
	struct pw_rxraw *r, const uint8_t *frame, size_t len, bool verify, struct pw_rx_view *view)
{
	struct pw_frame_view f;
	const enum pw_frame_verdict v = pw_frame_parse(frame, len, verify, &f);
	const bool partial = v == PW_FRAME_CHECKSUM && f.checksum_partial;

	if (v == PW_FRAME_NOT_IP || v == PW_FRAME_NOT_UDP) {
		r->c.foreign++;
		return false;
	}
	if (v != PW_FRAME_OK && !partial) {
		r->c.malformed++;
		r->c.bad_checksum += v == PW_FRAME_CHECKSUM;
		return false;
	}
	if (f.dst.port != r->listen.port || !pw_addr_equal_host(&f.dst, &r->listen)) {
		r->c.foreign++;
		return false;
	}
	if (f.payload_len == 0)
		return false;
	r->c.partial_checksum += partial;
	pw_frame_remember(&r->memo, frame, len, &f);
	r->from = pw_host_key(&f.src);
	*view = (struct pw_rx_view){.data = f.payload, .len = f.payload_len, .from = r->from};
	return true;
}

bool pw_rxraw_take(
	struct pw_rxraw *r, const uint8_t *frame, size_t len, bool verify, struct pw_rx_view *view)
{
	const uint8_t *payload = pw_frame_same(&r->memo, frame, len, verify);

	if (!payload)
		return take_new(r, frame, len, verify, view);
	*view = (struct pw_rx_view){.data = payload, .len = r->memo.payload_len, .from = r->from};
	return true;
}

void pw_rxraw_cut(struct pw_rxraw *r, uint32_t ip_len)
{
	r->c.packets++;
	r->c.malformed++;
	r->c.too_long++;
	if (ip_len > r->c.longest)
		r->c.longest = ip_len;
}

bool pw_rxraw_alive(void *path)
{
	const struct pw_rxraw *r = path;

	return pw_netdev_flags(&r->dev) & IFF_UP;
}
