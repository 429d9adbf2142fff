/* SPDX-License-Identifier: BSD-3-Clause */
/* `pagewire doctor`: why a job will not run here, or not fast, and the command that mends it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/cli.h"
#include "app/commands.h"
#include "app/doctor.h"
#include "app/opt.h"
#include "base/bytes.h"

static const struct pw_opt options[] = {
	{.name = "port",
		.letter = 'p',
		.type = PW_OPT_STRING,
		.offset = offsetof(struct pw_doctor_options, port),
		.arg = "PORT",
		.help = "port of the job, as for send and recv"},
	{.name = "mtu",
		.type = PW_OPT_U64,
		.offset = offsetof(struct pw_doctor_options, mtu),
		.min = 576,
		.max = 65535,
		.arg = "BYTES",
		.help = "IP MTU of the job"},
	{.name = "core",
		.type = PW_OPT_STRING,
		.offset = offsetof(struct pw_doctor_options, core),
		.arg = "LIST",
		.help = "CPUs that the job may use"},
	{.name = "no-huge",
		.type = PW_OPT_FLAG,
		.offset = offsetof(struct pw_doctor_options, no_huge),
		.help = "the job's EAL memory is on ordinary pages"},
	{.name = "json",
		.type = PW_OPT_FLAG,
		.offset = offsetof(struct pw_doctor_options, json),
		.help = "print the result as JSON"},
};

static const struct pw_doctor_options defaults = {.mtu = 1500};

static int run(const void *config, const struct pw_operands *ops, const struct pw_context *ctx)
{
	const struct pw_doctor_options *opt = config;
	struct {
		struct pw_doctor_host host;
		struct pw_doctor_job job;
		struct pw_doctor_report report;
	} * d;
	struct pw_err err;
	int code;

	if (ops->n > 1) {
		pw_err_set(&err, EINVAL,
			"one FILE at most; name the directory, or ask for each of them");
		return pw_cli_usage("doctor", &err);
	}
	d = malloc(sizeof(*d));
	if (!d) {
		pw_err_set(&err, ENOMEM, "look at this host: out of memory");
		return pw_cli_fail(&err);
	}
	pw_doctor_see(NULL, &d->host);
	pw_doctor_plan(&d->host, opt, ops->n ? ops->argv[0] : NULL, &d->job);
	pw_doctor_examine(&d->host, &d->job, &d->report);
	code = pw_doctor_count(&d->report, PW_DOCTOR_FAIL) ? PW_EXIT_NOENV : PW_EXIT_OK;
	if (opt->json)
		pw_doctor_print_json(&d->report);
	else
		pw_doctor_print(&d->report, ctx->log.level >= PW_LOG_DEBUG, stdout);
	free(d);
	return code;
}

const struct pw_command pw_cmd_doctor = {
	.name = "doctor",
	.summary = "say why a job will not run here, or not fast, and how to mend it",
	.operands = "[FILE]",
	.opts = options,
	.n_opts = PW_ARRAY_LEN(options),
	.config_size = sizeof(struct pw_doctor_options),
	.defaults = &defaults,
	.run = run,
	.examples = "pagewire doctor\n"
		    "pagewire doctor disk.img --port vhost:/run/pagewire.sock\n"
		    "pagewire doctor /mnt/huge/disk.img --port 0000:3b:00.0 --mtu 9000 --json\n",
};
