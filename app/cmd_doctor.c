/* SPDX-License-Identifier: BSD-3-Clause */
/* `pagewire doctor`: reports why a job does not run on this host, or not fast, and the command that fixes it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/cli/cli.h"
#include "app/cli/opt.h"
#include "app/commands.h"
#include "app/doctor/doctor.h"
#include "app/doctor/dpdk.h"
#include "app/doctor/fix.h"
#include "app/doctor/listen.h"
#include "app/doctor/nic.h"
#include "app/doctor/path.h"
#include "app/doctor/pci.h"
#include "base/bytes.h"
#include "kernel/hostname.h"
#include "wire/alc.h"
#include "wire/frame.h"

static const struct pw_opt options[] = {
	{.name = "port",
		.letter = 'p',
		.type = PW_OPT_STRING,
		.offset = offsetof(struct pw_doctor_options, port),
		.arg = "PORT",
		.help = "port of the job, as for send and recv"},
	{.name = "listen",
		.letter = 'l',
		.type = PW_OPT_STRING,
		.offset = offsetof(struct pw_doctor_options, listen),
		.arg = "ADDR[:PORT]",
		.help = "instead of --port: the address of recv --listen"},
	{.name = "interface",
		.letter = 'i',
		.type = PW_OPT_STRING,
		.offset = offsetof(struct pw_doctor_options, interface),
		.arg = "IF",
		.help = "with --listen: the interface, as for recv"},
	{.name = "to",
		.letter = 't',
		.type = PW_OPT_STRING,
		.offset = offsetof(struct pw_doctor_options, to),
		.arg = "ADDR[:PORT]",
		.help = "probe the path through --port to the receivers there, which run recv "
			"--repair: send for a few seconds, and report the highest rate that they "
			"take"},
	{.name = "from",
		.type = PW_OPT_STRING,
		.offset = offsetof(struct pw_doctor_options, from),
		.arg = "ADDR[:PORT]",
		.help = "with --to: source address, as for send"},
	{.name = "vlan",
		.type = PW_OPT_UINT,
		.offset = offsetof(struct pw_doctor_options, vlan),
		.arg = "ID",
		.help = "with --to: 802.1Q VLAN of the probe",
		.max = 4094},
	{.name = "repair",
		.type = PW_OPT_STRING,
		.offset = offsetof(struct pw_doctor_options, repair),
		.arg = "ADDR[:PORT]",
		.help = "with --to: where receivers report to, as for send; default: the source "
			"address, a free TCP port"},
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
		.help = "fix what can be undone: add huge pages, mount hugetlbfs, load modules, "
			"give the NIC of --port to vfio-pci"},
	{.name = "undo",
		.type = PW_OPT_FLAG,
		.offset = offsetof(struct pw_doctor_options, undo),
		.help = "put back everything that --fix changed since the host was started"},
	{.name = "dry-run",
		.type = PW_OPT_FLAG,
		.offset = offsetof(struct pw_doctor_options, dry_run),
		.help = "with --fix or --undo: print the commands, and change nothing"},
	{.name = "even-in-use",
		.type = PW_OPT_STRING,
		.offset = offsetof(struct pw_doctor_options, even_in_use),
		.arg = "ADDRESS",
		.help = "with --fix: repeat the PCI address of --port to confirm taking a NIC that "
			"is in use; its addresses and routes are lost"},
	{.name = "unsafe-no-iommu",
		.type = PW_OPT_FLAG,
		.offset = offsetof(struct pw_doctor_options, unsafe_no_iommu),
		.help = "with --fix: take the NIC without an IOMMU: it reaches all of memory; by "
			"VFIO's no-IOMMU mode, or uio_pci_generic"},
	{.name = "json",
		.type = PW_OPT_FLAG,
		.offset = offsetof(struct pw_doctor_options, json),
		.help = "print the result as JSON"},
};

static const struct pw_doctor_options defaults = {.mtu = 1500, .vlan = PW_VLAN_NONE};

struct examination {
	const struct pw_doctor_options *opt;
	const struct pw_context *ctx;
	const char *file;
	struct pw_addr listen; /* family 0: none */
	struct pw_doctor_host host;
	struct pw_doctor_job job;
	struct pw_doctor_report report;
};

/* A device that is not there has no properties to examine. */
static int look(struct examination *e, struct pw_err *err)
{
	pw_doctor_read_host(NULL, &e->host);
	pw_doctor_read_job(&e->host, e->opt, e->file, &e->job);
	if (e->listen.family)
		pw_doctor_read_socket(&e->host, &e->listen, &e->job);
	return pw_doctor_no_device(&e->host, &e->job, err);
}

/* steps: of --fix, NULL without; code: the result of --fix. A failed check matters only if --fix did not fail. */
static int examine(struct examination *e, json_t *steps, int code)
{
	json_t *probe = NULL;
	struct pw_err err = {0};

	if (look(e, &err))
		return pw_cli_fail(&err);
	pw_doctor_check(&e->host, &e->job, &e->report);
	if (!e->opt->to && pw_doctor_may_ask(&e->job) &&
		!pw_doctor_count(&e->report, PW_DOCTOR_FAIL)) {
		pw_doctor_dpdk_abilities(&e->job, &e->ctx->log);
		pw_doctor_check(&e->host, &e->job, &e->report);
	}
	if (e->opt->to)
		probe = pw_doctor_check_path(&e->job, &e->report, &e->ctx->log, &err);
	if (err.code)
		return pw_cli_usage("doctor", &err);
	if (code == PW_EXIT_OK && pw_doctor_count(&e->report, PW_DOCTOR_FAIL))
		code = PW_EXIT_NOENV;
	if (e->opt->json)
		pw_doctor_print_json(&e->report, steps, probe, code);
	else
		pw_doctor_print(&e->report, e->ctx->log.level >= PW_LOG_DEBUG, stdout);
	return code;
}

static int fail_fix(int code, const struct pw_err *err)
{
	return code == -EINVAL ? pw_cli_usage("doctor", err) : pw_cli_fail_open(err);
}

static int fix(struct examination *e)
{
	struct pw_err err;
	json_t *steps;
	int code;

	if (look(e, &err))
		return pw_cli_fail(&err);
	code = pw_doctor_fix(&e->host, &e->job, &steps, &err);
	if (code < 0)
		return fail_fix(code, &err);
	if (!e->opt->dry_run)
		return examine(e, steps, code);
	if (e->opt->json)
		pw_doctor_print_json(NULL, steps, NULL, code);
	return code;
}

static int undo(const struct pw_doctor_options *opt)
{
	struct pw_err err;
	json_t *steps;
	int code = pw_doctor_undo(opt, &steps, &err);

	if (code < 0)
		return fail_fix(code, &err);
	if (opt->json)
		pw_doctor_print_json(NULL, steps, NULL, code);
	return code;
}

static int check_usage(
	const struct pw_doctor_options *opt, const struct pw_operands *ops, struct pw_err *err)
{
	if (ops->n > 1)
		return pw_err_set(err, EINVAL,
			"only one FILE is possible; name a directory, or run doctor for each file");
	if (opt->fix && opt->undo)
		return pw_err_set(
			err, EINVAL, "--fix and --undo exclude each other; give one of them");
	if (opt->undo && (ops->n || opt->port))
		return pw_err_set(err, EINVAL,
			"--undo puts everything back: it takes neither FILE nor --port");
	if (opt->to && (!opt->port || opt->fix || opt->undo))
		return pw_err_set(err, EINVAL,
			"--to probes the path through a port: it needs --port, and goes with "
			"neither "
			"--fix nor --undo");
	if (!opt->to && (opt->from || opt->repair || opt->vlan != PW_VLAN_NONE))
		return pw_err_set(err, EINVAL, "--from, --vlan and --repair need --to");
	if (opt->dry_run && !opt->fix && !opt->undo)
		return pw_err_set(err, EINVAL, "--dry-run needs --fix or --undo");
	if ((opt->even_in_use || opt->unsafe_no_iommu) && !opt->fix)
		return pw_err_set(err, EINVAL, "--even-in-use and --unsafe-no-iommu need --fix");
	if (opt->listen && (opt->port || ops->n))
		return pw_err_set(err, EINVAL,
			"--listen is a job of recv with a kernel socket: it takes neither FILE nor "
			"--port");
	if (opt->listen && (opt->fix || opt->undo))
		return pw_err_set(err, EINVAL,
			"--fix and --undo change nothing for --listen; run the fixes that doctor "
			"prints");
	if (opt->interface && !opt->listen)
		return pw_err_set(err, EINVAL, "--interface needs --listen");
	return 0;
}

static int run(const void *config, const struct pw_operands *ops, const struct pw_context *ctx)
{
	const struct pw_doctor_options *opt = config;
	struct examination *e;
	struct pw_err err;
	int code;

	if (check_usage(opt, ops, &err))
		return pw_cli_usage("doctor", &err);
	e = calloc(1, sizeof(*e));
	if (!e) {
		pw_err_set(&err, ENOMEM, "cannot examine this host: out of memory");
		return pw_cli_fail(&err);
	}
	pw_stop_install();
	e->opt = opt;
	e->ctx = ctx;
	e->file = ops->n ? ops->argv[0] : NULL;
	if (opt->listen &&
		pw_addr_resolve("--listen", opt->listen, PW_ALC_PORT, 0, &e->listen, &err))
		code = pw_cli_usage("doctor", &err);
	else if (opt->undo)
		code = undo(opt);
	else if (opt->fix)
		code = fix(e);
	else
		code = examine(e, NULL, PW_EXIT_OK);
	free(e);
	return code;
}

const struct pw_command pw_cmd_doctor = {
	.name = "doctor",
	.summary = "report why a job does not run here, or not fast, and how to fix it",
	.operands = "[FILE]",
	.opts = options,
	.n_opts = PW_ARRAY_LEN(options),
	.config_size = sizeof(struct pw_doctor_options),
	.defaults = &defaults,
	.run = run,
	.examples = "pagewire doctor\n"
		    "pagewire doctor disk.img --port vhost:/run/pagewire.sock\n"
		    "pagewire doctor /mnt/huge/disk.img --port 0000:3b:00.0 --mtu 9000 --json\n"
		    "pagewire doctor --port af_packet:eth1 --to 239.77.0.1\n"
		    "pagewire doctor disk.img --port 0000:3b:00.0 --fix --dry-run\n"
		    "pagewire doctor trace.pcap.zst --port 0000:3b:00.0 --mtu 9000\n"
		    "pagewire doctor --listen 239.77.0.1 --interface eth1\n"
		    "pagewire doctor --undo\n",
};
