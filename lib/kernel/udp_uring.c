/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The datagram ways through an io_uring, a batch of SENDMSG_ZC in a submission: uring_udp_zc, a call for each
 * packet, and uring_sendmsg_zc, a call for a train of packets (UDP_SEGMENT), from registered memory where the
 * kernel can. A packet counts as accepted when it is prepared: it stays in its slot, and is prepared again
 * when the socket has no room for it, until it is sent.
 *
 *   slot   | filled | in the ring | sent, its pages still read | done
 *                                 completion                   notification
 *
 * Trains need Linux 6.8: before it, a SENDMSG_ZC with a control message (UDP_SEGMENT) that had to wait for
 * room in the socket sometimes fails with EFAULT.
 *
 * A completion names slot and attempt: a failed send also has a notification, which must not be taken
 * for that of the next attempt.
 */
#include <assert.h>
#include <errno.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "kernel/fixed.h"
#include "kernel/ring.h"
#include "kernel/udp_zerocopy.h"
#include "kernel/ways.h"

#define CQ_ENTRIES (4 * PW_UDPZC_SLOTS) /* two for each slot, and for failed attempts */
/* IORING_OP_FIXED_FD_INSTALL, which came with Linux 6.8. liburing 2.3 does not name it. */
#define OP_OF_LINUX_6_8 ((enum io_uring_op)54)

struct uring_udp {
	struct pw_udpzc z;
	struct pw_ring ring;
	struct pw_fixed fixed;
	uint64_t n_attempts;
	uint32_t n_flying; /* slots whose completion is due */
	uint32_t n_idle;   /* slots to prepare again: idle[] */
	uint32_t idle[PW_UDPZC_SLOTS];
};

static void prepare(struct uring_udp *u, uint32_t number)
{
	struct pw_udpzc_slot *s = pw_udpzc_slot(&u->z, number);
	struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring.uring);

	assert(sqe); /* the ring has one for each slot */
	if (s->m.pieces > PW_UDPZC_PIECES) {
		io_uring_prep_sendmsg(sqe, u->z.t.s.fd, &s->m.msg, 0);
	} else {
		io_uring_prep_sendmsg_zc(sqe, u->z.t.s.fd, &s->m.msg, 0);
		sqe->ioprio |= (uint16_t)u->ring.usage;
		sqe->ioprio |= u->fixed.is_on ? IORING_RECVSEND_FIXED_BUF : 0; /* number 0 */
	}
	s->attempt = ++u->n_attempts;
	s->sent = false;
	s->notified = s->counted = s->copied = false;
	io_uring_sqe_set_data64(sqe, s->attempt << 32 | number);
	u->n_flying++;
}

/* A kernel that counts the small pages of a huge page finds more pieces than an skb can refer to: the
 * next attempt copies. */
static bool needs_copy(struct pw_udpzc_slot *s, int code)
{
	if (code != EMSGSIZE || s->m.pieces > PW_UDPZC_PIECES)
		return false;
	s->m.pieces = UINT16_MAX;
	return true;
}

/* If the only message in flight gets no memory, no other message will free memory. */
static void no_buffers(struct uring_udp *u, int code)
{
	if (u->z.head - u->z.tail > 1)
		pw_udptx_survives(&u->z.t, code);
	else
		pw_sock_break(&u->z.t.s,
			"no memory for one zero-copy call to %s; raise the memlock limit (ulimit "
			"-l)",
			u->z.t.s.peer);
}

static void note_failure(struct uring_udp *u, uint32_t number, int code)
{
	if (code == ENOBUFS || code == ENOMEM)
		no_buffers(u, code);
	else if (!needs_copy(pw_udpzc_slot(&u->z, number), code))
		pw_udptx_survives(&u->z.t, code);
	u->idle[u->n_idle++] = number;
}

static void note_notification(struct pw_udpzc_slot *s, const struct io_uring_cqe *cqe)
{
	s->notified = true;
	s->counted = true;
	s->copied = (uint32_t)cqe->res & IORING_NOTIF_USAGE_ZC_COPIED;
}

static void note_sent(struct uring_udp *u, uint32_t number, const struct io_uring_cqe *cqe)
{
	struct pw_udpzc_slot *s = pw_udpzc_slot(&u->z, number);

	u->n_flying--;
	if (cqe->res < 0) {
		s->attempt = 0;
		note_failure(u, number, -cqe->res);
		return;
	}
	s->sent = true;
	if (!(cqe->flags & IORING_CQE_F_MORE))
		s->notified = true;
}

static void note(struct uring_udp *u, const struct io_uring_cqe *cqe)
{
	const uint32_t number = (uint32_t)cqe->user_data;
	struct pw_udpzc_slot *s = pw_udpzc_slot(&u->z, number);

	if (!(cqe->flags & IORING_CQE_F_NOTIF))
		note_sent(u, number, cqe);
	else if ((uint32_t)(cqe->user_data >> 32) == (uint32_t)s->attempt)
		note_notification(s, cqe);
	if (!s->sent || !s->notified || s->done)
		return;
	u->z.t.s.c.zc_done += s->counted;
	u->z.t.s.c.zc_copied += s->copied;
	pw_udpzc_done(&u->z, number);
}

static uint32_t take_completions(struct uring_udp *u)
{
	struct io_uring_cqe *cqe;
	unsigned int head, n = 0;

	io_uring_for_each_cqe(&u->ring.uring, head, cqe)
	{
		n++;
		note(u, cqe);
	}
	io_uring_cq_advance(&u->ring.uring, n);
	return n;
}

static void submit(struct uring_udp *u)
{
	int ret = io_uring_submit(&u->ring.uring);

	/* -EAGAIN, -EBUSY: no memory, or no room for completions; what is prepared stays prepared. */
	if (ret < 0 && ret != -EAGAIN && ret != -EBUSY && ret != -EINTR)
		pw_udptx_survives(&u->z.t, -ret);
}

/* Prepares the idle slots again, or drops them when the path is broken. */
static void retry(struct uring_udp *u)
{
	uint32_t i, n = u->n_idle;

	u->n_idle = 0;
	for (i = 0; i < n; i++)
		if (u->z.t.s.fault[0])
			pw_udpzc_done(&u->z, u->idle[i]);
		else
			prepare(u, u->idle[i]);
	if (n && !u->z.t.s.fault[0])
		submit(u);
}

static void reap(struct uring_udp *u)
{
	take_completions(u);
	retry(u);
}

/* Waits for a completion, PW_SEND_SLEEP_NS at most. */
static void wait_completion(struct uring_udp *u)
{
	int ret;

	if (take_completions(u) == 0 && u->n_idle == 0) {
		ret = pw_uring_wait(&u->ring.uring, 1, PW_SEND_SLEEP_NS);
		if (ret < 0 && ret != -EINTR)
			pw_udptx_survives(&u->z.t, -ret);
		take_completions(u);
	}
	retry(u);
}

/* Fills slots with up to n datagrams and prepares them; returns how many there was room for. */
static uint16_t put(struct uring_udp *u, struct pw_symbols *walk, uint16_t n)
{
	uint16_t i = 0;

	while (i < n && pw_udpzc_has_room(&u->z)) {
		struct pw_udpzc_slot *s = pw_udpzc_slot(&u->z, u->z.head);

		pw_udpmsg_fill(&s->m, &u->z.room, walk, (uint16_t)(n - i));
		i = (uint16_t)(i + s->m.n);
		prepare(u, u->z.head);
		pw_udpzc_take(&u->z, walk->b->obj->win);
	}
	return i;
}

static uint16_t ops_send(void *path, const struct pw_tx_burst *b)
{
	struct uring_udp *u = path;
	struct pw_sock *s = &u->z.t.s;
	struct pw_symbols walk;
	uint16_t n = 0, k;

	pw_symbols_init(&walk, b, 0);
	if (u->fixed.is_on)
		walk.extent = &u->fixed.whole;
	while (n < b->n && !s->fault[0]) {
		reap(u);
		if (!pw_udpzc_has_room(&u->z) && n == 0)
			wait_completion(u);
		k = put(u, &walk, (uint16_t)pw_min_u64(s->cfg.batch, (uint64_t)(b->n - n)));
		if (k == 0)
			break;
		n = (uint16_t)(n + k);
		submit(u);
	}
	pw_sock_account(s, b, n);
	return n;
}

/* Waits until what was accepted before is sent: a receiver may end with the session's last packet. */
static uint16_t ops_send_copy(
	void *path, const struct pw_frame_tmpl *tmpl, const void *payload, size_t len)
{
	struct uring_udp *u = path;
	struct pw_sock *s = &u->z.t.s;

	if ((u->n_flying || u->n_idle) && !s->fault[0])
		wait_completion(u);
	if (u->n_flying || u->n_idle) {
		s->c.full_polls++;
		return 0;
	}
	return pw_udptx_send_copy(path, tmpl, payload, len);
}

static int ops_attach(void *path, struct pw_tx_object *obj, struct pw_err *err)
{
	struct uring_udp *u = path;
	int ret = 0;

	if (u->fixed.is_on)
		ret = pw_beside_check(&u->fixed.b, obj->win, u->z.t.s.way->name, err);
	return ret < 0 ? ret : pw_udptx_attach(path, obj, err);
}

static int ops_detach(void *path, struct pw_tx_object *obj)
{
	if (obj->win->n_out)
		reap(path);
	return obj->win->n_out ? -EBUSY : 0;
}

static void ops_reap(void *path)
{
	reap(path);
}

static int uring_socket(void *path, struct pw_err *err)
{
	struct uring_udp *u = path;
	const bool trains = u->z.t.s.way->gso;
	const struct pw_uring_want want = {
		.sq_entries = PW_UDPZC_SLOTS,
		.cq_entries = CQ_ENTRIES,
		.sqpoll = u->z.t.s.cfg.sqpoll,
		.op = trains ? OP_OF_LINUX_6_8 : IORING_OP_SENDMSG_ZC,
		.op_name = trains ? "IORING_OP_SENDMSG_ZC for trains" : "IORING_OP_SENDMSG_ZC",
		.since = trains ? "6.8" : "6.1",
	};
	int ret = pw_ring_open(&u->ring, &want, true, u->z.t.s.cfg.log, err);

	return ret < 0 ? ret : pw_udptx_socket(path, err);
}

/* The headers have to be in the registered memory, beside the file. */
static int sendmsg_init(void *path, struct pw_err *err)
{
	struct uring_udp *u = path;
	int ret = pw_udpzc_init(path, err);

	if (ret == 0)
		ret = pw_fixed_open(&u->fixed, &u->ring, &u->z.t.s.cfg, PW_UDPZC_HEADERS,
			u->z.t.s.way->name, err);
	if (ret == 0 && u->fixed.is_on)
		pw_udpzc_place_headers(&u->z, u->fixed.b.area);
	return ret;
}

/* Closing the ring cancels sends that wait for room in the socket. */
static void uring_finish(void *path)
{
	const uint64_t end = pw_clock_ns() + PW_UDPZC_CLOSE_NS;
	struct uring_udp *u = path;

	while (u->z.n_out && !u->z.t.s.fault[0] && pw_clock_ns() < end)
		wait_completion(u);
	pw_ring_close(&u->ring);
	pw_fixed_close(&u->fixed);
	pw_udpzc_finish(&u->z);
}

static const struct pw_tx_ops ops = {
	.name = "uring_udp",
	.attach = ops_attach,
	.detach = ops_detach,
	.send = ops_send,
	.send_copy = ops_send_copy,
	.reap = ops_reap,
	.alive = pw_sock_alive,
	.fault = pw_sock_fault,
	.outstanding = pw_udpzc_outstanding,
	.counters = pw_sock_counters,
};

const struct pw_way pw_way_uring_udp_zc = {
	.name = "uring_udp_zc",
	.summary = "io_uring: batches of SENDMSG_ZC of header and page, a packet each",
	.kind = PW_WAY_DATAGRAM,
	.zerocopy = true,
	.path_bytes = sizeof(struct uring_udp),
	.socket = uring_socket,
	.init = pw_udpzc_init,
	.finish = uring_finish,
	.packets = &ops,
};

const struct pw_way pw_way_uring_sendmsg_zc = {
	.name = "uring_sendmsg_zc",
	.summary =
		"io_uring: batches of SENDMSG_ZC with UDP_SEGMENT, from registered memory where it "
		"can be",
	.kind = PW_WAY_DATAGRAM,
	.zerocopy = true,
	.gso = true,
	.maps_file = true,
	.path_bytes = sizeof(struct uring_udp),
	.socket = uring_socket,
	.init = sendmsg_init,
	.finish = uring_finish,
	.packets = &ops,
};
