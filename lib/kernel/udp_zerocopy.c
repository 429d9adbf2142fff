/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The datagram way udp_zerocopy, and the slots that it shares with uring_udp_zc. MSG_ZEROCOPY: the skb
 * refers to headers and pages in place, until the socket's error queue reports that they are free.
 *
 * It also uses UDP_SEGMENT: pinning pages, the entry in the error queue and the way down the stack cost once
 * for a train, and a program that sends without copies would not pay them for each packet. A train is
 * short, because an skb can refer to 17 pieces of pages, and each packet needs one for its header and one
 * or two for its symbol.
 *
 * It does not use IP_RECVERR: with it, a full queueing discipline returns ENOBUFS after the kernel has
 * counted the message. Without it ENOBUFS always comes before, so the numbers of messages stay in step
 * with the kernel's.
 */
#include "kernel/udp_zerocopy.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "kernel/ways.h"
#include "kernel/zcqueue.h"

#define REAP_EVERY 16 /* messages */

void pw_udpzc_place_headers(struct pw_udpzc *z, uint8_t *headers)
{
	const size_t slot_bytes = PW_UDPZC_HEADERS / PW_UDPZC_SLOTS;
	size_t i;

	for (i = 0; i < PW_UDPZC_SLOTS; i++) {
		pw_udpmsg_init(&z->slots[i].m, z->slots[i].iov, headers + i * slot_bytes);
		z->slots[i].done = true;
	}
}

int pw_udpzc_init(void *path, struct pw_err *err)
{
	struct pw_udpzc *z = path;

	z->slots = calloc(PW_UDPZC_SLOTS, sizeof(*z->slots));
	if (!z->slots)
		return pw_err_sys(err, ENOMEM, "cannot allocate slots for zero-copy sends");
	z->headers = mmap(NULL, PW_UDPZC_HEADERS, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (z->headers == MAP_FAILED) {
		z->headers = NULL;
		return pw_err_sys(err, errno, "cannot allocate headers for zero-copy sends");
	}
	pw_udpzc_place_headers(z, z->headers);
	z->room = (struct pw_udpmsg_room){
		.datagrams = z->t.s.way->gso
				     ? (uint16_t)pw_min_u64(z->t.s.cfg.batch, PW_UDPZC_DATAGRAMS)
				     : 1,
		.iovs = PW_UDPZC_IOVS,
		.pieces = PW_UDPZC_PIECES,
	};
	return 0;
}

void pw_udpzc_finish(struct pw_udpzc *z)
{
	if (z->headers)
		munmap(z->headers, PW_UDPZC_HEADERS);
	free(z->slots);
}

void pw_udpzc_take(struct pw_udpzc *z, struct pw_window *win)
{
	struct pw_udpzc_slot *s = pw_udpzc_slot(z, z->head++);

	s->done = false;
	s->win = win;
	win->n_out += s->m.n;
	z->n_out += s->m.n;
}

void pw_udpzc_done(struct pw_udpzc *z, uint32_t number)
{
	struct pw_udpzc_slot *s = pw_udpzc_slot(z, number);

	if (number - z->tail >= z->head - z->tail || s->done)
		return;
	s->done = true;
	s->win->n_out -= s->m.n;
	z->n_out -= s->m.n;
	while (z->tail != z->head && pw_udpzc_slot(z, z->tail)->done)
		z->tail++;
}

uint32_t pw_udpzc_outstanding(void *path)
{
	return ((struct pw_udpzc *)path)->n_out;
}

static void note_range(void *path, uint32_t first, uint32_t last)
{
	uint32_t n = last - first + 1;

	for (; n; n--)
		pw_udpzc_done(path, first++);
}

static uint64_t reap(struct pw_udpzc *z)
{
	return pw_zcqueue_each(&z->t.s, note_range);
}

/* Waits for a completion, PW_SEND_SLEEP_NS at most. */
static void wait_completion(struct pw_udpzc *z)
{
	if (reap(z))
		return;
	pw_zcqueue_wait(z->t.s.fd, PW_SEND_SLEEP_NS);
	reap(z);
}

/* Completions that are not read yet use up net.core.optmem_max, pages in flight RLIMIT_MEMLOCK; both
 * become free with the completions. */
static void no_buffers(struct pw_udpzc *z)
{
	if (z->head != z->tail)
		wait_completion(z);
	else
		pw_sock_break(&z->t.s,
			"no memory for one zero-copy call to %s; raise net.core.optmem_max or the "
			"memlock limit (ulimit -l)",
			z->t.s.peer);
}

/* Sends the head slot's message; false: it was not sent. */
static bool send_message(struct pw_udpzc *z, struct pw_window *win)
{
	const struct pw_udpmsg *m = &pw_udpzc_slot(z, z->head)->m;
	bool too_many = m->pieces > PW_UDPZC_PIECES;

	if (!too_many) {
		if (sendmsg(z->t.s.fd, &m->msg, MSG_ZEROCOPY) >= 0) {
			pw_udpzc_take(z, win);
			return true;
		}
		/* Kernels before 5.10 count the small pages of a huge page. */
		too_many = errno == EMSGSIZE;
	}
	/* Send it with a copy: it gets no number then. */
	if (too_many && sendmsg(z->t.s.fd, &m->msg, 0) >= 0)
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
	while (n < b->n && !z->t.s.fault[0]) {
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
		/* The caller offers the rest again, with more behind it, so that trains stay long. */
		if (b->n - n < m->n)
			break;
	}
	pw_sock_account(&z->t.s, b, n);
	return n;
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

static int zerocopy_init(void *path, struct pw_err *err)
{
	int ret = pw_udpzc_init(path, err);

	return ret < 0 ? ret : pw_zcqueue_enable(path, err);
}

static void zerocopy_finish(void *path)
{
	const uint64_t end = pw_clock_ns() + PW_UDPZC_CLOSE_NS;
	struct pw_udpzc *z = path;

	while (z->n_out && !z->t.s.fault[0] && pw_clock_ns() < end)
		wait_completion(z);
	pw_udpzc_finish(z);
}

const struct pw_way pw_way_udp_zerocopy = {
	.name = "udp_zerocopy",
	.summary = "sendmsg() with MSG_ZEROCOPY and UDP_SEGMENT of headers and pages, 17 pieces a "
		   "call",
	.kind = PW_WAY_DATAGRAM,
	.zerocopy = true,
	.gso = true,
	.path_bytes = sizeof(struct pw_udpzc),
	.socket = pw_udptx_socket,
	.init = zerocopy_init,
	.finish = zerocopy_finish,
	.packets = &(const struct pw_tx_ops){.name = "udp_zerocopy",
		.detach = ops_detach,
		.send = ops_send,
		.send_copy = pw_udptx_send_copy,
		.reap = ops_reap,
		.outstanding = pw_udpzc_outstanding,
		PW_UDPTX_OPS},
};
