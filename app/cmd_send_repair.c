/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/cmd_send_repair.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"

#define FIRST_NS (3 * PW_NS_PER_S) /* in which the first receiver reports, after the last symbol */
#define LAST_NS  (PW_NS_PER_S / 4) /* the same after another one, or after enough tables */
#define SETTLE_NS \
	(PW_NS_PER_S / 20) /* after the last manifest another receiver may join its round */
#define WINDOW_NS (2 * PW_NS_PER_S) /* in which the others may join the round */
#define LISTEN_NS \
	(600 * PW_NS_PER_S) /* in which receivers that only report may verify what they have */

int pw_send_repair_check(const struct pw_send_repair_options *o, const struct pw_job_options *job,
	struct pw_err *err)
{
	static const uint8_t any[16];
	struct pw_addr addr;

	if (job->set.rate.unit == PW_RATE_AUTO && !o->where)
		return pw_err_set(err, EINVAL,
			"cannot use --rate auto without --repair: receivers report what they lose "
			"by its way back; add --repair here and at the receivers, or give a rate");
	if (job->set.rate.unit == PW_RATE_AUTO && job->fec)
		return pw_err_set(err, EINVAL,
			"cannot use --rate auto with --fec: a receiver cannot tell how much was "
			"sent of a file whose blocks go in turns; give a rate");
	if (job->set.rate.unit == PW_RATE_AUTO && job->stripe)
		return pw_err_set(err, EINVAL,
			"cannot use --rate auto with --stripe: a receiver cannot tell whose "
			"packets it lost; give each host a rate");
	if (o->n_ignored && job->set.rate.unit != PW_RATE_AUTO)
		return pw_err_set(err, EINVAL,
			"cannot use --ignore-slowest: it is about the receivers that hold the rate "
			"back; use --rate auto, or leave it out");
	if (o->n_expected && !o->where)
		return pw_err_set(err, EINVAL,
			"cannot use --repair-receivers without --repair: no receiver reports; add "
			"--repair, or leave it out");
	if (!o->where)
		return 0;
	if (job->gaps.n)
		return pw_err_set(err, EINVAL,
			"cannot use --gaps with --repair: receivers ask by themselves; leave one "
			"of them out");
	if (!strcmp(o->where, PW_SEND_REPAIR_AUTO))
		return 0;
	if (pw_addr_parse("--repair", o->where, 0, &addr, err) < 0)
		return -EINVAL;
	if (!memcmp(addr.bytes, any, sizeof(any)) || pw_addr_is_multicast(&addr))
		return pw_err_set(err, EINVAL,
			"cannot use --repair=%s: receivers send to it; give an address of this "
			"host that they reach",
			o->where);
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	const struct pw_file *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

static const struct pw_file *find(const struct pw_send_repair_run *r, const char *name)
{
	const struct pw_file key = {.name = (char *)(uintptr_t)name}, *p = &key, **found;

	found = bsearch(&p, r->by_name, r->job->files.n, sizeof(*r->by_name), compare_names);
	return found ? *found : NULL;
}

/* The bytes of the files that the manifest neither lists nor names. */
static uint64_t unnamed_bytes(const struct pw_send_repair_run *r, const struct pw_gaps *gaps)
{
	const struct pw_files *files = &r->job->files;
	uint64_t sum = 0;
	size_t i;

	for (i = 0; gaps->n_unnamed && i < files->n; i++)
		if (!pw_gaps_find(gaps, files->v[i].name) &&
			!pw_gaps_has_named(gaps, files->v[i].name))
			sum += pw_max_u64(files->v[i].len_bytes, 1);
	return sum;
}

/* On the server's thread: names and lengths of the job's files do not change. */
static int check(void *ctx, struct pw_gaps *gaps, uint64_t *bytes, struct pw_err *err)
{
	const struct pw_send_repair_run *r = ctx;
	size_t i, k;

	*bytes = unnamed_bytes(r, gaps);
	for (i = 0; i < gaps->n_files; i++) {
		const struct pw_gap_file *gap = &gaps->files[i];
		const struct pw_file *file = find(r, gap->name);

		if (!file || file->len_bytes != gap->len_bytes)
			return pw_err_set(err, EBADMSG,
				"cannot repair '%.120s': not of this session", gap->name);
		for (k = 0; k < gap->n_missing; k++)
			*bytes += gap->missing[k].to - gap->missing[k].from;
	}
	return 0;
}

/* Makes the union of all requests what the files' gaps ask for. */
static void begin_round(struct pw_send_repair_run *r)
{
	struct pw_files *files = &r->job->files;
	size_t i;

	pw_gaps_finish(&r->gaps);
	pw_repair_server_take(r->server, &r->gaps);
	for (i = 0; i < files->n; i++) {
		struct pw_file *file = &files->v[i];

		file->gap = pw_gaps_find(&r->gaps, file->name);
		if (!file->gap && (!r->gaps.n_unnamed || pw_gaps_has_named(&r->gaps, file->name)))
			file->gap = &r->nothing;
	}
	r->rounds++;
}

static void listen_to(void *ctx)
{
	struct pw_send_repair_run *r = ctx;

	pw_repair_server_listen(r->server);
	r->listen_ns = pw_clock_ns();
}

/* How many receivers the user expects, and have not reported. */
static size_t n_unheard(const struct pw_send_repair_run *r, size_t n_heard)
{
	return r->opt->n_expected - pw_min_u64(r->opt->n_expected, n_heard);
}

/* Whether every receiver that hears the session has reported to it. A unicast session has one. */
static bool knows_all(const struct pw_send_repair_run *r, const struct pw_repair_status *st,
	uint64_t told_ns, uint64_t now)
{
	const bool is_group = r->job->flow.dst_mac[0] & 1;

	if (!st->n_receivers || n_unheard(r, st->n_receivers))
		return false;
	return r->opt->n_expected || !is_group ||
	       (told_ns && now - pw_max_u64(told_ns, st->new_ns) >= LAST_NS);
}

/* How long no message may come until no other receiver is waited for. */
static uint64_t patience_ns(const struct pw_send_repair_run *r, size_t n_heard)
{
	if (n_unheard(r, n_heard))
		return r->opt->silence_ns;
	return n_heard ? LAST_NS : FIRST_NS;
}

static enum pw_send_answer ask(void *ctx, bool is_carousel, uint64_t told_ns)
{
	struct pw_send_repair_run *r = ctx;
	struct pw_repair_status st;
	uint64_t quiet_ns, now;
	bool all;

	pw_repair_server_status(r->server, r->opt->silence_ns, &st);
	now = pw_clock_ns(); /* not before the times in st */
	if (is_carousel)
		return st.n_complete && !st.n_open && !n_unheard(r, st.n_receivers) &&
				       now - st.heard_ns >= LAST_NS
			       ? PW_SEND_END
			       : PW_SEND_WAIT;
	quiet_ns = now - pw_min_u64(now, pw_max_u64(r->listen_ns, st.heard_ns));
	all = knows_all(r, &st, told_ns, now);
	if (st.n_asked) {
		if (st.n_awaited ? now - r->listen_ns < WINDOW_NS : !all && quiet_ns < SETTLE_NS)
			return PW_SEND_WAIT;
		if (r->rounds == r->opt->max_rounds)
			return PW_SEND_END;
		begin_round(r);
		return PW_SEND_ROUND;
	}
	/* one that is merely silent is given the time to answer */
	if (st.n_open == 0 && all && st.n_complete == st.n_receivers)
		return PW_SEND_END;
	if (st.n_open == 0)
		return quiet_ns >= patience_ns(r, st.n_receivers) ? PW_SEND_END : PW_SEND_WAIT;
	return now - r->listen_ns < LISTEN_NS ? PW_SEND_WAIT : PW_SEND_END;
}

static void heard(void *ctx, size_t index, const struct pw_repair_receiver *receiver)
{
	struct pw_send_repair_run *r = ctx;
	const struct pw_repair_report *from = &receiver->report;
	const struct pw_rate_report report = {
		.time_ns = from->time_us * 1000,
		.expected = from->symbols_expected,
		.seen = from->symbols_seen,
		.dropped_socket = from->dropped_socket,
		.dropped_ring = from->dropped_ring,
		.dropped_files = from->dropped_files,
		.disk_waited_ns = from->disk_waited_us * 1000,
		.has_ended = receiver->is_complete || receiver->has_left,
	};

	pthread_mutex_lock(&r->rate_lock);
	pw_ratectl_report(r->rate, index, &report, pw_clock_ns());
	pthread_mutex_unlock(&r->rate_lock);
}

static double rate(void *ctx, const struct pw_rate_sent *sent, uint64_t now_ns)
{
	struct pw_send_repair_run *r = ctx;
	double bps;

	pthread_mutex_lock(&r->rate_lock);
	bps = pw_ratectl_tick(r->rate, sent, now_ns);
	pthread_mutex_unlock(&r->rate_lock);
	return bps;
}

void pw_send_repair_rate_state(struct pw_send_repair_run *r, struct pw_ratectl_state *st)
{
	pthread_mutex_lock(&r->rate_lock);
	pw_ratectl_state(r->rate, st);
	pthread_mutex_unlock(&r->rate_lock);
}

static int start_rate(
	struct pw_send_repair_run *r, struct pw_repair_server_config *cfg, struct pw_err *err)
{
	if (r->job->opt->set.rate.unit != PW_RATE_AUTO)
		return 0;
	pthread_mutex_init(&r->rate_lock, NULL);
	r->rate = pw_ratectl_create(pw_job_n_queues(r->job->opt), r->opt->n_ignored);
	if (!r->rate)
		return pw_err_set(err, ENOMEM, "cannot find the rate: out of memory");
	cfg->heard = heard;
	cfg->report_ms = PW_RATECTL_INTERVAL_MS;
	return 0;
}

static int sort_names(struct pw_send_repair_run *r, struct pw_err *err)
{
	const struct pw_files *files = &r->job->files;
	size_t i;

	r->by_name = calloc(files->n + 1, sizeof(*r->by_name));
	if (!r->by_name)
		return pw_err_set(err, ENOMEM, "cannot repair %zu files: out of memory", files->n);
	for (i = 0; i < files->n; i++)
		r->by_name[i] = &files->v[i];
	qsort(r->by_name, files->n, sizeof(*r->by_name), compare_names);
	return 0;
}

int pw_send_repair_start(struct pw_send_repair_run *r, const struct pw_send_repair_options *o,
	struct pw_job *job, struct pw_err *err)
{
	struct pw_repair_server_config cfg = {
		.session_bytes = job->files.total_bytes, .check = check, .ctx = r, .log = job->log};
	int result;

	*r = (struct pw_send_repair_run){.opt = o, .job = job, .start_ns = pw_clock_ns()};
	if (!strcmp(o->where, PW_SEND_REPAIR_AUTO)) {
		cfg.listen = job->flow.src;
		cfg.listen.port = 0;
	} else if (pw_addr_parse("--repair", o->where, 0, &cfg.listen, err) < 0) {
		return -EINVAL;
	}
	if (pw_addr_is_linklocal(&cfg.listen))
		return pw_err_set(err, EINVAL,
			"cannot use --repair with a link-local address: receivers do not know its "
			"interface; give another address of this host with --repair=ADDR:PORT");
	result = sort_names(r, err);
	if (result == 0)
		result = start_rate(r, &cfg, err);
	if (result == 0)
		result = pw_repair_server_start(&r->server, &cfg, err);
	if (result)
		return result;
	job->repair = (struct pw_send_repair){.url = pw_repair_server_url(r->server),
		.ask = ask,
		.listen = listen_to,
		.rate = r->rate ? rate : NULL,
		.ctx = r};
	pw_info(job->log, "receivers report to %s", job->repair.url);
	return 0;
}

static int worst_first(const void *a, const void *b)
{
	const struct pw_repair_receiver *x = a, *y = b;

	if (x->is_complete != y->is_complete)
		return x->is_complete ? 1 : -1;
	return x->first_ns < y->first_ns ? -1 : x->first_ns > y->first_ns;
}

void pw_send_repair_end(struct pw_send_repair_run *r)
{
	const size_t n = pw_repair_server_receivers(r->server, NULL, 0);
	struct pw_ratectl_state st;
	size_t i;

	if (r->rate) {
		pw_send_repair_rate_state(r, &st);
		r->bound_from = pw_repair_server_from(r->server, st.receiver);
	}
	r->receivers = calloc(n + 1, sizeof(*r->receivers));
	if (r->receivers)
		r->n_receivers =
			pw_min_u64(n, pw_repair_server_receivers(r->server, r->receivers, n));
	for (i = 0; i < r->n_receivers; i++)
		r->n_whole += r->receivers[i].is_complete;
	r->n_unheard = n_unheard(r, r->n_receivers);
	if (r->n_receivers)
		qsort(r->receivers, r->n_receivers, sizeof(*r->receivers), worst_first);
	r->n_refused = pw_repair_server_refused(r->server);
	pw_repair_server_stop(r->server);
	r->server = NULL;
}

bool pw_send_repair_is_whole(const struct pw_send_repair_run *r)
{
	return r->n_receivers && r->n_whole == r->n_receivers && !r->n_unheard;
}

void pw_send_repair_finish(struct pw_send_repair_run *r)
{
	pw_repair_server_stop(r->server);
	if (r->rate)
		pthread_mutex_destroy(&r->rate_lock);
	pw_ratectl_destroy(r->rate);
	pw_gaps_finish(&r->gaps);
	free(r->by_name);
	free(r->receivers);
	*r = (struct pw_send_repair_run){0};
}
