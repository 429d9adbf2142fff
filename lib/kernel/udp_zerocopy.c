/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * UDP with MSG_ZEROCOPY: the skb refers to headers and pages where they lie, until the socket's error
 * queue tells that it is gone.
 *
 * With UDP_SEGMENT, too: pinning pages, an entry in the error queue and the way down the stack are
 * paid once a train, and whoever sends without copies would not pay them once a packet. A train is
 * short, though: an skb refers to 17 pieces of pages, and each packet needs one for its header and one
 * or two for its symbol.
 *
 * No IP_RECVERR: with it a full queueing discipline answers ENOBUFS after the kernel has counted the
 * message, without it ENOBUFS always comes before, and numbers of messages stay ours to count.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "kernel/udpzc.h"
#include "kernel/ways.h"
#include "kernel/zcqueue.h"

#define REAP_EVERY   16 /* messages */
#define CLOSE_MAX_NS PW_NS_PER_S

static void note_range(void *ctx, uint32_t first, uint32_t last)
{
	uint32_t n = last - first + 1;

	for (; n; n--)
		pw_udpzc_done(ctx, first++);
}

static uint64_t reap(struct pw_udpzc *z)
{
	return pw_zcqueue_each(z->t.fd, &z->t.c, note_range, z);
}

/* Waits for a completion, PW_SEND_SLEEP_NS at most. */
static void wait_completion(struct pw_udpzc *z)
{
	if (reap(z))
		return;
	pw_zcqueue_wait(z->t.fd, PW_SEND_SLEEP_NS);
	reap(z);
}

/* Completions not yet read use up net.core.optmem_max, pages in flight RLIMIT_MEMLOCK; both come
 * back with the completions. */
static void no_buffers(struct pw_udpzc *z)
{
	if (z->head != z->tail)
		wait_completion(z);
	else
		pw_udptx_break(&z->t,
			"no room for one zero-copy call to %s; raise net.core.optmem_max or the "
			"memlock limit (ulimit -l)",
			z->t.peer);
}

/* The head slot's message; false when it did not go. */
static bool send_message(struct pw_udpzc *z, struct pw_window *win)
{
	const struct pw_udpmsg *m = &pw_udpzc_slot(z, z->head)->m;
	bool too_many = m->pieces > PW_UDPZC_PIECES;

	if (!too_many) {
		if (sendmsg(z->t.fd, &m->msg, MSG_ZEROCOPY) >= 0) {
			pw_udpzc_take(z, win);
			return true;
		}
		/* Kernels before 5.10 count the small pages of a huge one. */
		too_many = errno == EMSGSIZE;
	}
	/* Then it is copied, and has no number. */
	if (too_many && sendmsg(z->t.fd, &m->msg, 0) >= 0)
		return true;
	if (errno == ENOBUFS)
		no_buffers(z);
	else
		pw_udptx_survives(&z->t, errno);
	return false;
}

static uint16_t ops_send(void *path, const struct pw_tx_burst *b)
{
	struct pw_udpzc *z = path;
	struct pw_symbols walk;
	uint16_t n = 0;

	pw_symbols_init(&walk, b, 0);
	while (n < b->n && !z->t.fault[0]) {
		struct pw_udpmsg *m = &pw_udpzc_slot(z, z->head)->m;

		if (z->head % REAP_EVERY == 0)
			reap(z);
		if (!pw_udpzc_has_room(z))
			wait_completion(z);
		if (!pw_udpzc_has_room(z))
			break;
		pw_udpmsg_fill(m, &z->room, &walk, (uint16_t)(b->n - n));
		if (!send_message(z, b->obj->win))
			break;
		n = (uint16_t)(n + m->n);
		/* What is left is offered again with more behind it: trains stay long. */
		if (b->n - n < m->n)
			break;
	}
	pw_udptx_account(&z->t, b, n);
	return n;
}

static int ops_detach(void *path, struct pw_tx_object *obj)
{
	if (obj->win->n_out)
		reap(path);
	return pw_udpzc_detach(path, obj);
}

static void ops_reap(void *path)
{
	reap(path);
}

static const struct pw_tx_ops ops = {
	.name = "udp_zerocopy",
	.attach = pw_udptx_attach,
	.detach = ops_detach,
	.send = ops_send,
	.send_copy = pw_udptx_send_copy,
	.reap = ops_reap,
	.alive = pw_udptx_alive,
	.fault = pw_udptx_fault,
	.outstanding = pw_udpzc_outstanding,
	.counters = pw_udptx_counters,
};

static void way_close(void *path)
{
	const uint64_t end = pw_clock_ns() + CLOSE_MAX_NS;
	struct pw_udpzc *z = path;

	if (!z)
		return;
	while (z->n_out && !z->t.fault[0] && pw_clock_ns() < end)
		wait_completion(z);
	pw_udpzc_close(z);
	free(z);
}

static int way_open(void **path, const struct pw_way_config *cfg, struct pw_err *err)
{
	struct pw_udpzc *z = calloc(1, sizeof(*z));
	int ret;

	*path = NULL;
	if (!z)
		return pw_err_sys(err, ENOMEM, "open udp_zerocopy");
	ret = pw_udpzc_open(z, cfg, err);
	if (ret == 0)
		ret = pw_udptx_need_gso(&z->t, err);
	if (ret == 0)
		ret = pw_zcqueue_enable(z->t.fd, err);
	if (ret < 0) {
		way_close(z);
		return ret;
	}
	*path = z;
	return 0;
}

const struct pw_way pw_way_udp_zerocopy = {
	.name = "udp_zerocopy",
	.summary = "sendmsg() with MSG_ZEROCOPY and UDP_SEGMENT of headers and pages, 17 pieces a "
		   "call",
	.kind = PW_WAY_DATAGRAM,
	.open = way_open,
	.close = way_close,
	.packets = &ops,
};
