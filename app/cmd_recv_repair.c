/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pagewire recv --repair: tells the sender what is missing, when its table asks or when it falls silent, and
 * that everything is here.
 *
 *   tick() on lane 0's thread: what is due  -->  the client's thread: makes the message, and sends it
 *
 * A probe of the path (pagewire doctor --to) is answered by a client of its own: its sender is another one.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "app/cmd_recv.h"
#include "base/clock.h"
#include "recv/ask.h"
#include "recv/probe.h"
#include "repair/client.h"

#define BACKOFF_NS  (PW_NS_PER_S / 10)   /* so that many receivers do not ask at the same moment */
#define EACH_NS     (PW_NS_PER_S / 1000) /* of it, for each of them: what a sender takes easily */
#define TRIES       8
#define PORT_NS     (PW_NS_PER_S / 50) /* between two looks at the port's counters */
#define SILENCE_NS  (2 * PW_NS_PER_S)  /* no new symbol for so long: the table that asks was lost */
#define COMPLETE_NS (60 * PW_NS_PER_S) /* the sender may be busy; the files are here */
#define LEAVE_NS    (3 * PW_NS_PER_S)

#define PROBES_LOGGED 16u /* anyone may send them */

struct pw_recv_repair {
	struct pw_repair_client *client;
	struct pw_repair_client *probe_client;
	uint64_t probe; /* its id; 0: none is answered */
	unsigned int n_probes;
	char url[PW_FDT_URL_MAX]; /* the last one that the tables named */
	bool has_url;
	bool is_complete;       /* and the sender was told, or is being told */
	uint64_t n_asked;       /* rounds below this were asked for */
	uint64_t seen, seen_ns; /* symbols, and when their number changed */
	uint64_t next_port_ns;
	/* The port's counter. Lane 0's thread, which alone may ask the port, tells it to the clients'. */
	_Atomic uint64_t port_missed;
};

/* What tells the sender where packets were lost. */
static void fill_flow(const struct pw_recv_run *run, const struct pw_recv_status *st,
	struct pw_repair_report *report)
{
	struct pw_recv_counters c;
	uint64_t missed;

	pw_recv_counters(run->recv, &c);
	missed = atomic_load_explicit(&run->repair->port_missed, memory_order_relaxed);
	report->time_us = pw_clock_ns() / 1000;
	report->dropped_socket = run->opt->port.port ? 0 : missed;
	report->dropped_ring = run->opt->port.port ? missed : 0;
	report->dropped_files = c.wait_dropped + c.fdt_dropped;
	report->disk_waited_us = st->disk_waited_ns / 1000;
}

static int fill_report(void *ctx, struct pw_repair_report *report, struct pw_err *err)
{
	const struct pw_recv_run *run = ctx;
	struct pw_recv_status st;

	(void)err;
	pw_recv_status(run->recv, &st);
	fill_flow(run, &st, report);
	report->files = st.n_files + st.n_never_named;
	report->files_good = st.n_good;
	report->bytes = st.bytes_total;
	report->bytes_have = st.bytes_have;
	report->symbols_expected = st.symbols_expected;
	report->symbols_seen = st.symbols_seen;
	return 0;
}

static int fill_probe_report(void *ctx, struct pw_repair_report *report, struct pw_err *err)
{
	const struct pw_recv_run *run = ctx;
	struct pw_recv_probe probe;
	struct pw_recv_status st;

	(void)err;
	pw_recv_probe(run->recv, pw_clock_ns(), &probe);
	pw_recv_status(run->recv, &st);
	fill_flow(run, &st, report);
	report->symbols_expected = probe.expected;
	report->symbols_seen = probe.seen;
	return 0;
}

static int fill_gaps(void *ctx, struct pw_gaps *gaps, struct pw_err *err)
{
	const struct pw_recv_run *run = ctx;

	return pw_recv_ask(run->recv, PW_REPAIR_RANGES_MAX, gaps, err);
}

static void stop(struct pw_recv_run *run)
{
	pw_repair_client_stop(run->repair->probe_client);
	pw_repair_client_stop(run->repair->client);
	free(run->repair);
	run->repair = NULL;
}

int pw_recv_repair_start(struct pw_recv_run *run, struct pw_err *err)
{
	struct pw_repair_client_config cfg = {.backoff_ns = BACKOFF_NS,
		.backoff_each_ns = EACH_NS,
		.n_tries = TRIES,
		.report = fill_report,
		.gaps = fill_gaps,
		.ctx = run,
		.log = &run->ctx->log};
	int r;

	run->repair = calloc(1, sizeof(*run->repair));
	if (!run->repair)
		return pw_err_set(err, ENOMEM, "cannot start to repair: out of memory");
	r = pw_repair_client_start(&run->repair->client, &cfg, err);
	cfg.report = fill_probe_report;
	if (r == 0)
		r = pw_repair_client_start(&run->repair->probe_client, &cfg, err);
	if (r)
		stop(run);
	return r;
}

/* Reports what comes of a probe as long as it lasts. */
static void answer_probe(struct pw_recv_run *run, uint64_t now)
{
	struct pw_recv_repair *rep = run->repair;
	struct pw_recv_probe probe;
	struct pw_err err;

	if (!pw_recv_probe(run->recv, now, &probe))
		probe.id = 0;
	if (probe.id == rep->probe)
		return;
	rep->probe = probe.id;
	if (!probe.id || pw_repair_client_set_url(rep->probe_client, probe.url, &err) < 0) {
		pw_repair_client_set_url(rep->probe_client, NULL, &err);
		return;
	}
	pw_repair_client_want(rep->probe_client, PW_REPAIR_REPORT, 0);
	if (rep->n_probes++ < PROBES_LOGGED)
		pw_info(&run->ctx->log, "a sender probes the path: %s", probe.url);
}

/* Takes the address that the tables name; a new one is told at once that this receiver exists. */
static void look_for_sender(
	struct pw_recv_run *run, const struct pw_recv_way_back *way, uint64_t now)
{
	struct pw_recv_repair *rep = run->repair;
	struct pw_err err;

	if (!strcmp(way->url, rep->url))
		return;
	memcpy(rep->url, way->url, sizeof(rep->url));
	rep->n_asked = 0;
	rep->is_complete = false;
	rep->seen_ns = now;
	if (pw_repair_client_set_url(rep->client, way->url, &err) < 0) {
		pw_warn(&run->ctx->log, "%s", err.msg);
		return;
	}
	rep->has_url = true;
	pw_repair_client_want(rep->client, PW_REPAIR_REPORT, 0);
	pw_info(&run->ctx->log, "the sender repairs: %s", way->url);
}

static bool is_whole(const struct pw_recv_run *run, const struct pw_recv_status *st)
{
	if (run->opt->set.require_digest && st->n_unverified)
		return false;
	return st->done && st->n_good == st->n_files && st->n_never_named == 0;
}

/* Whether something can still come: else there is nothing to ask for. */
static bool misses_some(const struct pw_recv_status *st)
{
	return st->bytes_have < st->bytes_total || st->n_never_named || st->n_files == 0;
}

static void ask(struct pw_recv_repair *rep, const struct pw_recv_way_back *way, uint64_t now)
{
	struct pw_repair_client_status cst;
	const bool is_silent = now - rep->seen_ns >= SILENCE_NS;

	if (way->asks && way->round >= rep->n_asked) {
		rep->n_asked = way->round + 1;
		rep->seen_ns = now;
		pw_repair_client_want(rep->client, PW_REPAIR_GAPS, way->round);
		return;
	}
	if (!is_silent)
		return;
	rep->seen_ns = now;
	pw_repair_client_status(rep->client, &cst);
	if (!cst.is_pending[PW_REPAIR_GAPS])
		pw_repair_client_want(rep->client, PW_REPAIR_GAPS,
			cst.round > way->round ? cst.round : way->round);
}

static void look_at_port(struct pw_recv_run *run, uint64_t now)
{
	struct pw_recv_repair *rep = run->repair;
	const struct pw_rx_counters *c;

	if (now < rep->next_port_ns)
		return;
	rep->next_port_ns = now + PORT_NS;
	answer_probe(run, now);
	c = run->path.ops->counters(run->path.path);
	atomic_store_explicit(&rep->port_missed, c->missed, memory_order_relaxed);
}

void pw_recv_repair_tick(struct pw_recv_run *run, const struct pw_recv_status *st, uint64_t now)
{
	struct pw_recv_repair *rep = run->repair;
	struct pw_recv_way_back way;
	struct pw_recv_counters c;

	look_at_port(run, now);
	if (!pw_recv_way_back(run->recv, &way))
		return;
	look_for_sender(run, &way, now);
	if (!rep->has_url || rep->is_complete)
		return;
	if (is_whole(run, st)) {
		rep->is_complete = true;
		pw_repair_client_want(rep->client, PW_REPAIR_COMPLETE, 0);
		return;
	}
	pw_recv_counters(run->recv, &c);
	if (c.symbols != rep->seen) {
		rep->seen = c.symbols;
		rep->seen_ns = now;
	}
	if (misses_some(st))
		ask(rep, &way, now);
}

void pw_recv_repair_end(struct pw_recv_run *run)
{
	struct pw_recv_repair *rep = run->repair;
	struct pw_repair_client_status cst;
	struct pw_recv_status st;

	if (!rep)
		return;
	pw_recv_status(run->recv, &st);
	if (rep->has_url && !rep->is_complete && is_whole(run, &st)) {
		rep->is_complete = true;
		pw_repair_client_want(rep->client, PW_REPAIR_COMPLETE, 0);
	}
	/* whose session is closed does not listen any more */
	if (rep->has_url && !rep->is_complete && !st.session_closed)
		pw_repair_client_want(rep->client, PW_REPAIR_LEAVE, 0);
	if (rep->has_url && (rep->is_complete || !st.session_closed))
		pw_repair_client_wait(rep->client, rep->is_complete ? COMPLETE_NS : LEAVE_NS);
	pw_repair_client_status(rep->client, &cst);
	if (rep->is_complete && cst.n_taken[PW_REPAIR_COMPLETE] == 0)
		pw_warn(&run->ctx->log,
			"everything is here, but the sender could not be told; it may report this "
			"receiver as incomplete");
	if (!rep->has_url)
		pw_warn(&run->ctx->log,
			"no file table named where to ask for repair; give the sender --repair");
	stop(run);
}
