/* SPDX-License-Identifier: BSD-3-Clause */
/* pagewire bench --profile NAME: runs a profile and prints its figures. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/cli/cli.h"
#include "app/cmd_bench.h"
#include "bench/cell.h"
#include "bench/profiles.h"

static int refuse(const char *name, struct pw_err *err)
{
	char *names = NULL;
	size_t len, i;
	FILE *f = open_memstream(&names, &len);
	int r;

	for (i = 0; f && pw_profiles[i]; i++)
		fprintf(f, "%s%s", i ? ", " : "", pw_profiles[i]->name);
	if (f)
		fclose(f);
	r = pw_err_set(err, EINVAL, "cannot run --profile %s: it does not exist; use one of %s",
		name, names ? names : "those of --list");
	free(names);
	return r;
}

/* 3 when a contender has failed: do not cite ratios of the others. */
static int report(const struct pw_bench_cli *o, const struct pw_profile_run *run, int code)
{
	json_t *doc;

	if (code == PW_EXIT_OK && pw_profile_any_void(run))
		code = PW_EXIT_INCOMPLETE;
	if (!o->output.json) {
		pw_profile_print(stdout, run);
		return code;
	}
	doc = pw_profile_json(run);
	if (doc)
		json_object_set_new(doc, "exit_code", json_integer(code));
	pw_cli_print_json(doc);
	return code;
}

int pw_bench_profile(const struct pw_bench_cli *o, const struct pw_context *ctx)
{
	const struct pw_profile *profile = pw_profile_find(o->profile);
	struct pw_profile_options opt = {.rounds = (unsigned int)o->bench.rounds,
		.seed = o->bench.seed,
		.dir = o->dir,
		.log = &ctx->log,
		.stopped = pw_stop_requested};
	struct pw_profile_run run = {0};
	struct pw_progress progress;
	struct pw_err err = {0};
	int r, code;

	if (!profile) {
		refuse(o->profile, &err);
		return pw_cli_usage("bench", &err);
	}
	if (pw_cell_cpus(o->bench.cores, &ctx->log, &opt.source_cpu, &opt.sink_cpu, &err))
		return pw_cli_usage("bench", &err);
	pw_progress_init(&progress, ctx->is_tty, o->output.progress);
	r = pw_profile_measure(&run, profile, &opt, pw_bench_tick, &progress, &err);
	pw_progress_end(&progress);
	code = r == 0 ? PW_EXIT_OK : r == -ECANCELED ? PW_EXIT_INCOMPLETE : pw_cli_fail_open(&err);
	if (r == -ECANCELED)
		pw_warn(&ctx->log, "interrupted: what was measured so far follows");
	if (r == 0 || (r == -ECANCELED && run.rounds))
		code = report(o, &run, code);
	pw_profile_close(&run);
	return code;
}
