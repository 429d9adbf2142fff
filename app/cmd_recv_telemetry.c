/* SPDX-License-Identifier: BSD-3-Clause */
/* Answers DPDK's telemetry socket for `pagewire recv --port`; see dpdk/telemetry.h. */
#include <string.h>

#include "app/cmd_recv.h"
#include "dpdk/telemetry.h"

enum phase { PHASE_WAITING, PHASE_RECEIVING, PHASE_CLOSED };

static const char *const phases[] = {
	[PHASE_WAITING] = "waiting", [PHASE_RECEIVING] = "receiving", [PHASE_CLOSED] = "closed"};

static const char *const counts[] = {"packets", "payload_bytes", "duplicates", "strangers",
	"unknown_toi", "finished_toi", "malformed", "out_of_object", "fdt_packets", "fdt_bad",
	"restored", NULL};

static void fill_counts(uint64_t *words, const struct pw_recv_counters *c)
{
	const uint64_t all[] = {c->packets, c->payload_bytes, c->duplicates, c->strangers,
		c->unknown_toi, c->finished_toi, c->malformed, c->out_of_object, c->fdt_packets,
		c->fdt_bad, c->restored};

	memcpy(words, all, sizeof(all));
}

static const char *digest_state(const struct pw_recv_file_info *i)
{
	switch (i->state) {
	case PW_RECV_COMPLETE:
		return "verified";
	case PW_RECV_MISMATCH:
		return "differs";
	case PW_RECV_VERIFYING:
		return "comparing";
	case PW_RECV_UNVERIFIED:
		return "none";
	default:
		return i->digest.kind == PW_DIGEST_NONE ? "not named" : "named";
	}
}

static void list(void *ctx, struct pw_telemetry_page *page)
{
	const struct pw_recv_run *run = ctx;
	uint64_t i, n = pw_recv_n_files(run->recv);

	for (i = page->first; i < n && page->n < PW_TELEMETRY_PAGE; i++) {
		struct pw_telemetry_file *f = &page->files[page->n++];
		struct pw_recv_file_info info;

		pw_recv_file(run->recv, i, &info);
		pw_telemetry_name(f->name, info.name);
		f->toi = info.toi;
		f->len_bytes = info.len_bytes;
		f->done_bytes = info.have_bytes;
		f->state = pw_recv_file_state_name(info.state);
		f->digest = digest_state(&info);
	}
}

/* Drops are counted for the port: with several queues, no queue reports them. */
static void fill_queues(struct pw_telemetry_sample *s, const struct pw_recv_run *run)
{
	const struct pw_rx_ops *ops = run->path.ops;
	struct pw_rx_counters c;
	uint32_t i;

	s->n_queues = run->opt->set.n_lanes < PW_TELEMETRY_QUEUES ? run->opt->set.n_lanes
								  : PW_TELEMETRY_QUEUES;
	for (i = 0; s->n_queues > 1 && i < s->n_queues; i++) {
		ops->lane_counters(ops->lane(run->path.path, (uint16_t)i), &c);
		pw_telemetry_rx_words(s->queues[i], &c);
	}
	if (s->n_queues == 1)
		pw_telemetry_rx_words(s->queues[0], ops->counters(run->path.path));
}

static void tick(struct pw_recv_run *run, const struct pw_recv_status *st, uint64_t now_ns)
{
	struct pw_telemetry_sample s = {.now_ns = now_ns};
	struct pw_recv_counters c;
	struct pw_recv_times t;

	if (!pw_telemetry_due(run->path.telemetry, now_ns))
		return;
	pw_recv_counters(run->recv, &c);
	pw_recv_loop_times(run->loop, &t);
	s.start_ns = t.first_ns;
	s.phase = st->session_closed ? PHASE_CLOSED
		  : st->session_seen ? PHASE_RECEIVING
				     : PHASE_WAITING;
	s.packets = c.packets;
	s.payload_bytes = c.payload_bytes;
	s.bytes_done = st->bytes_have;
	s.bytes_total = st->bytes_total;
	s.n_files = st->n_files;
	s.n_ended = st->n_ended;
	fill_counts(s.counts, &c);
	fill_queues(&s, run);
	pw_telemetry_tick(run->path.telemetry, &s);
}

int pw_recv_telemetry_start(struct pw_recv_run *run, struct pw_err *err)
{
	const struct pw_telemetry_source source = {
		.role = "recv",
		.port = run->opt->port.port,
		.driver = run->path.name,
		.phases = phases,
		.counts = counts,
		.queue_counts = pw_telemetry_rx_names,
		.list = list,
		.ctx = run,
	};

	if (!run->opt->port.telemetry)
		return 0;
	run->path.tick = tick;
	return pw_telemetry_start(&run->path.telemetry, &source, err);
}
