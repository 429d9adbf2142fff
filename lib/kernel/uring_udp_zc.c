/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * UDP through an io_uring: a SENDMSG_ZC for each packet, a batch a submission. A packet that was
 * prepared counts as accepted: it stays in its slot, and is prepared again when the socket refused
 * it for now, until it has gone.
 *
 *   slot   | filled | in the ring | sent, its pages still read | done
 *                                 completion                   notification
 *
 * No trains: Linux 6.7 and those before it now and then answer EFAULT to a SENDMSG_ZC with a control message
 * (UDP_SEGMENT) that had to wait for room in the socket.
 *
 * A completion names slot and attempt: a send that failed is followed by a notification all the same,
 * which must not be taken for that of the attempt after it.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "host/uring.h"
#include "kernel/udpzc.h"
#include "kernel/ways.h"

#define CQ_ENTRIES   (4 * PW_UDPZC_SLOTS) /* two of each slot, and of failed attempts */
#define CLOSE_MAX_NS PW_NS_PER_S

struct uring_udp {
	struct pw_udpzc z;
	struct io_uring ring;
	bool ring_open;
	unsigned int usage; /* IORING_SEND_ZC_REPORT_USAGE where the kernel knows it */
	uint64_t n_attempts;
	uint32_t n_flying; /* whose completion is due */
	uint32_t n_idle;   /* refused for now */
	uint32_t idle[PW_UDPZC_SLOTS];
};

static void prepare(struct uring_udp *u, uint32_t number)
{
	struct pw_udpzc_slot *s = pw_udpzc_slot(&u->z, number);
	struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);

	assert(sqe); /* the ring has one for each slot */
	if (s->m.pieces > PW_UDPZC_PIECES) {
		io_uring_prep_sendmsg(sqe, u->z.t.fd, &s->m.msg, 0);
	} else {
		io_uring_prep_sendmsg_zc(sqe, u->z.t.fd, &s->m.msg, 0);
		sqe->ioprio |= (uint16_t)u->usage;
	}
	s->attempt = ++u->n_attempts;
	s->sent = false;
	s->notified = s->counted = s->copied = false;
	io_uring_sqe_set_data64(sqe, s->attempt << 32 | number);
	u->n_flying++;
}

/* A kernel that counts the small pages of a huge one finds more pieces than an skb refers to. */
static bool goes_copied(struct pw_udpzc_slot *s, int code)
{
	if (code != EMSGSIZE || s->m.pieces > PW_UDPZC_PIECES)
		return false;
	s->m.pieces = UINT16_MAX;
	return true;
}

/* Alone in the ring and no memory for it: there will be none. */
static void no_buffers(struct uring_udp *u, int code)
{
	if (u->z.head - u->z.tail > 1)
		pw_udptx_survives(&u->z.t, code);
	else
		pw_udptx_break(&u->z.t,
			"no room for one zero-copy call to %s; raise the memlock limit (ulimit -l)",
			u->z.t.peer);
}

static void note_failure(struct uring_udp *u, uint32_t number, int code)
{
	if (code == ENOBUFS || code == ENOMEM)
		no_buffers(u, code);
	else if (!goes_copied(pw_udpzc_slot(&u->z, number), code))
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
	u->z.t.c.zc_done += s->counted;
	u->z.t.c.zc_copied += s->copied;
	pw_udpzc_done(&u->z, number);
}

static uint32_t take_completions(struct uring_udp *u)
{
	struct io_uring_cqe *cqe;
	unsigned int head, n = 0;

	io_uring_for_each_cqe(&u->ring, head, cqe)
	{
		n++;
		note(u, cqe);
	}
	io_uring_cq_advance(&u->ring, n);
	return n;
}

static void submit(struct uring_udp *u)
{
	int ret = io_uring_submit(&u->ring);

	/* -EAGAIN, -EBUSY: short of memory, or of room for completions; what is prepared stays. */
	if (ret < 0 && ret != -EAGAIN && ret != -EBUSY && ret != -EINTR)
		pw_udptx_survives(&u->z.t, -ret);
}

/* What was refused goes again, or is given up with the path. */
static void retry(struct uring_udp *u)
{
	uint32_t i, n = u->n_idle;

	u->n_idle = 0;
	for (i = 0; i < n; i++)
		if (u->z.t.fault[0])
			pw_udpzc_done(&u->z, u->idle[i]);
		else
			prepare(u, u->idle[i]);
	if (n && !u->z.t.fault[0])
		submit(u);
}

static void reap(struct uring_udp *u)
{
	take_completions(u);
	retry(u);
}

/* For a completion, PW_SEND_SLEEP_NS at most. */
static void wait_completion(struct uring_udp *u)
{
	int ret;

	if (take_completions(u) == 0 && u->n_idle == 0) {
		ret = pw_uring_wait(&u->ring, 1, PW_SEND_SLEEP_NS);
		if (ret < 0 && ret != -EINTR)
			pw_udptx_survives(&u->z.t, -ret);
		take_completions(u);
	}
	retry(u);
}

/* Fills and prepares a batch; returns how many there was room for. */
static uint16_t put(struct uring_udp *u, struct pw_symbols *walk, uint16_t n)
{
	uint16_t i;

	for (i = 0; i < n && pw_udpzc_has_room(&u->z); i++) {
		struct pw_udpzc_slot *s = pw_udpzc_slot(&u->z, u->z.head);

		pw_udpmsg_fill(&s->m, &u->z.room, walk, 1);
		prepare(u, u->z.head);
		pw_udpzc_take(&u->z, walk->b->obj->win);
	}
	return i;
}

static uint16_t ops_send(void *path, const struct pw_tx_burst *b)
{
	struct uring_udp *u = path;
	struct pw_udptx *t = &u->z.t;
	struct pw_symbols walk;
	uint16_t n = 0, k;

	pw_symbols_init(&walk, b, 0);
	while (n < b->n && !t->fault[0]) {
		reap(u);
		if (!pw_udpzc_has_room(&u->z) && n == 0)
			wait_completion(u);
		k = put(u, &walk, (uint16_t)pw_min_u64(t->batch, (uint64_t)(b->n - n)));
		if (k == 0)
			break;
		n = (uint16_t)(n + k);
		submit(u);
	}
	pw_udptx_account(t, b, n);
	return n;
}

/* Not ahead of what was accepted before: a receiver may take a session's end at its word. */
static uint16_t ops_send_copy(
	void *path, const struct pw_frame_tmpl *tmpl, const void *payload, size_t len)
{
	struct uring_udp *u = path;
	struct pw_udptx *t = &u->z.t;

	if ((u->n_flying || u->n_idle) && !t->fault[0])
		wait_completion(u);
	if (u->n_flying || u->n_idle) {
		t->c.full_polls++;
		return 0;
	}
	return pw_udptx_send_copy(path, tmpl, payload, len);
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
	.name = "uring_udp_zc",
	.attach = pw_udptx_attach,
	.detach = ops_detach,
	.send = ops_send,
	.send_copy = ops_send_copy,
	.reap = ops_reap,
	.alive = pw_udptx_alive,
	.fault = pw_udptx_fault,
	.outstanding = pw_udpzc_outstanding,
	.counters = pw_udptx_counters,
};

/* Closing the ring cancels what waits for room in the socket. */
static void way_close(void *path)
{
	const uint64_t end = pw_clock_ns() + CLOSE_MAX_NS;
	struct uring_udp *u = path;

	if (!u)
		return;
	while (u->z.n_out && !u->z.t.fault[0] && pw_clock_ns() < end)
		wait_completion(u);
	if (u->ring_open)
		io_uring_queue_exit(&u->ring);
	pw_udpzc_close(&u->z);
	free(u);
}

static int open_ring(struct uring_udp *u, const struct pw_way_config *cfg, struct pw_err *err)
{
	const struct pw_uring_want want = {
		.sq_entries = PW_UDPZC_SLOTS,
		.cq_entries = CQ_ENTRIES,
		.sqpoll = cfg->sqpoll,
		.op = IORING_OP_SENDMSG_ZC,
		.op_name = "IORING_OP_SENDMSG_ZC",
		.since = "6.1",
	};
	int ret = pw_uring_open(&u->ring, &want, err);

	if (ret < 0)
		return ret;
	u->ring_open = true;
	if (pw_uring_reports_copies(&u->ring))
		u->usage = IORING_SEND_ZC_REPORT_USAGE;
	else
		pw_warn(cfg->log, "whether SENDMSG_ZC copied is not known; Linux 6.2 tells");
	return 0;
}

static int way_open(void **path, const struct pw_way_config *cfg, struct pw_err *err)
{
	struct uring_udp *u = calloc(1, sizeof(*u));
	int ret;

	*path = NULL;
	if (!u)
		return pw_err_sys(err, ENOMEM, "open uring_udp_zc");
	u->z.t.fd = -1;
	ret = open_ring(u, cfg, err);
	if (ret == 0)
		ret = pw_udpzc_open(&u->z, cfg, err);
	if (ret < 0) {
		way_close(u);
		return ret;
	}
	u->z.room.datagrams = 1;
	*path = u;
	return 0;
}

const struct pw_way pw_way_uring_udp_zc = {
	.name = "uring_udp_zc",
	.summary = "io_uring: batches of SENDMSG_ZC of header and pages, a packet each",
	.kind = PW_WAY_DATAGRAM,
	.open = way_open,
	.close = way_close,
	.packets = &ops,
};
