/* SPDX-License-Identifier: BSD-3-Clause */
/* libpagewire's sender: a send job whose symbols the program asks for, in any order. */
#include <assert.h>
#include <errno.h>
#include <pagewire.h>
#include <stdlib.h>
#include <string.h>

#include "api/job.h"
#include "base/bytes.h"
#include "file/guard.h"
#include "send/send_private.h"

static_assert(PAGEWIRE_BURST == PW_BURST, "the public burst is the path's");
static_assert(PAGEWIRE_MAX_FILES == PW_SEND_GROUP, "the public files are one FDT group");

struct pagewire {
	struct pw_job_options options;
	struct pw_job job;
	struct pw_send_result result;
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
	o->set.lead_ns = 0;
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
		r = pw_send_open_group(job->send, &pw->result, 0, &pw->err);
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

static struct pw_send_slot *slot_of(const struct pagewire *pw, unsigned int i)
{
	const struct pw_send *s = pw->job.send;

	return s && i < s->n_group ? s->group[i] : NULL;
}

uint64_t pagewire_symbols(const struct pagewire *pw, unsigned int i)
{
	const struct pw_send_slot *slot = slot_of(pw, i);

	return slot ? slot->obj.blocks.n_symbols : 0;
}

uint64_t pagewire_bytes(const struct pagewire *pw, unsigned int i)
{
	const struct pw_send_slot *slot = slot_of(pw, i);

	return slot ? slot->win.len_bytes : 0;
}

const void *pagewire_pages(const struct pagewire *pw, unsigned int i)
{
	const struct pw_send_slot *slot = slot_of(pw, i);
	const struct pw_extent *first, *last;

	if (!slot || slot->win.n_extents == 0)
		return NULL;
	first = &slot->win.extents[0];
	last = &slot->win.extents[slot->win.n_extents - 1];
	/* extents that differ only in their IOVAs are one mapping */
	return last->va - first->va == (ptrdiff_t)last->offset ? first->va : NULL;
}

int pagewire_announce(struct pagewire *pw)
{
	int r;

	if (!pw->job.send)
		return pw_err_set(&pw->err, EINVAL,
			"cannot announce: the sender is not open; call pagewire_open()");
	r = pw_send_fdt(pw->job.send, false, &pw->err);
	pw->announced |= r == 0;
	return r;
}

/* Pages that are gone were replaced by zeros, which receivers must not take for the file. */
static int check_lost(struct pagewire *pw, const struct pw_send_slot *slot)
{
	const char *fault;

	if (!pw_guard_any_lost())
		return 0;
	if (pw_guard_lost(slot->guard))
		return pw_err_set(&pw->err, EIO,
			"cannot send %s: it was truncated after pagewire_open(); leave files alone "
			"while they are sent, and open it again",
			slot->file->path);
	fault = pw_dpdk_tx_ops.fault(pw->job.tx);
	return fault ? pw_err_set(&pw->err, EIO, "cannot send: %s", fault) : 0;
}

int pagewire_burst(struct pagewire *pw, unsigned int i, uint64_t first, unsigned int n)
{
	struct pw_send_slot *slot = slot_of(pw, i);
	struct pw_tx_burst b = {0};
	uint32_t sbn, esi;
	uint16_t taken;
	int r;

	if (!slot || n == 0 || n > PW_BURST || first >= slot->obj.blocks.n_symbols ||
		n > slot->obj.blocks.n_symbols - first)
		return pw_err_set(&pw->err, EINVAL,
			"cannot send %u symbols: they are not in file %u; see pagewire_symbols()",
			n, i);
	pw_blocks_locate(&slot->obj.blocks, first, &sbn, &esi);
	b.obj = &slot->obj;
	b.offset = first * slot->obj.blocks.symbol_len;
	b.sbn = (uint16_t)sbn;
	b.esi = (uint16_t)esi;
	b.n = (uint16_t)pw_min_u64(n, pw_blocks_block_len(&slot->obj.blocks, sbn) - esi);
	r = check_lost(pw, slot);
	if (r)
		return r;
	taken = pw_dpdk_tx_ops.send(pw->job.tx, &b);
	r = check_lost(pw, slot); /* the driver may have copied a page that is gone */
	return r ? r : taken;
}

void pagewire_counters(const struct pagewire *pw, struct pagewire_counters *out)
{
	struct pw_tx_counters c;

	memset(out, 0, sizeof(*out));
	if (!pw->job.tx)
		return;
	pw_dpdk_tx_sum(pw->job.tx, &c);
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
		pw_send_close_session(pw->job.send, NULL);
	pw_job_finish(&pw->job);
	free(pw);
}
