/* SPDX-License-Identifier: BSD-3-Clause */
/* libpagewire's sender: a send job whose symbols the program asks for, in any order. */
#include <assert.h>
#include <errno.h>
#include <pagewire.h>
#include <stdlib.h>
#include <string.h>

#include "api/job.h"
#include "api/jobsock.h"
#include "send/direct.h"

static_assert(PAGEWIRE_BURST == PW_BURST, "the public burst is the path's");
static_assert(PAGEWIRE_MAX_FILES == PW_SEND_GROUP, "the public files are one FDT group");

struct pagewire {
	struct pw_job_options options;
	struct pw_job job;
	struct pw_err err;
	bool announced;
};

static int translate(struct pagewire *pw, const struct pagewire_config *c)
{
	struct pw_job_options *o = &pw->options;
	enum pw_pages pages = PW_PAGES_AUTO;

	*o = (struct pw_job_options)PW_JOB_OPTIONS_DEFAULT;
	o->port.port = c->port;
	o->port.cores = c->core;
	o->port.no_huge = c->no_huge;
	o->to = c->to;
	o->from = c->from;
	if (c->mtu)
		o->port.mtu = c->mtu;
	if (c->tsi)
		o->tsi = c->tsi;
	if (c->wait_ms)
		o->port.wait_ns = c->wait_ms * 1000000ull;
	o->symbol_len = c->symbol_bytes;
	if (c->pages && !pw_pages_parse(c->pages, &pages))
		return pw_err_set(&pw->err, EINVAL,
			"cannot use pages '%s': it is not a provider; use auto, hugefile, "
			"pagecache or "
			"stage",
			c->pages);
	if (pages == PW_PAGES_STREAM)
		return pw_err_set(&pw->err, EINVAL,
			"cannot use pages stream: it has symbols only in order; use auto, "
			"hugefile, "
			"pagecache or stage");
	o->pages = pages;
	return 0;
}

static int start(struct pagewire *pw, const char *const *paths, unsigned int n)
{
	struct pw_job *job = &pw->job;
	bool usage;
	int r;

	job->opt = &pw->options;
	job->no_stream = true;
	job->keep_eal = true;
	r = pw_job_plan(job, (char *const *)(uintptr_t)paths, (int)n, &usage, &pw->err);
	if (r)
		return r;
	if (job->files.n > PAGEWIRE_MAX_FILES)
		return pw_err_set(&pw->err, E2BIG,
			"cannot open %zu files: the limit is %d; open fewer at once", job->files.n,
			PAGEWIRE_MAX_FILES);
	r = pw_job_open(job, &pw->err);
	if (!r)
		r = pw_job_prepare(job, &pw->err);
	if (!r)
		r = pw_send_open(job->send, &pw->err);
	return r;
}

int pagewire_open(struct pagewire **out, const struct pagewire_config *config,
	const char *const *paths, unsigned int n_paths)
{
	struct pagewire *pw = calloc(1, sizeof(*pw));
	int r;

	*out = pw;
	if (!pw)
		return -ENOMEM;
	r = translate(pw, config);
	return r ? r : start(pw, paths, n_paths);
}

static struct pw_send_file_view view(const struct pagewire *pw, unsigned int i)
{
	struct pw_send_file_view v = {0};

	if (pw->job.send)
		pw_send_view(pw->job.send, i, &v);
	return v;
}

uint64_t pagewire_symbols(const struct pagewire *pw, unsigned int i)
{
	return view(pw, i).n_symbols;
}

uint64_t pagewire_bytes(const struct pagewire *pw, unsigned int i)
{
	return view(pw, i).len_bytes;
}

const void *pagewire_pages(const struct pagewire *pw, unsigned int i)
{
	return view(pw, i).pages;
}

int pagewire_announce(struct pagewire *pw)
{
	int r;

	if (!pw->job.send)
		return pw_err_set(&pw->err, EINVAL,
			"cannot announce: the sender is not open; call pagewire_open()");
	r = pw_send_announce(pw->job.send, &pw->err);
	pw->announced |= r == 0;
	return r;
}

int pagewire_burst(struct pagewire *pw, unsigned int i, uint64_t first, unsigned int n)
{
	if (!pw->job.send)
		return pw_err_set(&pw->err, EINVAL,
			"cannot send: the sender is not open; call pagewire_open()");
	return pw_send_burst(pw->job.send, i, first, n, &pw->err);
}

void pagewire_counters(const struct pagewire *pw, struct pagewire_counters *out)
{
	struct pw_tx_counters c;

	memset(out, 0, sizeof(*out));
	if (pw->job.sock)
		c = *pw_job_sock_ops()->counters(pw->job.sock);
	else if (pw->job.tx)
		pw_dpdk_tx_sum(pw->job.tx, &c);
	else
		return;
	out->packets = c.packets;
	out->payload_bytes = c.payload_bytes;
	out->cpu_copied_bytes = c.cpu_copied_bytes;
	out->full_polls = c.full_polls;
}

const char *pagewire_error(const struct pagewire *pw)
{
	return pw->err.msg;
}

void pagewire_close(struct pagewire *pw)
{
	if (!pw)
		return;
	if (pw->announced)
		pw_send_close(pw->job.send, NULL);
	pw_job_finish(&pw->job);
	free(pw);
}
