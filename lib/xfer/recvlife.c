/* SPDX-License-Identifier: BSD-3-Clause */
/* A receiver's beginning and end, and the bookkeeping of its files' states. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "page/guard.h"
#include "xfer/recvint.h"

static bool is_good(unsigned int state)
{
	return state == PW_RECV_COMPLETE || state == PW_RECV_UNVERIFIED;
}

void pw_recv_set_state(struct pw_recv *r, struct pw_object *o, enum pw_recv_file_state s)
{
	r->st.n_ended += (s >= PW_RECV_COMPLETE) - (o->state >= PW_RECV_COMPLETE);
	r->st.n_good += (uint64_t)is_good(s) - is_good(o->state);
	o->state = (uint8_t)s;
	if (s >= PW_RECV_VERIFYING && r->last == o)
		r->last = NULL;
}

void pw_recv_set_have(struct pw_recv *r, struct pw_object *o, uint64_t have_bytes)
{
	r->st.bytes_have += have_bytes - o->have_bytes;
	o->have_bytes = have_bytes;
}

void pw_recv_refuse(struct pw_recv *r, struct pw_object *o, const char *why, bool copy)
{
	pw_object_reason(o, why, copy);
	pw_recv_set_state(r, o, PW_RECV_REFUSED);
}

void pw_recv_set_fatal(struct pw_recv *r, const struct pw_err *err)
{
	if (r->fatal.code)
		return;
	r->fatal = *err;
	if (!r->fatal.code)
		r->fatal.code = EIO;
	r->stopped = true;
}

void pw_recv_fail(struct pw_recv *r, struct pw_object *o, const struct pw_err *err)
{
	if (pw_output_is_refusal(err->code))
		pw_recv_refuse(r, o, err->msg, true);
	else
		pw_recv_set_fatal(r, err);
}

/* A received file must not take the manifest's place: its name, if it lies inside out_dir. */
static const char *inside(const char *dir, const char *path)
{
	size_t n = strlen(dir);

	while (n > 1 && dir[n - 1] == '/')
		n--;
	if (strncmp(dir, path, n) != 0 || path[n] != '/')
		return NULL;
	path += n;
	return path + strspn(path, "/");
}

static int set_paths(struct pw_recv *r, const struct pw_recv_config *cfg, struct pw_err *err)
{
	bool ok = true;

	if (cfg->out_dir) {
		r->cfg.out_dir = strdup(cfg->out_dir);
		ok = r->cfg.out_dir != NULL;
	}
	if (cfg->gaps_path)
		ok = ok && (r->gaps_path = strdup(cfg->gaps_path)) != NULL;
	else if (cfg->out_dir && !cfg->discard)
		ok = ok && asprintf(&r->gaps_path, "%s/%s", cfg->out_dir, PW_GAPS_FILE) >= 0;
	if (!ok) {
		r->gaps_path = NULL;
		return pw_err_sys(err, ENOMEM, "start receiving");
	}
	if (r->gaps_path && r->cfg.out_dir)
		r->reserved = inside(r->cfg.out_dir, r->gaps_path);
	r->cfg.gaps_path = r->gaps_path;
	return 0;
}

static int start_output(struct pw_recv *r, struct pw_err *err)
{
	int ret;

	if (r->discard)
		return 0;
	if (!r->cfg.out_dir)
		return pw_err_set(err, EINVAL, "start receiving: no output directory; give --out");
	ret = pw_output_open(&r->out, r->cfg.out_dir, err);
	r->out.write = r->cfg.write;
	r->out.direct = (struct pw_direct_config){
		.memory_bytes = r->cfg.write_memory_bytes, .n_open = &r->n_direct, .log = r->log};
	if (ret == 0)
		ret = pw_guard_init(err);
	if (ret == 0 && r->cfg.resume)
		ret = pw_gaps_load(r->gaps_path, &r->old, err);
	else if (ret == 0)
		/* An older session's gaps stay gaps. What is no manifest is not. */
		(void)pw_gaps_load(r->gaps_path, &r->old, NULL);
	if (ret == 0)
		ret = pw_finish_create(&r->finish, &r->out, r->cfg.force, err);
	if (ret == 0 && r->out.huge_page_bytes)
		ret = pw_ahead_create(&r->ahead, err);
	return ret;
}

/* An eighth of the host's memory, within bounds. */
static uint64_t part_limit(void)
{
	long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
	uint64_t bytes = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page / 8 : 0;

	return pw_min_u64(pw_max_u64(bytes, 64u << 20), PW_RECV_MAX_PARTS);
}

int pw_recv_create(struct pw_recv **out_r, const struct pw_recv_config *cfg,
	const struct pw_log *log, struct pw_err *err)
{
	struct pw_recv *r = calloc(1, sizeof(*r));
	int ret;

	*out_r = NULL;
	if (!r)
		return pw_err_sys(err, ENOMEM, "start receiving");
	r->cfg = *cfg;
	r->cfg.out_dir = NULL;
	r->cfg.gaps_path = NULL;
	r->log = log;
	r->discard = cfg->discard;
	r->locked = cfg->tsi_given;
	r->tsi = cfg->tsi;
	if (!r->cfg.max_files)
		r->cfg.max_files = PW_RECV_MAX_FILES;
	r->max_part_bytes = part_limit();
	pw_objtab_init(&r->objs);
	ret = set_paths(r, cfg, err);
	if (ret == 0 && cfg->n_lanes > 1)
		ret = pw_recv_lanes_create(r, cfg->n_lanes, err);
	if (ret == 0)
		ret = start_output(r, err);
	if (ret < 0) {
		r->finished = true;
		pw_recv_destroy(r);
		return ret;
	}
	*out_r = r;
	return 0;
}

static bool is_incomplete(const struct pw_recv *r)
{
	const struct pw_recv_status *st = &r->st;

	if (r->cfg.expect_files)
		return st->n_good < r->cfg.expect_files;
	return r->objs.n == 0 || st->n_good < r->objs.n || st->n_good < r->n_session_files ||
	       pw_recv_old_missing(r);
}

int pw_recv_finish(struct pw_recv *r, struct pw_err *err)
{
	struct pw_err gaps_err;
	int ret;

	if (r->finished) {
		if (r->finish_ret < 0 && err)
			*err = r->fatal;
		return r->finish_ret;
	}
	r->finished = true;
	pw_recv_lanes_stop(r);
	pw_recv_submit_due(r);
	if (r->finish)
		pw_finish_wait(r->finish);
	pw_recv_collect(r);
	if (pw_guard_any_lost())
		pw_recv_check_lost(r);
	pw_recv_unmap_all(r);
	pw_recv_drop_unused(r);
	ret = pw_recv_save_gaps(r, &gaps_err);
	/* A full disk must not hide what filled it; too many gaps to name are no failure of ours.
	 */
	if (ret < 0 && (r->fatal.code || ret == -EFBIG))
		pw_warn(r->log, "%s", gaps_err.msg);
	else if (ret < 0)
		pw_recv_set_fatal(r, &gaps_err);
	r->finish_ret = r->fatal.code ? -r->fatal.code : is_incomplete(r);
	if (r->fatal.code && err)
		*err = r->fatal;
	return r->finish_ret;
}

void pw_recv_destroy(struct pw_recv *r)
{
	if (!r)
		return;
	if (!r->finished)
		pw_recv_finish(r, NULL);
	pw_finish_destroy(r->finish);
	pw_ahead_destroy(r->ahead);
	pw_objtab_finish(&r->objs);
	pw_fdtrx_finish(&r->fdt);
	pw_gaps_finish(&r->old);
	pw_output_close(&r->out);
	pw_recv_lanes_destroy(r);
	free(r->gaps_path);
	free((void *)(uintptr_t)r->cfg.out_dir);
	free(r);
}
