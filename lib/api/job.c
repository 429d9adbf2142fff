/* SPDX-License-Identifier: BSD-3-Clause */
/* Plans, opens and runs a send job. */
#include "api/job.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "api/job_private.h"
#include "api/jobflow.h"
#include "api/jobpace.h"
#include "api/jobsock.h"
#include "api/jobtelemetry.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "kernel/hostname.h"
#include "kernel/way.h"
#include "send/stripe.h"
#include "send/tsi.h"

#define UDP_MAX_PAYLOAD 65507u
#define RESOLVE_MAX_NS  (5 * PW_NS_PER_S)
#define VA_RANGE        (128ull << 30) /* address space in which mappings for a device cycle */
#define FDS_BESIDE      64             /* descriptors of EAL, the driver and the program */

static int usage_error(bool *usage, int r)
{
	*usage = true;
	return r;
}

static const char *from_environment(const char *name)
{
	return getenv(name);
}

/* The stripe and the TSI. A receiver recognizes the stripes of a session by their TSI. */
static int plan_session(struct pw_job *job, struct pw_err *err)
{
	const struct pw_job_options *o = job->opt;
	uint32_t tsi = 0;
	int r = 0;

	if (o->stripe)
		r = pw_stripe_choose(o->stripe, from_environment, &job->stripe, &tsi, err);
	if (r)
		return r;
	if (o->tsi != PW_JOB_DRAW_TSI)
		tsi = (uint32_t)o->tsi;
	else if (tsi == 0 && pw_stripe_is_shared(&job->stripe))
		return pw_err_set(err, EINVAL,
			"cannot use --stripe %s: the stripes of a session have one TSI; give all "
			"of them the same --tsi",
			o->stripe);
	else if (tsi == 0)
		tsi = pw_tsi_draw();
	job->tsi = tsi;
	if (pw_stripe_is_shared(&job->stripe) && o->set.digest == PW_DIGEST_NONE)
		return pw_err_set(err, EINVAL,
			"cannot use --stripe %s with --digest none: without a digest nothing shows "
			"that all hosts have the same file; use another --digest",
			o->stripe);
	return 0;
}

/* A host name is resolved to the IP version of the other address, where that is given in numbers. */
static int plan_addresses(const struct pw_job_options *o, struct pw_flow *f, struct pw_err *err)
{
	const uint8_t family = o->from ? pw_addr_family(o->from) : 0;
	int r = pw_addr_resolve("--to", o->to, PW_ALC_PORT, family, &f->dst, err);

	if (r || !o->from)
		return r;
	r = pw_addr_resolve("--from", o->from, f->dst.port, f->dst.family, &f->src, err);
	if (r || f->src.family == f->dst.family)
		return r;
	return pw_err_set(err, EINVAL,
		"cannot send from --from '%s' to --to '%s': one is IPv4, the other IPv6; give both "
		"in the same version",
		o->from, o->to);
}

static int plan_flow(struct pw_job *job, struct pw_err *err)
{
	const struct pw_job_options *o = job->opt;
	struct pw_flow *f = &job->flow;
	int r;

	*f = o->flow;
	r = plan_addresses(o, f, err);
	if (!r && o->to_mac)
		r = pw_mac_parse("--to-mac", o->to_mac, f->dst_mac, err);
	if (r)
		return r;
	if (!f->ttl)
		f->ttl = pw_addr_is_multicast(&f->dst) ? 1 : 64;
	if (f->dst.family == 6 && o->udp_checksum == PW_CSUM_NONE)
		return pw_err_set(err, EINVAL,
			"cannot use --udp-checksum none with IPv6: RFC 8200 forbids it; use auto, "
			"offload or software");
	return 0;
}

static int plan_symbol(struct pw_job *job, struct pw_err *err)
{
	const struct pw_job_options *o = job->opt;
	bool wide = job->tsi > UINT16_MAX || job->files.n >= UINT16_MAX;
	struct pw_alc_hdr hdr = {0};
	uint64_t overhead = pw_frame_l3_overhead(&job->flow) + pw_alc_len(&hdr, wide);
	uint64_t max = o->port.mtu > overhead ? o->port.mtu - overhead : 0;

	max = pw_min_u64(max, UDP_MAX_PAYLOAD - pw_alc_len(&hdr, wide));
	job->symbol_len = o->symbol_len;
	if (job->symbol_len == 0)
		job->symbol_len = (uint32_t)pw_min_u64(
			pw_send_symbol_for_mtu(&job->flow, o->port.mtu, wide), max);
	if (job->symbol_len == 0 || job->symbol_len > max)
		return pw_err_set(err, EINVAL,
			"cannot use --symbol %" PRIu32 ": with --mtu %" PRIu32
			" a packet carries 1 to %" PRIu64 " bytes; lower --symbol or raise --mtu",
			o->symbol_len, o->port.mtu, max);
	return 0;
}

static int plan_port(struct pw_job *job, struct pw_err *err)
{
	char driver[64];
	int r = pw_portspec_parse(job->opt->port.port, &job->spec, err);

	if (r)
		return r;
	pw_portspec_driver(&job->spec, driver, sizeof(driver));
	if (job->spec.kind == PW_PORT_UDP && job->probe_bytes)
		return pw_err_set(err, EINVAL,
			"cannot probe the path through %s: a UDP socket of the kernel has no DPDK "
			"port behind it; use af_packet:%s",
			job->opt->port.port, job->spec.target);
	job->traits = pw_driver_traits(driver, job->spec.kind == PW_PORT_PCI, job->spec.target);
	job->readonly_maps = job->opt->pages == PW_PAGES_PAGECACHE &&
			     pw_dpdk_can_readonly(&job->spec, job->opt->port.iova);
	return job->spec.kind == PW_PORT_UDP ? pw_job_sock_plan(job->opt, err) : 0;
}

static void log_notes(const struct pw_job *job)
{
	const struct pw_filenotes *notes = &job->files.notes;
	const size_t n = pw_filenotes_kept(notes);
	size_t i;

	for (i = 0; i < n; i++)
		pw_warn(job->log, "%s", notes->text[i]);
	if (notes->n > n)
		pw_warn(job->log, "... and %zu more", notes->n - n);
}

int pw_job_plan(
	struct pw_job *job, char *const *operands, int n_operands, bool *usage, struct pw_err *err)
{
	const struct pw_job_options *o = job->opt;
	size_t i;
	int r;

	*usage = false;
	if (n_operands == 0 && !job->probe_bytes)
		return usage_error(usage,
			pw_err_set(err, EINVAL,
				"cannot send: no file is named; name a FILE or a directory"));
	if (!o->to || !o->port.port)
		return usage_error(usage, pw_err_set(err, EINVAL, "cannot send: %s is missing",
						  o->to ? "--port PORT" : "--to ADDR:PORT"));
	r = plan_session(job, err);
	if (!r)
		r = pw_job_fec_plan(o, &job->fec, err);
	if (!r)
		r = pw_job_pace_plan(o, err);
	if (!r)
		r = plan_flow(job, err);
	if (!r)
		r = plan_port(job, err);
	if (r)
		return usage_error(usage, r);
	if (o->sign)
		r = pw_signer_open(&job->signer, o->sign, job->log, err);
	if (!r && n_operands)
		r = pw_files_collect(&job->files, operands, (size_t)n_operands, err);
	for (i = 0; !r && i < o->gaps.n; i++)
		r = pw_gaps_load(o->gaps.v[i], &job->gaps, err);
	if (!r && o->gaps.n)
		r = pw_files_keep_gaps(&job->files, &job->gaps, err);
	if (r)
		return r;
	pw_files_note_names(&job->files);
	log_notes(job);
	r = plan_symbol(job, err);
	if (r)
		return usage_error(usage, r);
	return pw_job_plan_pages(job, err);
}

static int peer_mac(struct pw_job *job, struct pw_err *err)
{
	struct pw_flow *f = &job->flow;
	static const uint8_t all_ones[4] = {255, 255, 255, 255};

	memcpy(f->src_mac, job->info.mac, sizeof(f->src_mac));
	if (job->opt->to_mac)
		return 0;
	if (pw_addr_is_multicast(&f->dst)) {
		pw_addr_multicast_mac(&f->dst, f->dst_mac);
		return 0;
	}
	if (job->sock) /* the kernel asks */
		return 0;
	if (f->dst.family == 4 && !memcmp(f->dst.bytes, all_ones, sizeof(all_ones))) {
		memset(f->dst_mac, 0xff, sizeof(f->dst_mac));
		return 0;
	}
	pw_info(job->log, "asking for the receiver's MAC on %s", job->opt->port.port);
	return pw_dpdk_tx_resolve(job->tx, &f->src, &f->dst, f->vlan,
		pw_min_u64(job->opt->port.wait_ns, RESOLVE_MAX_NS), job->stopped, f->dst_mac, err);
}

/* The UDP checksum is optional for IPv4 and mandatory for IPv6 (RFC 8200 section 8.1). */
static int choose_csum(struct pw_job *job, struct pw_err *err)
{
	bool ipv6 = job->flow.dst.family == 6;

	switch (job->opt->udp_checksum) {
	case PW_CSUM_OFFLOAD:
		if (!job->info.csum_offload)
			return pw_err_set(err, ENOTSUP,
				"cannot use --udp-checksum offload: %s has none; use auto or "
				"software",
				job->info.driver);
		job->csum = PW_CSUM_OFFLOAD;
		break;
	case PW_CSUM_SOFTWARE:
		job->csum = PW_CSUM_SOFTWARE;
		break;
	default:
		job->csum = job->info.csum_offload ? PW_CSUM_OFFLOAD
			    : ipv6                 ? PW_CSUM_SOFTWARE
						   : PW_CSUM_NONE;
	}
	pw_dpdk_tx_set_csum(job->tx, job->csum, ipv6);
	return 0;
}

/* A window holds a descriptor while its packets are in flight. EAL raises the soft limit to the hard
 * one as it starts, so the hard one counts. */
static int check_nofile(const struct pw_job *job, struct pw_err *err)
{
	const uint64_t need = pw_min_u64(job->files.n, 2 * PW_SEND_GROUP) + FDS_BESIDE;
	struct rlimit nofile;

	if (getrlimit(RLIMIT_NOFILE, &nofile) || nofile.rlim_max >= need)
		return 0;
	return pw_err_set(err, EMFILE,
		"cannot open %zu files: RLIMIT_NOFILE allows %" PRIu64 " descriptors, %" PRIu64
		" are needed; raise its hard limit (ulimit -Hn, LimitNOFILE=)",
		job->files.n, (uint64_t)nofile.rlim_max, need);
}

static int open_sock(struct pw_job *job, struct pw_err *err)
{
	int r = pw_portspec_check(&job->spec, err);

	if (r)
		return r;
	pw_job_own_address(&job->flow, &job->spec, job->info.mac);
	job->info.driver = job->traits->driver;
	job->info.multi_segment = true;
	r = pw_job_sock_open(&job->sock, job->opt, &job->spec, &job->flow, job->log, err);
	return r ? r : peer_mac(job, err);
}

static int open_port(struct pw_job *job, struct pw_err *err)
{
	const struct pw_job_options *o = job->opt;
	const struct pw_dpdk_config cfg = {
		.set = o->port,
		.stage_bytes = job->stage_bytes,
		.readonly_maps = job->readonly_maps,
		/* in a virtual device the driver's CPU would do the work, which is not counted */
		.udp_csum_offload_wanted =
			o->udp_checksum == PW_CSUM_OFFLOAD ||
			(o->udp_checksum == PW_CSUM_AUTO && job->traits->reach == PW_REACH_DMA),
		.queue_mbps = pw_job_pace_queue_mbps(o),
		.require_hw_pacing = o->pacing == PW_PACING_HW,
		.keep_eal = job->keep_eal,
		.verbose = job->log && job->log->level >= PW_LOG_DEBUG,
		.cancelled = job->stopped,
	};
	int r = pw_portspec_check(&job->spec, err);

	if (!r)
		r = pw_dpdk_tx_open(&job->tx, &cfg, job->log, err);
	if (r)
		return r;
	pw_dpdk_tx_info(job->tx, &job->info);
	job->traits = job->info.traits; /* of the driver; the port's name may not have shown all */
	pw_job_own_address(&job->flow, &job->spec, job->info.mac);
	r = choose_csum(job, err);
	return r ? r : peer_mac(job, err);
}

int pw_job_open(struct pw_job *job, struct pw_err *err)
{
	const int r = check_nofile(job, err);

	sched_getaffinity(0, sizeof(job->cpus), &job->cpus);
	if (r)
		return r;
	return job->spec.kind == PW_PORT_UDP ? open_sock(job, err) : open_port(job, err);
}

static int open_window(void *ctx, struct pw_window *w, const char *path, struct pw_err *err)
{
	struct pw_job *job = ctx;
	struct pw_stage_mem mem = pw_dpdk_stage_mem(job->tx);
	uint8_t *hint = job->info.va_hint;
	enum pw_pages pages = PW_PAGES_AUTO;
	struct stat st = {0};
	int r;

	/* the choice is the planned one, unless the file has grown: the sender refuses that */
	if (stat(path, &st) < 0)
		return pw_err_sys(err, errno, "cannot open %s", path);
	r = pw_job_choose_pages(job, path, (uint64_t)st.st_size, &pages, err);
	if (r)
		return r;
	if (pages == PW_PAGES_STREAM && job->stream.n_slots)
		return pw_stream_file_open(w, path, err);
	if (pages == PW_PAGES_STAGE)
		return pw_stage_open(w, path, job->symbol_len, &mem, NULL, NULL, err);
	if (hint)
		hint += job->va_next;
	if (pages == PW_PAGES_HUGEFILE)
		r = pw_hugefile_open(w, path, hint, err);
	else
		r = pw_pagecache_open(w, path, hint, err);
	w->populate = w->populate && !job->no_populate;
	if (r == 0)
		job->va_next = (job->va_next + pw_align_up(w->map_bytes, 1ull << 30)) % VA_RANGE;
	return r;
}

static int start_telemetry(struct pw_job *job, struct pw_err *err)
{
	const struct pw_job_telemetry_config cfg = {
		.port = job->opt->port.port,
		.driver = job->info.driver,
		.files = &job->files,
		.has_digests = job->opt->set.digest != PW_DIGEST_NONE,
		.tx = job->tx,
		.tick = job->tick,
		.tick_ctx = job->tick_ctx,
	};

	return job->opt->port.telemetry ? pw_job_telemetry_start(&job->telemetry, &cfg, err) : 0;
}

int pw_job_prepare(struct pw_job *job, struct pw_err *err)
{
	struct pw_send_config cfg;
	uint32_t i;
	int r = start_telemetry(job, err);

	if (r)
		return r;
	cfg = (struct pw_send_config){
		.ops = job->sock ? pw_job_sock_ops() : &pw_dpdk_tx_ops,
		.paths = job->queues,
		.n_paths = job->sock ? 1 : pw_dpdk_tx_n_queues(job->tx),
		.path_text = job->opt->port.port,
		.files = &job->files,
		.flow = job->flow,
		.mtu = job->opt->port.mtu,
		.symbol_len = job->symbol_len,
		.csum_offload = job->csum == PW_CSUM_OFFLOAD,
		.tsi = job->tsi,
		.stripe = job->stripe,
		.set = job->opt->set,
		.signer = job->signer,
		.open_window = open_window,
		.ctx = job,
		/* a program that chooses the symbols announces them once, with their digests */
		.digest_first_bytes = job->no_stream ? UINT64_MAX : PW_SEND_DIGEST_FIRST,
		.reader_cpus = &job->cpus,
		.stream = job->stream,
		.stage_mem = pw_dpdk_stage_mem(job->tx),
		.no_linger = job->traits->hands_over,
		.stopped = job->stopped,
		.tick = job->telemetry ? pw_job_telemetry_tick : job->tick,
		.tick_ctx = job->telemetry ? job->telemetry : job->tick_ctx,
		.stretch = job->stretch,
		.stretch_ctx = job->stretch_ctx,
		.repair = job->repair,
		.log = job->log,
	};

	cfg.set.fec = job->fec;
	pw_job_pace_config(job->opt, job->info.queue_mbps, &cfg);
	for (i = 0; i < cfg.n_paths; i++)
		job->queues[i] = job->sock ? job->sock : pw_dpdk_tx_queue(job->tx, (uint16_t)i);
	return pw_send_create(&job->send, &cfg, err);
}

static void stop_telemetry(struct pw_job *job)
{
	pw_job_telemetry_stop(job->telemetry);
	job->telemetry = NULL;
}

int pw_job_run(struct pw_job *job, struct pw_err *err)
{
	int r = pw_job_prepare(job, err);

	if (r)
		return r;
	r = pw_send_run(job->send, &job->result, err);
	stop_telemetry(job);
	if (job->tx) /* it must not read windows that are closed */
		pw_dpdk_tx_stop(job->tx);
	pw_send_destroy(job->send);
	job->send = NULL;
	return r;
}

const struct pw_tx_counters *pw_job_counters(struct pw_job *job)
{
	if (job->sock)
		return pw_job_sock_ops()->counters(job->sock);
	pw_dpdk_tx_sum(job->tx, &job->counters);
	return &job->counters;
}

void pw_job_finish(struct pw_job *job)
{
	stop_telemetry(job);
	if (job->tx)
		pw_dpdk_tx_stop(job->tx);
	pw_send_destroy(job->send);
	job->send = NULL;
	pw_dpdk_tx_close(job->tx);
	job->tx = NULL;
	pw_way_close(job->sock);
	job->sock = NULL;
	pw_files_finish(&job->files);
	pw_signer_close(job->signer);
	job->signer = NULL;
	pw_gaps_finish(&job->gaps);
}
