/* SPDX-License-Identifier: BSD-3-Clause */
/* `pagewire doctor`: why a job will not run here, or not fast, and the command that mends it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/cli/cli.h"
#include "app/cli/opt.h"
#include "app/commands.h"
#include "app/doctor/doctor.h"
#include "app/doctor/fix.h"
#include "base/bytes.h"

static const struct pw_opt options[] = {
	{.name = "port",
		.letter = 'p',
		.type = PW_OPT_STRING,
		.offset = offsetof(struct pw_doctor_options, port),
		.arg = "PORT",
		.help = "port of the job, as for send and recv"},
	{.name = "mtu",
		.type = PW_OPT_UINT,
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
	{.name = "fix",
		.type = PW_OPT_FLAG,
		.offset = offsetof(struct pw_doctor_options, fix),
		.help = "mend what can be undone: add huge pages, mount hugetlbfs, load modules, "
			"give the NIC of --port to vfio-pci"},
	{.name = "undo",
		.type = PW_OPT_FLAG,
		.offset = offsetof(struct pw_doctor_options, undo),
		.help = "put back what --fix has changed since the host was started"},
	{.name = "dry-run",
		.type = PW_OPT_FLAG,
		.offset = offsetof(struct pw_doctor_options, dry_run),
		.help = "with --fix or --undo: print what would be done, and do nothing"},
	{.name = "even-in-use",
		.type = PW_OPT_STRING,
		.offset = offsetof(struct pw_doctor_options, even_in_use),
		.arg = "ADDRESS",
		.help = "with --fix: the PCI address of --port once more, to take a NIC whose "
			"interface carries a default route, has addresses or others on it; these "
			"are lost"},
	{.name = "unsafe-no-iommu",
		.type = PW_OPT_FLAG,
		.offset = offsetof(struct pw_doctor_options, unsafe_no_iommu),
		.help = "with --fix: take the NIC where no IOMMU keeps it from the rest of memory, "
			"by VFIO's no-IOMMU mode, or uio_pci_generic"},
	{.name = "json",
		.type = PW_OPT_FLAG,
		.offset = offsetof(struct pw_doctor_options, json),
		.help = "print the result as JSON"},
};

static const struct pw_doctor_options defaults = {.mtu = 1500};

struct consultation {
	const struct pw_doctor_options *opt;
	const struct pw_context *ctx;
	const char *file;
	struct pw_doctor_host host;
	struct pw_doctor_job job;
	struct pw_doctor_report report;
	struct pw_fix fix;
};

static void look(struct consultation *c)
{
	pw_doctor_see(NULL, &c->host);
	pw_doctor_plan(&c->host, c->opt, c->file, &c->job);
}

/* code: of what was done before; what the checks say is less than that. */
static int examine(struct consultation *c, const struct pw_fix *fix, int code)
{
	look(c);
	pw_doctor_examine(&c->host, &c->job, &c->report);
	if (code == PW_EXIT_OK && pw_doctor_count(&c->report, PW_DOCTOR_FAIL))
		code = PW_EXIT_NOENV;
	if (c->opt->json)
		pw_doctor_print_json(&c->report, fix, code);
	else
		pw_doctor_print(&c->report, c->ctx->log.level >= PW_LOG_DEBUG, stdout);
	return code;
}

/* Before anything is done: with --json beside the document. */
static void announce(const struct consultation *c, const char *none, const char *some)
{
	FILE *out = c->opt->json ? stderr : stdout;

	fprintf(out, "%s\n", c->fix.n ? some : none);
	pw_doctor_print_steps(&c->fix, out);
	fflush(out);
}

static int no_root(struct pw_err *err)
{
	return geteuid() == 0 ? 0
			      : pw_err_set(err, EPERM,
					"change this host: this takes root; sudo pagewire doctor "
					"..., or type the lines above there");
}

static int fix(struct consultation *c)
{
	struct pw_fix_want want;
	struct pw_err err;

	look(c);
	if (pw_doctor_want(&c->host, &c->job, &want, &err))
		return pw_cli_usage("doctor", &err);
	if (pw_fix_plan(NULL, &want, &c->fix, &err))
		return pw_cli_fail_open(&err);
	announce(c, "nothing that --fix could do is missing",
		c->opt->dry_run ? "would do, as a root shell does by these lines:"
				: "doing, as a root shell does by these lines (back: pagewire "
				  "doctor --undo):");
	if (c->opt->dry_run) {
		if (c->opt->json)
			pw_doctor_print_json(NULL, &c->fix, PW_EXIT_OK);
		return PW_EXIT_OK;
	}
	if (c->fix.n && (no_root(&err) || pw_fix_apply(NULL, &c->fix, &err)))
		return examine(c, &c->fix, pw_cli_fail_open(&err));
	return examine(c, &c->fix, PW_EXIT_OK);
}

static int undo(struct consultation *c)
{
	struct pw_err err;
	int code = PW_EXIT_OK;

	if (pw_fix_recall(NULL, &c->fix, &err))
		return pw_cli_fail_open(&err);
	announce(c, "nothing to undo",
		c->opt->dry_run ? "would undo, as a root shell does by these lines:"
				: "undoing, as a root shell does by these lines:");
	if (!c->opt->dry_run && c->fix.n && (no_root(&err) || pw_fix_undo(NULL, &c->fix, &err)))
		code = pw_cli_fail_open(&err);
	if (c->opt->json)
		pw_doctor_print_json(NULL, &c->fix, code);
	return code;
}

static int check_usage(
	const struct pw_doctor_options *opt, const struct pw_operands *ops, struct pw_err *err)
{
	if (ops->n > 1)
		return pw_err_set(err, EINVAL,
			"one FILE at most; name the directory, or ask for each of them");
	if (opt->fix && opt->undo)
		return pw_err_set(err, EINVAL, "--fix and --undo: name one of them");
	if (opt->undo && (ops->n || opt->port))
		return pw_err_set(err, EINVAL,
			"--undo puts everything back: it takes neither FILE nor --port");
	if (opt->dry_run && !opt->fix && !opt->undo)
		return pw_err_set(err, EINVAL, "--dry-run goes with --fix or --undo");
	if ((opt->even_in_use || opt->unsafe_no_iommu) && !opt->fix)
		return pw_err_set(err, EINVAL, "--even-in-use and --unsafe-no-iommu go with --fix");
	return 0;
}

static int run(const void *config, const struct pw_operands *ops, const struct pw_context *ctx)
{
	const struct pw_doctor_options *opt = config;
	struct consultation *c;
	struct pw_err err;
	int code;

	if (check_usage(opt, ops, &err))
		return pw_cli_usage("doctor", &err);
	c = calloc(1, sizeof(*c));
	if (!c) {
		pw_err_set(&err, ENOMEM, "look at this host: out of memory");
		return pw_cli_fail(&err);
	}
	c->opt = opt;
	c->ctx = ctx;
	c->file = ops->n ? ops->argv[0] : NULL;
	if (opt->undo)
		code = undo(c);
	else if (opt->fix)
		code = fix(c);
	else
		code = examine(c, NULL, PW_EXIT_OK);
	free(c);
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
		    "pagewire doctor /mnt/huge/disk.img --port 0000:3b:00.0 --mtu 9000 --json\n"
		    "pagewire doctor disk.img --port 0000:3b:00.0 --fix --dry-run\n"
		    "pagewire doctor --undo\n",
};
