/* SPDX-License-Identifier: BSD-3-Clause */
#include "api/job_private.h"

#include <errno.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "host/hugepages.h"

int pw_job_choose_pages(struct pw_job *job, const char *path, uint64_t len_bytes,
	enum pw_pages *chosen, struct pw_err *err)
{
	bool huge = false, may_stream = job->opt->pages == PW_PAGES_AUTO && !job->no_stream &&
					job->spec.kind != PW_PORT_UDP;
	uint64_t page_bytes;
	int r = pw_hugefile_probe(path, &huge, &page_bytes, err);

	if (r == 0)
		r = pw_dpdk_choose_pages(
			job->traits, job->opt->pages, huge, job->readonly_maps, path, chosen, err);
	if (r || !may_stream || len_bytes == 0)
		return r;
	if ((*chosen == PW_PAGES_STAGE && job->stream_staged) ||
		(*chosen == PW_PAGES_PAGECACHE && !pw_pagecache_holds(len_bytes)))
		*chosen = PW_PAGES_STREAM;
	return 0;
}

/* The provider of each file, how many bytes each of them holds, and the first streamed file. */
struct shares {
	enum pw_pages *pages;
	uint64_t staged_bytes; /* of the heap, parity included */
	uint64_t streamed_bytes;
	uint64_t n_streamed;
	const char *streamed;
};

static int share_out(struct pw_job *job, struct shares *s, struct pw_err *err)
{
	size_t i;
	int r = 0;

	*s = (struct shares){.pages = s->pages};
	job->n_in_place = 0;
	job->mixed_pages = false;
	for (i = 0; r == 0 && i < job->files.n; i++) {
		const struct pw_file *f = &job->files.v[i];
		enum pw_pages pages = PW_PAGES_AUTO;

		r = pw_job_choose_pages(job, f->path, f->len_bytes, &pages, err);
		if (i == 0)
			job->first_pages = pages;
		job->mixed_pages |= pages != job->first_pages;
		s->pages[i] = pages;
		if (pages == PW_PAGES_STAGE)
			s->staged_bytes += pw_dpdk_stage_file_bytes(f->len_bytes);
		else if (pages != PW_PAGES_STREAM)
			job->n_in_place += f->len_bytes > 0;
		if (r == 0 && job->fec.k && !f->gap && pages != PW_PAGES_STREAM)
			r = pw_job_fec_add(&job->fec, f, pages == PW_PAGES_HUGEFILE,
				job->symbol_len, &s->staged_bytes, err);
		if (pages != PW_PAGES_STREAM)
			continue;
		s->streamed = s->streamed ? s->streamed : f->path;
		s->streamed_bytes += f->len_bytes;
		s->n_streamed++;
	}
	return r;
}

/* Bytes of huge pages that EAL finds free. */
static uint64_t huge_bytes(const struct pw_job *job)
{
	struct pw_hugepages hp;

	if (job->opt->port.no_huge || pw_hugepages_read(NULL, &hp, NULL) < 0)
		return 0;
	return pw_hugepages_free_bytes(&hp);
}

/* True when EAL gets memory for the staged files: on huge pages, or on ordinary pages where there are
 * not even enough huge pages for the ring of a stream. */
static bool stage_fits(const struct pw_job *job, uint64_t staged_bytes)
{
	const struct pw_job_options *o = job->opt;
	uint64_t pools = pw_dpdk_pool_bytes(o->port.mtu, o->port.queue_size, o->port.n_queues);
	uint64_t need = pools + pw_dpdk_stage_bytes(staged_bytes);
	uint64_t free_bytes = huge_bytes(job);

	if (o->port.memory_bytes)
		return need <= o->port.memory_bytes;
	if (need <= free_bytes)
		return true;
	return job->spec.kind != PW_PORT_PCI && free_bytes < pools + o->stream_bytes &&
	       pw_pagecache_holds(need);
}

/* The bands of the streamed files with parity, and what they need of the ring. */
static int plan_bands(
	struct pw_job *job, const struct shares *s, struct pw_stream_need *need, struct pw_err *err)
{
	struct pw_job_bands *bands = &job->bands;
	size_t i;
	int r = 0;

	*bands = (struct pw_job_bands){0};
	for (i = 0; r == 0 && job->fec.k && i < job->files.n; i++)
		if (s->pages[i] == PW_PAGES_STREAM && !job->files.v[i].gap)
			r = pw_job_fec_stream(
				bands, &job->fec, &job->files.v[i], &job->stripe, need, err);
	need->file_bytes += bands->parity_bytes;
	need->n_parts += bands->n_parts;
	/* the last band of a pass is in the ring while the first one of the next is read */
	if (bands->n_parts && job->opt->set.loops != 1) {
		need->file_bytes *= 2;
		need->n_parts *= 2;
	}
	return r;
}

static int plan_ring(
	struct pw_job *job, const struct shares *s, struct pw_stream_need need, struct pw_err *err)
{
	int r = plan_bands(job, s, &need, err);

	return r ? r : pw_stream_plan(&job->stream, &need, err);
}

static int plan_stream(struct pw_job *job, const struct shares *s, struct pw_err *err)
{
	const struct pw_port_config *port = &job->opt->port;
	struct pw_stream_need need = {
		.memory_bytes = job->opt->stream_bytes,
		.symbol_len = job->symbol_len,
		.file_bytes = s->streamed_bytes,
		.n_parts = s->n_streamed,
		.out_bytes = (uint64_t)pw_dpdk_tx_mbufs(port->queue_size) * job->symbol_len *
			     pw_job_n_queues(job->opt),
	};
	uint64_t fixed = pw_dpdk_pool_bytes(port->mtu, port->queue_size, port->n_queues) +
			 pw_dpdk_stage_bytes(s->staged_bytes + 1) + (8u << 20);
	uint64_t huge = huge_bytes(job);
	int r = 0;

	/* prefer a smaller ring on huge pages to a larger one on ordinary pages */
	if (huge > fixed && huge - fixed < need.memory_bytes && !port->memory_bytes)
		need.memory_bytes = huge - fixed;
	if (plan_ring(job, s, need, NULL)) {
		need.memory_bytes = job->opt->stream_bytes;
		r = plan_ring(job, s, need, err);
	}
	return r ? r : pw_stream_probe(s->streamed, &job->stream_direct, err);
}

static int plan_all(struct pw_job *job, struct shares *s, struct pw_err *err)
{
	int r = share_out(job, s, err);

	if (r == 0 && s->staged_bytes && job->opt->pages == PW_PAGES_AUTO && !job->no_stream &&
		!stage_fits(job, s->staged_bytes)) {
		job->stream_staged = true;
		r = share_out(job, s, err);
	}
	if (r == 0 && s->n_streamed)
		r = plan_stream(job, s, err);
	if (r)
		return r;
	job->stage_bytes = pw_dpdk_stage_bytes(
		s->staged_bytes + job->probe_bytes + pw_stream_plan_bytes(&job->stream));
	return 0;
}

int pw_job_plan_pages(struct pw_job *job, struct pw_err *err)
{
	struct shares s = {.pages = calloc(job->files.n + 1, sizeof(*s.pages))};
	int r = s.pages ? plan_all(job, &s, err)
			: pw_err_set(err, ENOMEM, "cannot plan the files: out of memory");

	free(s.pages);
	return r;
}
