/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The receiver of a cell, the same for every way. pagewire's receiver and its loop place each packet's symbol in
 * a buffer that was mapped and touched before, pass after pass, or write one file into a directory; the bytes of
 * a stream are read into the buffer. At the end what arrived is compared with the file.
 */
#include "cell/sink.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "cell/bypass.h"
#include "recv/loop.h"
#include "recv/memory.h"
#include "send/send.h"

#define TOI      1            /* of the source's one file */
#define QUIET_NS 100000000ull /* after the source has ended: what is still on its way */
#define LOOK_NS  5000000ull   /* between two looks at ended_fd */

int pw_sink_begin(struct pw_sink *s)
{
	const int fd = s->cell->ready_fd;

	pw_cell_stretch(&s->stretch, true);
	if (fd < 0 || write(fd, "", 1) == 1)
		return 0;
	return pw_err_sys(&s->end->err, errno, "cannot signal the bench that packets can come");
}

/* Bytes that come there mean nothing; the end does. */
static bool is_ended(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char ignored[64];

	return poll(&p, 1, 0) > 0 && read(fd, ignored, sizeof(ignored)) <= 0;
}

bool pw_sink_is_quiet(struct pw_sink *s, uint64_t last_ns, uint64_t now_ns)
{
	if (!s->ended_ns && is_ended(s->cell->ended_fd))
		s->ended_ns = now_ns;
	return s->ended_ns && now_ns - pw_max_u64(last_ns, s->ended_ns) > QUIET_NS;
}

/* Until the file is done, or the source has ended and nothing came for a while. */
static int run_loop(struct pw_sink *s, struct pw_recv_loop *l)
{
	struct pw_err *err = &s->end->err;
	struct pw_recv_times t;
	uint64_t now;

	do {
		now = pw_clock_ns();
		switch (pw_recv_loop_run(l, now + LOOK_NS, err)) {
		case PW_RECV_END_NONE:
			break;
		case PW_RECV_END_PATH:
			return -err->code;
		default: /* the receiver's result has more */
			return 0;
		}
		pw_recv_loop_times(l, &t);
		now = pw_clock_ns();
		if (pw_sink_is_quiet(s, t.last_ns, now))
			return 0;
	} while (now < s->cell->deadline_ns);
	return pw_err_set(err, ETIMEDOUT, "cannot receive by %s: the source did not end in time",
		s->ops->name);
}

static int receive(struct pw_sink *s, struct pw_recv *recv)
{
	const struct pw_recv_loop_config cfg = {
		.recv = recv,
		.ops = s->ops,
		.path = s->path,
		.path_text = s->ops->name,
		.sleeps = s->cell->receiver && s->cell->receiver->sleeps,
		.n_queues = 1,
		.link_grace_ns = UINT64_MAX, /* the bench says when the source has ended */
		.waits_for_more = true,
	};
	struct pw_cell_end *end = s->end;
	struct pw_recv_counters c;
	struct pw_recv_loop *l;
	struct pw_recv_times t;
	int r = pw_recv_loop_start(&l, &cfg, &end->err);

	if (r)
		return r;
	r = pw_sink_begin(s);
	if (r == 0)
		r = run_loop(s, l);
	pw_recv_loop_stop(l, &t);
	pw_recv_counters(recv, &c);
	end->first_ns = t.first_ns;
	end->last_ns = t.last_ns;
	end->busy_cycles = t.busy_cycles;
	end->idle_cycles = t.idle_cycles;
	end->packets = c.symbols;
	end->bytes = c.payload_bytes + c.again_bytes;
	end->missed = s->ops->counters(s->path)->missed;
	return r;
}

/* The path is open. A file is verified and on the disk when the stretch ends. */
static int receive_all(struct pw_sink *s, struct pw_recv *recv)
{
	int r = receive(s, recv), done = 0;

	if (s->cell->into && r == 0)
		done = pw_recv_finish(recv, &s->end->err);
	if (s->end->start_ns)
		pw_cell_stretch(&s->stretch, false);
	if (r == 0 && done < 0)
		r = done;
	if (r)
		return r;
	return s->cell->into ? pw_sink_check_file(s, recv) : pw_sink_check_memory(s, recv);
}

static int open_path(struct pw_sink *s)
{
	const struct pw_cell *cell = s->cell;
	const struct pw_rx_way_config cfg = {.listen = cell->flow.dst,
		.interface = cell->interface,
		.mtu = cell->mtu,
		.tls = cell->tls,
		.log = cell->log};
	int r;

	if (!cell->receiver)
		r = pw_cell_bypass_open(cell, &s->ops, &s->path, &s->end->err);
	else
		r = pw_rx_way_open(cell->receiver, &s->path, &cfg, &s->end->err);
	if (r == 0 && cell->receiver)
		s->ops = cell->receiver->packets;
	s->end->lacking = pw_cell_is_lacking(r) || r == -ENOTSUP;
	return r;
}

static void close_path(struct pw_sink *s)
{
	if (s->cell->receiver)
		pw_rx_way_close(s->path);
	else
		pw_cell_bypass_close(s->path);
}

static int run_stream(struct pw_sink *s)
{
	int r = open_path(s);

	if (r)
		return r;
	r = pw_sink_run_stream(s);
	close_path(s);
	return r;
}

/* The receiver's threads start first: a port binds this thread to its CPU. */
static int run_packets(struct pw_sink *s)
{
	const struct pw_cell *cell = s->cell;
	const uint32_t symbol_len = pw_send_symbol_for_mtu(&cell->flow, cell->mtu, false);
	const struct pw_recv_memory memory = {
		.bytes = s->bytes,
		.toi = TOI,
		.len_bytes = cell->file_bytes,
		.symbol_len = symbol_len,
		.max_sbl = pw_blocks_choose_max_sbl(cell->file_bytes, symbol_len),
	};
	const struct pw_recv_config cfg = {
		.memory = cell->into ? NULL : &memory,
		.out_dir = cell->into,
		.write = cell->direct ? PW_OUTDIR_DIRECT : PW_OUTDIR_MAPPED,
		.force = true,
		.expect_files = cell->into ? 1 : 0,
	};
	struct pw_recv *recv;
	int r = pw_recv_create(&recv, &cfg, cell->log, &s->end->err);

	if (r)
		return r;
	r = open_path(s);
	if (r == 0) {
		r = receive_all(s, recv);
		close_path(s);
	}
	pw_recv_destroy(recv);
	return r;
}

/* Pages that a sender lends are copied when the frame is looped back. The meter of any process counts that; it
 * is the sender's cost. */
static void leave_out_senders_copies(struct pw_reading *r)
{
	static const char lent[] = "skb_copy_ubufs";
	size_t i;

	for (i = 0; i < r->n_probes; i++)
		if (strncmp(r->probes[i].function, lent, sizeof(lent) - 1) == 0)
			r->copied_bytes -= r->probes[i].bytes;
}

void pw_cell_sink(const struct pw_cell *cell, struct pw_cell_end *end)
{
	struct pw_sink s = {.cell = cell, .end = end};

	end->polls = !cell->receiver || !cell->receiver->sleeps;
	end->result = pw_cell_stretch_open(&s.stretch, cell, end);
	if (end->result)
		return;
	end->result = pw_sink_make_buffer(&s);
	if (end->result == 0)
		end->result = cell->receiver && cell->receiver->kind == PW_WAY_STREAM
				      ? run_stream(&s)
				      : run_packets(&s);
	leave_out_senders_copies(&end->reading);
	pw_sink_free_buffer(&s);
	pw_meter_close(s.stretch.meter);
}
