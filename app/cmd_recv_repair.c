/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pagewire recv --repair: tells the sender what is missing, when its table asks or when it falls silent, and
 * that everything is here. Hosts that send together are asked for a share each, and told each.
 *
 *   tick() on lane 0's thread: what is due  -->  a client's thread for each sender: makes the message, and sends it
 *
 * A probe of the path (pagewire doctor --to) is answered by a client of its own: its sender is another one.
 */
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "app/cmd_recv.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "recv/ask.h"
#include "recv/probe.h"
#include "repair/client.h"

#define BACKOFF_NS (PW_NS_PER_S / 10)   /* so that many receivers do not ask at the same moment */
#define EACH_NS    (PW_NS_PER_S / 1000) /* of it, for each of them: what a sender takes easily */
#define TRIES      8
#define LOST_AFTER 2 /* messages that did not reach a stripe, while others are there */
#define LOOK_NS    (PW_NS_PER_S / 200) /* between two looks at what is due */
#define PORT_NS    (PW_NS_PER_S / 50)  /* between two looks at the port's counters */
#define SILENCE_NS (2 * PW_NS_PER_S)   /* no new symbol for so long: the table that asks was lost */
#define ABSENT_NS \
	(10 * PW_NS_PER_S) /* the same, while a stripe has not been heard of: it may be starting */
#define COMPLETE_NS   (60 * PW_NS_PER_S) /* the sender may be busy; the files are here */
#define LEAVE_NS      (3 * PW_NS_PER_S)
#define WAIT_NS       (PW_NS_PER_S / 20)
#define PROBES_LOGGED 16u /* anyone may send them */

/* One that repairs. Several are the stripes of a set. */
struct sender {
	struct pw_recv_run *run;
	struct pw_repair_client *client; /* NULL: the slot was never used */
	struct pw_recv_way_back way;     /* as the tables name it */
	bool is_named;                   /* they do, now */
	bool has_url;                    /* and it is one that messages can be sent to */
	bool is_told;                    /* that everything is here */
	bool is_lost;                    /* it does not answer: the others are asked */
	uint64_t n_asked;                /* rounds below this were asked for */
	struct pw_stripe share;          /* of what is missing: what it was asked for last */
	/* For the client's thread: share, and what became of it. */
	_Atomic uint32_t share_index, share_count;
	atomic_bool misses_none; /* of its last share */
};

struct pw_recv_repair {
	struct sender senders[PW_RECV_WAYS_MAX];
	cpu_set_t cpus;         /* that the process had before EAL bound this thread to one */
	bool without_absent;    /* stripes that were never heard of are not waited for any more */
	uint64_t seen, seen_ns; /* symbols, and when their number changed */
	uint64_t next_ns, next_port_ns;
	struct pw_repair_client *probe_client;
	uint64_t probe; /* its id; 0: none is answered */
	unsigned int n_probes;
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
	const struct pw_recv_run *run = ((const struct sender *)ctx)->run;
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
	struct sender *s = ctx;
	const struct pw_stripe share = {atomic_load(&s->share_index), atomic_load(&s->share_count)};
	const int r = pw_recv_ask(s->run->recv, &share, PW_REPAIR_RANGES_MAX, gaps, err);

	atomic_store(&s->misses_none, r == 0 && gaps->n_files == 0 && gaps->n_unnamed == 0);
	return r;
}

static void stop(struct pw_recv_run *run)
{
	struct pw_recv_repair *rep = run->repair;
	size_t i;

	pw_repair_client_stop(rep->probe_client);
	for (i = 0; i < PW_RECV_WAYS_MAX; i++)
		pw_repair_client_stop(rep->senders[i].client);
	free(rep);
	run->repair = NULL;
}

static int start_client(struct pw_recv_run *run, struct pw_repair_client **client,
	int (*report)(void *, struct pw_repair_report *, struct pw_err *), void *ctx,
	struct pw_err *err)
{
	const struct pw_repair_client_config cfg = {.backoff_ns = BACKOFF_NS,
		.backoff_each_ns = EACH_NS,
		.n_tries = TRIES,
		.cpus = &run->repair->cpus,
		.report = report,
		.gaps = fill_gaps,
		.ctx = ctx,
		.log = &run->ctx->log};

	return pw_repair_client_start(client, &cfg, err);
}

static int start_sender(struct pw_recv_run *run, struct sender *s, struct pw_err *err)
{
	s->run = run;
	return start_client(run, &s->client, fill_report, s, err);
}

int pw_recv_repair_start(struct pw_recv_run *run, struct pw_err *err)
{
	int r;

	run->repair = calloc(1, sizeof(*run->repair));
	if (!run->repair)
		return pw_err_set(err, ENOMEM, "cannot start to repair: out of memory");
	sched_getaffinity(0, sizeof(run->repair->cpus), &run->repair->cpus);
	r = start_sender(run, &run->repair->senders[0], err);
	if (r == 0)
		r = start_client(run, &run->repair->probe_client, fill_probe_report, run, err);
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

static void set_share(struct sender *s, struct pw_stripe share)
{
	s->share = share;
	atomic_store(&s->share_index, share.index);
	atomic_store(&s->share_count, share.count);
}

/* A slot for one more sender, whose place among the ways is i. NULL: there are too many. */
static struct sender *free_slot(struct pw_recv_repair *rep)
{
	struct sender *s;

	for (s = rep->senders; s < rep->senders + PW_RECV_WAYS_MAX; s++)
		if (!s->is_named)
			return s;
	return NULL;
}

/* Takes an address that the tables name; it is told at once that this receiver exists. */
static void meet(struct pw_recv_run *run, const struct pw_recv_way_back *way, uint64_t now)
{
	struct pw_recv_repair *rep = run->repair;
	const struct pw_log *log = &run->ctx->log;
	struct sender *s = free_slot(rep);
	struct pw_err err;

	if (!s)
		return;
	rep->seen_ns = now;
	rep->without_absent = false;
	s->way = *way;
	s->is_named = true;
	s->is_told = s->is_lost = false;
	s->n_asked = 0;
	set_share(s, (struct pw_stripe){0, 1});
	atomic_store(&s->misses_none, false);
	s->has_url = (s->client || start_sender(run, s, &err) == 0) &&
		     pw_repair_client_set_url(s->client, way->url, &err) == 0;
	if (!s->has_url) {
		pw_warn(log, "%s", err.msg);
		return;
	}
	pw_repair_client_want(s->client, PW_REPAIR_REPORT, 0);
	if (pw_stripe_is_shared(&way->stripe))
		pw_info(log, "stripe %" PRIu32 "/%" PRIu32 " repairs: %s", way->stripe.index,
			way->stripe.count, way->url);
	else
		pw_info(log, "the sender repairs: %s", way->url);
}

/* Compares the tables' addresses with the senders that are known; returns how many the tables name. */
static size_t look_for_senders(struct pw_recv_run *run, uint64_t now)
{
	struct pw_recv_repair *rep = run->repair;
	struct pw_recv_way_back ways[PW_RECV_WAYS_MAX];
	bool is_known[PW_RECV_WAYS_MAX] = {0};
	const size_t n = pw_recv_ways_back(run->recv, ways);
	struct sender *s;
	size_t i;

	for (s = rep->senders; n && s < rep->senders + PW_RECV_WAYS_MAX; s++) {
		const bool was_named = s->is_named;

		s->is_named = false;
		for (i = 0; was_named && !s->is_named && i < n; i++) {
			if (is_known[i] || strcmp(ways[i].url, s->way.url) != 0)
				continue;
			s->is_named = is_known[i] = true;
			s->way = ways[i];
		}
	}
	for (i = 0; i < n; i++)
		if (!is_known[i])
			meet(run, &ways[i], now);
	return n;
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

/* In the order of the stripes, which is the same at all receivers: each then asks the same sender for the same part.
 * Returns how many messages can be sent to. */
static size_t list(struct pw_recv_repair *rep, struct sender *v[PW_RECV_WAYS_MAX])
{
	size_t i, n = 0;

	for (i = 0; i < PW_RECV_WAYS_MAX; i++) {
		struct sender *s = &rep->senders[i];
		size_t at = n;

		if (!s->is_named || !s->has_url)
			continue;
		for (; at && v[at - 1]->way.stripe.index > s->way.stripe.index; at--)
			v[at] = v[at - 1];
		v[at] = s;
		n++;
	}
	return n;
}

/* A stripe that does not answer is lost, as long as another one does. */
static void look_for_lost(struct pw_recv_run *run, struct sender *const *v, size_t n)
{
	struct pw_repair_client_status cst;
	bool is_gone[PW_RECV_WAYS_MAX];
	size_t i, n_gone = 0;

	for (i = 0; i < n; i++) {
		pw_repair_client_status(v[i]->client, &cst);
		is_gone[i] = cst.n_unreached >= LOST_AFTER;
		n_gone += is_gone[i];
	}
	for (i = 0; i < n; i++) {
		if (is_gone[i] && n_gone < n && !v[i]->is_lost)
			pw_warn(&run->ctx->log,
				"stripe %" PRIu32 "/%" PRIu32
				" does not answer at %s: the others are asked for what it did not "
				"send",
				v[i]->way.stripe.index, v[i]->way.stripe.count, v[i]->way.url);
		v[i]->is_lost = is_gone[i] && n_gone < n;
	}
}

/* What the senders are doing. */
struct scene {
	struct sender *v[PW_RECV_WAYS_MAX]; /* that take requests now */
	size_t n;
	bool all_ask;   /* every one that is there has sent its round, and waits */
	bool is_absent; /* a stripe was never heard of */
};

static void survey(struct pw_recv_run *run, struct scene *c)
{
	struct sender *all[PW_RECV_WAYS_MAX];
	const size_t n_all = list(run->repair, all);
	uint64_t stripes = 0;
	size_t i;

	*c = (struct scene){.all_ask = true};
	look_for_lost(run, all, n_all);
	for (i = 0; i < n_all; i++) {
		stripes |= 1ull << all[i]->way.stripe.index;
		if (all[i]->is_lost)
			continue;
		c->all_ask &= all[i]->way.asks;
		if (all[i]->way.asks)
			c->v[c->n++] = all[i];
	}
	for (i = 0; c->n == 0 && i < n_all; i++) /* their tables that ask may be lost */
		if (!all[i]->is_lost)
			c->v[c->n++] = all[i];
	c->is_absent = n_all && (uint32_t)__builtin_popcountll(stripes) < all[0]->way.stripe.count;
}

/* Asks one sender for its share, once in a round; `again` when nothing has come since. */
static bool ask_one(struct sender *s, struct pw_stripe share, bool again)
{
	const bool is_other = s->share.index != share.index || s->share.count != share.count;
	const bool is_due = s->way.asks && (s->way.round >= s->n_asked ||
						   (is_other && atomic_load(&s->misses_none)));
	struct pw_repair_client_status cst;

	if (s->is_told || (!is_due && !again))
		return false;
	pw_repair_client_status(s->client, &cst);
	if (!is_due && cst.is_pending[PW_REPAIR_GAPS])
		return false;
	if (s->way.asks)
		s->n_asked = s->way.round + 1;
	set_share(s, share);
	pw_repair_client_want(s->client, PW_REPAIR_GAPS,
		is_due ? s->way.round : pw_max_u64(cst.round, s->way.round));
	return true;
}

/* What is missing may still come while a sender sends its share of the passes, or its round. So all of them are asked
 * when the last one waits, or when nothing comes any more. */
static void ask(struct pw_recv_run *run, uint64_t now)
{
	struct pw_recv_repair *rep = run->repair;
	const uint64_t silence = now - rep->seen_ns;
	const bool again = silence >= SILENCE_NS;
	struct scene c;
	size_t i;

	survey(run, &c);
	rep->without_absent |= silence >= ABSENT_NS;
	if ((c.is_absent && !rep->without_absent) || (!c.all_ask && !again))
		return;
	for (i = 0; i < c.n; i++)
		if (ask_one(c.v[i], (struct pw_stripe){(uint32_t)i, (uint32_t)c.n}, again))
			rep->seen_ns = now;
	if (again)
		rep->seen_ns = now;
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

static void tell(struct pw_recv_repair *rep, enum pw_repair_kind kind)
{
	struct sender *v[PW_RECV_WAYS_MAX];
	size_t i, n = list(rep, v);

	for (i = 0; i < n; i++) {
		if (v[i]->is_told)
			continue;
		v[i]->is_told = kind == PW_REPAIR_COMPLETE;
		pw_repair_client_want(v[i]->client, kind, 0);
	}
}

void pw_recv_repair_tick(struct pw_recv_run *run, const struct pw_recv_status *st, uint64_t now)
{
	struct pw_recv_repair *rep = run->repair;
	struct pw_recv_counters c;

	look_at_port(run, now);
	if (now < rep->next_ns)
		return;
	rep->next_ns = now + LOOK_NS;
	if (look_for_senders(run, now) == 0)
		return;
	if (is_whole(run, st)) {
		tell(rep, PW_REPAIR_COMPLETE);
		return;
	}
	pw_recv_counters(run->recv, &c);
	if (c.symbols != rep->seen) {
		rep->seen = c.symbols;
		rep->seen_ns = now;
	}
	if (misses_some(st))
		ask(run, now);
}

/* Until every sender that is still there has been told. */
static void await_messages(struct pw_recv_run *run, bool is_complete)
{
	const uint64_t end = pw_clock_ns() + (is_complete ? COMPLETE_NS : LEAVE_NS);
	struct sender *v[PW_RECV_WAYS_MAX];
	size_t i = 0, n = list(run->repair, v);

	while (i < n && pw_clock_ns() < end) {
		look_for_lost(run, v, n);
		i += v[i]->is_lost || pw_repair_client_wait(v[i]->client, WAIT_NS);
	}
}

static void warn_of_untold(struct pw_recv_run *run)
{
	struct pw_repair_client_status cst;
	struct sender *v[PW_RECV_WAYS_MAX];
	size_t i, n = list(run->repair, v);

	for (i = 0; i < n; i++) {
		pw_repair_client_status(v[i]->client, &cst);
		if (!v[i]->is_told || v[i]->is_lost || cst.n_taken[PW_REPAIR_COMPLETE])
			continue;
		pw_warn(&run->ctx->log,
			"everything is here, but the sender could not be told; it may report this "
			"receiver as incomplete");
	}
	if (n == 0)
		pw_warn(&run->ctx->log,
			"no file table named where to ask for repair; give the sender --repair");
}

void pw_recv_repair_end(struct pw_recv_run *run)
{
	struct pw_recv_repair *rep = run->repair;
	struct pw_recv_status st;
	bool is_complete;

	if (!rep)
		return;
	pw_recv_status(run->recv, &st);
	is_complete = is_whole(run, &st);
	/* whose session is closed does not listen any more */
	if (is_complete || !st.session_closed) {
		tell(rep, is_complete ? PW_REPAIR_COMPLETE : PW_REPAIR_LEAVE);
		await_messages(run, is_complete);
	}
	warn_of_untold(run);
	stop(run);
}
