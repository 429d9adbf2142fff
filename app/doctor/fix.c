/* SPDX-License-Identifier: BSD-3-Clause */
/* Finds scripts/host-setup, passes it what the job lacks, and waits until it ends. */
#include "app/doctor/fix.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/cli/script.h"
#include "app/doctor/memory.h"
#include "base/bytes.h"

#define ARGS_MAX 20

struct command {
	char script[4096], pages[24], page_bytes[24], node[16];
	const char *argv[ARGS_MAX]; /* NULL-terminated */
	unsigned int argc;
};

static void add(struct command *c, const char *option, const char *value)
{
	c->argv[c->argc++] = option;
	if (value)
		c->argv[c->argc++] = value;
}

static int find_script(struct command *c, struct pw_err *err)
{
	if (pw_script_find("host-setup", "host-setup", c->script, sizeof(c->script)) == 0)
		return 0;
	return pw_err_set(err, ENOENT,
		"cannot change this host: no script %s; install pagewire completely, or type the "
		"commands of `pagewire doctor` as root",
		c->script);
}

static int spawn(const struct command *c, int out, pid_t *pid)
{
	extern char **environ;
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t defaults;
	int r;

	sigemptyset(&defaults);
	sigaddset(&defaults, SIGINT);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigdefault(&attr, &defaults);
	posix_spawn_file_actions_init(&files);
	if (out >= 0)
		posix_spawn_file_actions_adddup2(&files, out, 1);
	r = posix_spawn(pid, c->script, &files, &attr, (char **)c->argv, environ);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attr);
	return r;
}

static int wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return 1;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Ctrl-C goes to the script as well, which ends with a change done or undone: wait for that. */
static int run(const struct command *c, bool json, json_t **steps, struct pw_err *err)
{
	int fds[2] = {-1, -1}, r;
	void (*on_interrupt)(int);
	pid_t pid;

	*steps = NULL;
	fflush(NULL);
	if (json && pipe2(fds, O_CLOEXEC))
		return pw_err_sys(err, errno, "run %s", c->script);
	on_interrupt = signal(SIGINT, SIG_IGN);
	r = spawn(c, fds[1], &pid);
	if (json)
		close(fds[1]);
	if (r == 0 && json)
		*steps = json_loadfd(fds[0], 0, NULL);
	if (json)
		close(fds[0]);
	r = r ? pw_err_sys(err, r, "run %s", c->script) : wait_for(pid);
	signal(SIGINT, on_interrupt);
	return r;
}

/* A confirmation of one NIC must not count for another one, whose address a script has put into --port. */
static int check_confirmation(const struct pw_doctor_job *job, struct pw_err *err)
{
	const char *again = job->opt->even_in_use;
	char addr[PW_PCI_ADDR_LEN];

	if (!again || (job->has_pci && pw_pci_normalize(again, addr) == 0 &&
			      strcmp(addr, job->pci.addr) == 0))
		return 0;
	return pw_err_set(err, EINVAL,
		"--even-in-use %.40s is not the PCI address of --port %.60s; repeat that address",
		again, job->opt->port ? job->opt->port : "(none)");
}

static const char *missing_module(
	const struct pw_doctor_host *host, const struct pw_doctor_job *job)
{
	if (job->has_port && job->spec.kind == PW_PORT_TAP)
		return pw_sysfs_exists(host->root, "/dev/net/tun") ? NULL : "tun";
	if (!job->has_port && host->n_nics && host->iommu.vfio_pci == PW_MODULE_LOADABLE)
		return "vfio-pci";
	return NULL;
}

static void begin(struct command *c, const struct pw_doctor_options *opt)
{
	add(c, c->script, NULL);
	if (opt->json)
		add(c, "--json", NULL);
	if (opt->dry_run)
		add(c, "--dry-run", NULL);
}

static void add_lacks(
	struct command *c, const struct pw_doctor_host *host, const struct pw_doctor_job *job)
{
	uint64_t page = host->huge.default_page_bytes;
	uint64_t missing = page ? pw_div_ceil(pw_doctor_missing_bytes(host, job), page) : 0;
	const char *module = missing_module(host, job);

	if (page) {
		snprintf(c->page_bytes, sizeof(c->page_bytes), "%" PRIu64, page);
		add(c, "--page-size", c->page_bytes);
	}
	if (missing) {
		snprintf(c->pages, sizeof(c->pages), "%" PRIu64, missing);
		snprintf(c->node, sizeof(c->node), "%d", job->node);
		add(c, "--pages", c->pages);
		add(c, "--node", c->node);
	}
	if (pw_doctor_lacks_mount(host, job))
		add(c, "--mount", NULL);
	if (module)
		add(c, "--module", module);
	if (!job->has_pci)
		return;
	add(c, "--bind", job->pci.addr);
	if (job->opt->even_in_use)
		add(c, "--even-in-use", job->pci.addr);
	if (job->opt->unsafe_no_iommu)
		add(c, "--unsafe-no-iommu", NULL);
}

int pw_doctor_fix(const struct pw_doctor_host *host, const struct pw_doctor_job *job,
	json_t **steps, struct pw_err *err)
{
	struct command c = {.argc = 0};
	int r = check_confirmation(job, err);

	*steps = NULL;
	if (r == 0)
		r = find_script(&c, err);
	if (r)
		return r;
	begin(&c, job->opt);
	add_lacks(&c, host, job);
	return run(&c, job->opt->json, steps, err);
}

int pw_doctor_undo(const struct pw_doctor_options *opt, json_t **steps, struct pw_err *err)
{
	struct command c = {.argc = 0};
	int r = find_script(&c, err);

	*steps = NULL;
	if (r)
		return r;
	begin(&c, opt);
	add(&c, "--undo", NULL);
	return run(&c, opt->json, steps, err);
}
