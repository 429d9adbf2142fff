/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Probes the path: a job without files whose rate is that of --rate auto, and receivers that report what came.
 *
 *   wait      a trickle, until somebody answers
 *   search    the controller of --rate auto: until two seconds pass without a step back
 *   prove     what the slowest receiver took then, without a change, for two seconds; a lower rate if packets are lost
 *   try       a higher rate, for a second: if nothing is lost, it is proved in turn
 */
#include "app/doctor/path.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/jobprobe.h"
#include "app/cli/cli.h"
#include "app/cmd_send_repair.h"
#include "base/bytes.h"
#include "base/clock.h"

#define ID "path.rate"

#define ANSWER_NS (3 * PW_NS_PER_S)      /* in which the first receiver answers */
#define SEARCH_NS (6 * PW_NS_PER_S)      /* at most */
#define QUIET_NS  (2 * PW_NS_PER_S)      /* the search ends after so long without a step back, */
#define CLIMB_NS  PW_NS_PER_S            /* if it has climbed, in this time, */
#define CLIMB     1.08                   /* less than by this factor */
#define SETTLE_NS (3 * PW_NS_PER_S / 10) /* until reports are about the new rate */
#define PROOF_NS  (2 * PW_NS_PER_S)
#define PROOFS    3    /* at most */
#define BELOW     0.93 /* of the rate whose proof failed: the next one */
#define TRIAL_NS  PW_NS_PER_S
#define ABOVE     1.3 /* of the rate that is proved: whether the path takes more */
#define REACHED   0.9 /* of a rate: less is all that the sender can */
#define MOST_BITS (8 * 64e9)

enum phase { WAITS, SEARCHES, PROVES, TRIES };

/* What a receiver had reported when counting began. */
struct base {
	uint64_t expected, seen, time_us;
};

/* A rate, and what the receiver lost that lost most. */
struct proof {
	double bps;
	uint64_t expected, lost;
};

struct probe {
	const struct pw_doctor_options *opt;
	struct pw_job_options set;
	struct pw_send_repair_options repair;
	struct pw_job job;
	struct pw_send_repair_run run;
	struct pw_send_repair inner; /* whose rate is followed */
	char url[PW_REPAIR_URL_MAX]; /* where receivers reported */
	enum phase phase;
	uint64_t start_ns, end_ns;
	uint64_t phase_ns; /* when the phase began */
	struct pw_rate_sent sent;
	struct base *base; /* of n_base receivers; NULL: not yet */
	size_t n_base;
	uint64_t base_ns, base_bits;
	/* the search */
	struct pw_ratectl_state st;
	uint64_t n_backs, back_ns; /* steps back, and the time of the last one, or of the start */
	double climb_bps;          /* the rate CLIMB_NS ago, and how much was sent then */
	uint64_t climb_ns, climb_bits;
	double sent_bps; /* in the last whole CLIMB_NS */
	bool has_climbed;
	/* the proof */
	struct proof first, proved, proof; /* proved.bps 0: none is yet */
	unsigned int n_proofs;
	size_t n_receivers;
};

/* The receivers with their last reports; *list: malloc. */
static size_t list_receivers(struct probe *p, struct pw_repair_receiver **list)
{
	const size_t n = pw_repair_server_receivers(p->run.server, NULL, 0);

	*list = calloc(n + 1, sizeof(**list));
	return *list ? pw_min_u64(n, pw_repair_server_receivers(p->run.server, *list, n)) : 0;
}

static void take_base(struct probe *p)
{
	struct pw_repair_receiver *list;
	size_t i;

	p->base_ns = p->end_ns;
	p->base_bits = p->sent.bits;
	p->n_base = list_receivers(p, &list);
	p->base = calloc(p->n_base + 1, sizeof(*p->base));
	for (i = 0; p->base && i < p->n_base; i++)
		p->base[i] = (struct base){list[i].report.symbols_expected,
			list[i].report.symbols_seen, list[i].report.time_us};
	free(list);
}

static void drop_base(struct probe *p)
{
	free(p->base);
	p->base = NULL;
}

/* What the slowest receiver took since the base, in bit/s of frames; INFINITY: nobody said. */
static double taken_bps(struct probe *p)
{
	const double bits = (double)p->sent.bits / (double)pw_max_u64(p->sent.packets, 1);
	struct pw_repair_receiver *list;
	double least = INFINITY;
	size_t i, n;

	n = list_receivers(p, &list);
	for (i = 0; p->base && i < pw_min_u64(n, p->n_base); i++) {
		const struct pw_repair_report *r = &list[i].report;

		if (r->time_us > p->base[i].time_us && r->symbols_seen >= p->base[i].seen)
			least = fmin(least, (double)(r->symbols_seen - p->base[i].seen) * bits *
						    1e6 /
						    (double)(r->time_us - p->base[i].time_us));
	}
	free(list);
	return least;
}

static void begin(struct probe *p, enum phase phase, double bps, uint64_t now)
{
	p->phase = phase;
	p->phase_ns = now;
	p->proof = (struct proof){.bps = fmax(bps, PW_RATECTL_LEAST_BPS)};
	drop_base(p);
}

/* Whether the controller has found its rate, or does not get further. */
static bool has_found(struct probe *p, double bps, uint64_t now)
{
	if (p->st.n_backs != p->n_backs) {
		p->n_backs = p->st.n_backs;
		p->back_ns = now;
		drop_base(p);
	}
	if (!p->base && now >= p->back_ns + SETTLE_NS)
		take_base(p);
	if (now >= p->climb_ns + CLIMB_NS) {
		p->sent_bps =
			(double)(p->sent.bits - p->climb_bits) * 1e9 / (double)(now - p->climb_ns);
		p->has_climbed = bps > CLIMB * p->climb_bps;
		p->climb_bps = bps;
		p->climb_bits = p->sent.bits;
		p->climb_ns = now;
	}
	if (p->has_climbed || bps > CLIMB * p->climb_bps)
		return false;
	return now >= p->back_ns + QUIET_NS && (p->n_backs || p->st.bound == PW_RATE_BOUND_SENDER);
}

static double search(struct probe *p, uint64_t now)
{
	double bps = p->inner.rate(p->inner.ctx, &p->sent, now);

	pw_send_repair_rate_state(&p->run, &p->st);
	if (!has_found(p, bps, now) && now < p->phase_ns + SEARCH_NS)
		return bps;
	if (p->st.bound == PW_RATE_BOUND_SENDER)
		bps = fmin(bps, p->sent_bps);
	begin(p, PROVES, fmin(bps, taken_bps(p)), now);
	return p->proof.bps;
}

/* What was lost since the base, at the receiver that lost most. */
static void sum_loss(struct probe *p)
{
	struct pw_repair_receiver *list;
	double most = -1;
	size_t i;

	p->n_receivers = list_receivers(p, &list);
	for (i = 0; p->base && i < pw_min_u64(p->n_base, p->n_receivers); i++) {
		const struct pw_repair_report *r = &list[i].report;
		const uint64_t n =
			r->symbols_expected - pw_min_u64(r->symbols_expected, p->base[i].expected);
		const uint64_t seen =
			r->symbols_seen - pw_min_u64(r->symbols_seen, p->base[i].seen);
		const uint64_t lost = n - pw_min_u64(n, seen);

		if (n == 0 || (double)lost / (double)n <= most)
			continue;
		most = (double)lost / (double)n;
		p->proof.expected = n;
		p->proof.lost = lost;
	}
	free(list);
}

static double loss_of(const struct proof *proof)
{
	return proof->expected ? (double)proof->lost / (double)proof->expected : 0;
}

/* More than the aim, beyond what chance makes of it. */
static bool loses(const struct proof *proof)
{
	const double mean = PW_RATECTL_LOSS * (double)proof->expected;

	return (double)proof->lost > mean + 3 * sqrt(mean) + 1;
}

/* What the sender sent since the base. */
static double reached_bps(const struct probe *p, uint64_t now)
{
	return (double)(p->sent.bits - p->base_bits) * 1e9 /
	       (double)pw_max_u64(now - p->base_ns, 1);
}

static double next_proof(struct probe *p, double bps, uint64_t now)
{
	if (p->n_proofs == PROOFS)
		return 0;
	begin(p, PROVES, bps, now);
	return p->proof.bps;
}

/* Nothing was lost: the next rate, or 0. A sender that was held up tries again; one that cannot do more ends here. */
static double conclude_good(struct probe *p, uint64_t now)
{
	const double asked = p->proof.bps, reached = reached_bps(p, now);
	const bool is_reached = reached >= REACHED * asked;

	if (!is_reached) {
		p->proof.bps = reached;
		if (p->st.bound != PW_RATE_BOUND_SENDER && p->n_proofs < PROOFS)
			return next_proof(p, asked, now);
		p->st.bound = PW_RATE_BOUND_SENDER;
	}
	p->proved = p->proof;
	if (p->st.bound == PW_RATE_BOUND_SENDER || p->n_proofs == PROOFS)
		return 0;
	begin(p, TRIES, ABOVE * asked, now);
	return p->proof.bps;
}

/* What follows from a proof: the next rate, or 0: the probe ends. */
static double conclude(struct probe *p, uint64_t now)
{
	if (p->n_proofs++ == 0)
		p->first = p->proof;
	if (!loses(&p->proof))
		return conclude_good(p, now);
	if (p->proved.bps > 0)
		return 0;
	if (p->n_proofs > 1 && loss_of(&p->proof) > loss_of(&p->first) / 2) {
		p->proof = p->first; /* a lower rate does not help */
		return 0;
	}
	return next_proof(p, BELOW * p->proof.bps, now);
}

/* The same after a trial. */
static double conclude_trial(struct probe *p, uint64_t now)
{
	if (loses(&p->proof) || reached_bps(p, now) < REACHED * p->proof.bps)
		return 0;
	return next_proof(p, p->proof.bps, now);
}

static double measure(struct probe *p, uint64_t now)
{
	const uint64_t ns = p->phase == PROVES ? PROOF_NS : TRIAL_NS;

	if (!p->base && now >= p->phase_ns + SETTLE_NS)
		take_base(p);
	if (now < p->phase_ns + SETTLE_NS + ns)
		return p->proof.bps;
	sum_loss(p);
	return p->phase == PROVES ? conclude(p, now) : conclude_trial(p, now);
}

/* The job's rate; 0 ends the probe. */
static double rate(void *ctx, const struct pw_rate_sent *sent, uint64_t now)
{
	struct probe *p = ctx;

	p->sent = *sent;
	p->end_ns = now;
	if ((double)sent->bits >= MOST_BITS)
		return 0;
	if (p->phase >= PROVES)
		return measure(p, now);
	if (p->phase == SEARCHES)
		return search(p, now);
	if (!pw_repair_server_receivers(p->run.server, NULL, 0))
		return now < p->start_ns + ANSWER_NS ? PW_RATECTL_LEAST_BPS : 0;
	p->phase = SEARCHES;
	p->phase_ns = p->back_ns = p->climb_ns = now;
	return search(p, now);
}

static void plan(struct probe *p, const struct pw_doctor_job *job, const struct pw_log *log)
{
	const struct pw_doctor_options *opt = job->opt;

	p->opt = opt;
	p->set = (struct pw_job_options)PW_JOB_OPTIONS_DEFAULT;
	p->set.port.port = opt->port;
	p->set.port.mtu = (uint32_t)opt->mtu;
	p->set.port.cores = opt->core;
	p->set.port.no_huge = opt->no_huge;
	p->set.to = opt->to;
	p->set.from = opt->from;
	p->set.flow.vlan = (uint16_t)opt->vlan;
	p->set.set.rate.unit = PW_RATE_AUTO;
	p->repair.where = opt->repair ? opt->repair : PW_SEND_REPAIR_AUTO;
	p->job = (struct pw_job){.opt = &p->set,
		.log = log,
		.stopped = pw_stop_requested,
		.probe_bytes = PW_JOB_PROBE_BYTES};
}

static int send_probe(struct probe *p, struct pw_err *err)
{
	int r = pw_job_open(&p->job, err);

	if (r == 0)
		r = pw_send_repair_start(&p->run, &p->repair, &p->job, err);
	if (r)
		return r;
	p->inner = p->job.repair;
	snprintf(p->url, sizeof(p->url), "%s", p->inner.url);
	p->job.repair.rate = rate;
	p->job.repair.ctx = p;
	p->start_ns = pw_clock_ns();
	r = pw_job_probe(&p->job, err);
	p->n_receivers = pw_repair_server_receivers(p->run.server, NULL, 0);
	if (p->proved.bps > 0) /* what came after it did not hold */
		p->proof = p->proved;
	pw_send_repair_end(&p->run);
	return r;
}

/* As --rate takes it, rounded down. */
static const char *option_of(double bps, char buf[32])
{
	if (bps >= 1e9)
		snprintf(buf, 32, "%.2fG", floor(bps / 1e7) / 100);
	else if (bps >= 1e7)
		snprintf(buf, 32, "%.0fM", floor(bps / 1e6));
	else
		snprintf(buf, 32, "%.1fM", floor(bps / 1e5) / 10);
	return buf;
}

static json_t *figures(struct probe *p)
{
	const double bps = p->n_proofs ? p->proof.bps : 0;
	char from[64], option[32];

	return json_pack("{s:s, s:f, s:s*, s:I, s:I, s:I, s:s, s:s*, s:f, s:I}", "to", p->opt->to,
		"bps", bps, "rate", bps > 0 ? option_of(bps, option) : NULL, "receivers",
		(json_int_t)p->n_receivers, "packets", (json_int_t)p->proof.expected, "lost",
		(json_int_t)p->proof.lost, "bound", pw_send_repair_bound_name(p->st.bound),
		"receiver",
		p->st.bound > PW_RATE_BOUND_SENDER
			? pw_host_key_format(from, sizeof(from), p->run.bound_from)
			: NULL,
		"seconds", (double)(p->end_ns - p->start_ns) / 1e9, "bytes",
		(json_int_t)(p->sent.bits / 8));
}

static void report_nobody(const struct probe *p, struct pw_doctor_report *report)
{
	pw_doctor_add(report, PW_DOCTOR_FAIL, ID,
		"nobody answered the probe to %.100s in %d s: no receiver is there, or none "
		"reaches "
		"%.80s",
		p->opt->to, (int)(ANSWER_NS / PW_NS_PER_S), p->url);
	pw_doctor_set_fix(report,
		"pagewire recv --listen %.100s --out DIR --repair   # at the receivers, before the "
		"probe; they wait for the file afterwards",
		p->opt->to);
}

static void report_found(struct probe *p, struct pw_doctor_report *report)
{
	const struct proof *proof = &p->proof;
	char option[32], text[32], bound[128];

	if (p->n_proofs == 0) {
		pw_doctor_add(
			report, PW_DOCTOR_WARN, ID, "the probe was ended before it had a result");
		return;
	}
	pw_doctor_add(report, loses(proof) ? PW_DOCTOR_WARN : PW_DOCTOR_OK, ID,
		"%s to %zu receiver%s%s; %" PRIu64 " of %" PRIu64
		" packets lost (%.3f %%)%s; send with --rate %s",
		pw_units_bitrate(text, sizeof(text), proof->bps), p->n_receivers,
		p->n_receivers == 1 ? "" : "s",
		pw_send_repair_bound(&p->run, &p->st, bound, sizeof(bound)), proof->lost,
		proof->expected, 100 * loss_of(proof),
		loses(proof) ? ", which lower rates do not change" : "",
		option_of(proof->bps, option));
	if (loses(proof))
		pw_doctor_set_fix(report,
			"pagewire send FILE --port %.60s --to %.100s --rate %s --repair   # sends "
			"again "
			"what is lost",
			p->opt->port, p->opt->to, option_of(proof->bps, option));
}

static bool has_failed(const struct pw_doctor_report *report)
{
	return pw_doctor_count(report, PW_DOCTOR_FAIL);
}

json_t *pw_doctor_check_path(const struct pw_doctor_job *job, struct pw_doctor_report *report,
	const struct pw_log *log, struct pw_err *err)
{
	struct probe *p = calloc(1, sizeof(*p));
	json_t *result = NULL;
	bool usage;
	int r;

	err->code = 0;
	if (!p) {
		pw_err_set(err, ENOMEM, "cannot probe the path: out of memory");
		return NULL;
	}
	plan(p, job, log);
	if (has_failed(report)) {
		pw_doctor_add(report, PW_DOCTOR_SKIP, ID, "not probed: a check failed");
		goto free_probe;
	}
	r = pw_send_repair_check(&p->repair, &p->set, err);
	if (r == 0)
		r = pw_job_plan(&p->job, NULL, 0, &usage, err);
	if (r)
		goto finish_job;
	r = send_probe(p, err);
	err->code = 0; /* the rest is a result */
	if (r)
		pw_doctor_add(report, PW_DOCTOR_FAIL, ID, "%s", err->msg);
	else if (p->n_receivers == 0)
		report_nobody(p, report);
	else
		report_found(p, report);
	if (r == 0)
		result = figures(p);
finish_job:
	pw_job_finish(&p->job);
	pw_send_repair_finish(&p->run);
	drop_base(p);
free_probe:
	free(p);
	return result;
}
