/* SPDX-License-Identifier: BSD-3-Clause */
/* recv --repair URL: what no packet brought comes from a web server (lib/repair), and goes to the receiver as
 * packets do (lib/recv/bytes.h). */
#include <errno.h>
#include <stdlib.h>

#include "app/cmd_recv.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "recv/bytes.h"

#define MAX_PASSES   16u /* over all files; each but the last brought something */
#define MAX_BAD      16u /* answers in one pass that were not what was asked for */
#define MAX_WARNINGS 8u
#define STALL_NS     (30 * PW_NS_PER_S) /* with --timeout 0 */

struct fetching {
	struct pw_recv_run *run;
	struct pw_recv_bytes *bytes;
	struct pw_fetch *fetch;
	uint64_t n_wanted; /* files of this pass that missed something */
	unsigned int n_bad;
	bool ends; /* the server is out of reach, or the user stopped */
};

static int put(void *ctx, uint64_t at, const void *data, size_t len)
{
	struct fetching *f = ctx;
	struct pw_recv_run *run = f->run;
	const uint64_t now = pw_clock_ns();
	struct pw_recv_status st;

	pw_recv_bytes_put(f->bytes, at, data, len);
	run->fetched.bytes += len;
	if (!pw_progress_due(&run->progress, now))
		return 0;
	pw_recv_status(run->recv, &st);
	pw_progress_draw(&run->progress, now, st.bytes_have, st.bytes_total, 0, -1.0);
	return st.fatal ? -EIO : 0;
}

static void failed(struct fetching *f, int ret, const struct pw_err *err)
{
	struct pw_recv_run *run = f->run;

	f->n_bad += ret == -EBADMSG;
	f->ends = (ret != -EBADMSG && ret != -ENOENT) || f->n_bad >= MAX_BAD;
	if (ret == -ECANCELED) {
		run->end = PW_RECV_END_INTERRUPTED;
		return;
	}
	if (++run->fetched.n_failed <= MAX_WARNINGS)
		pw_warn(&run->ctx->log, "--repair: %s", err->msg);
}

/* Asks for what each file misses. */
static void pass(struct fetching *f)
{
	const size_t n_files = pw_recv_n_files(f->run->recv);
	struct pw_range *ranges;
	struct pw_err err;
	size_t i, n;
	int ret;

	f->n_wanted = 0;
	f->n_bad = 0;
	for (i = 0; i < n_files && !f->ends; i++) {
		struct pw_recv_file_info info;

		err = (struct pw_err){0};
		ret = pw_recv_bytes_want(f->bytes, i, &ranges, &n, &err);
		if (ret == 0 && n) {
			pw_recv_file(f->run->recv, i, &info);
			f->n_wanted++;
			ret = pw_fetch_file(
				f->fetch, info.name, info.len_bytes, ranges, n, put, f, &err);
		}
		free(ranges);
		if (ret < 0)
			failed(f, ret, &err);
	}
	pw_recv_bytes_settle(f->bytes);
}

static void fetch_all(struct fetching *f)
{
	struct pw_recv_run *run = f->run;
	uint64_t before;
	unsigned int i;

	for (i = 0; i < MAX_PASSES && !f->ends; i++) {
		before = run->fetched.bytes;
		pass(f);
		if (!f->n_wanted || run->fetched.bytes == before)
			break;
	}
}

static int open_both(struct fetching *f, struct pw_err *err)
{
	const struct pw_recv_options *o = f->run->opt;
	const struct pw_fetch_config cfg = {
		.url = o->repair,
		.stall_ns = o->loop.timeout_ns ? o->loop.timeout_ns : STALL_NS,
		.stopped = pw_stop_requested,
	};
	int ret = pw_recv_bytes_create(&f->bytes, f->run->recv, err);

	if (ret == 0)
		ret = pw_recv_bytes_announce(f->bytes, err);
	return ret ? ret : pw_fetch_open(&f->fetch, &cfg, err);
}

void pw_recv_fetch(struct pw_recv_run *run)
{
	struct fetching f = {.run = run};
	struct pw_recv_status st;
	struct pw_err err = {0};

	if (!run->opt->repair || !pw_fetch_is_url(run->opt->repair) ||
		run->end == PW_RECV_END_INTERRUPTED || run->end == PW_RECV_END_FATAL ||
		run->end == PW_RECV_END_PATH)
		return;
	pw_recv_status(run->recv, &st);
	run->fetched.tried = true;
	pw_progress_phase(&run->progress, pw_clock_ns(), "repairing", st.bytes_have);
	if (open_both(&f, &err) < 0)
		pw_warn(&run->ctx->log, "--repair: %s", err.msg);
	else
		fetch_all(&f);
	pw_progress_end(&run->progress);
	if (f.fetch)
		pw_fetch_counters(f.fetch, &run->fetched.c);
	pw_fetch_close(f.fetch);
	pw_recv_bytes_destroy(f.bytes);
}
