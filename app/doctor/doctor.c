/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads the host and the job, and calls the checks of each subject in the order in which they are printed. */
#include "app/doctor/doctor.h"

#include <errno.h>
#include <fts.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/doctor/capture.h"
#include "app/doctor/cpu.h"
#include "app/doctor/dpdk.h"
#include "app/doctor/file.h"
#include "app/doctor/listen.h"
#include "app/doctor/memory.h"
#include "app/doctor/net.h"
#include "app/doctor/nic.h"
#include "app/doctor/pci.h"
#include "app/doctor/port.h"
#include "app/doctor/replay.h"
#include "base/bytes.h"
#include "host/cpu.h"
#include "host/numa.h"

#define MAX_DIR_ENTRIES 1000000

void pw_doctor_read_host(const struct pw_sysroot *root, struct pw_doctor_host *host)
{
	memset(host, 0, sizeof(*host));
	host->root = root;
	pw_hugepages_read(root, &host->huge, NULL);
	pw_boot_read(root, &host->boot);
	pw_iommu_read(root, &host->iommu);
	pw_limits_read(&host->limits);
	host->lockdown = pw_lockdown_read(root);
	host->memory_available = pw_memory_available(root);
	host->n_nodes = pw_numa_n_nodes(root);
	pw_cpu_online(root, &host->online);
	pw_cpu_isolated(root, &host->isolated);
	if (!pw_sysroot_is_real(root) || pw_cpu_allowed(-1, &host->allowed, NULL))
		host->allowed = host->online;
	host->n_nics = pw_pci_list_net(root, host->nics, PW_DOCTOR_NICS_MAX);
	host->dpdk_version = pw_doctor_dpdk_version();
	host->has_driver = pw_doctor_dpdk_has_driver;
}

static void read_port(const struct pw_doctor_host *host, struct pw_doctor_job *job)
{
	if (pw_doctor_dpdk_port(job, &job->port_err))
		return;
	job->has_port = true;
	switch (job->spec.kind) {
	case PW_PORT_PCI:
		job->has_pci =
			pw_pci_read(host->root, job->spec.target, &job->pci, &job->port_err) == 0;
		if (job->has_pci)
			job->node = job->pci.node;
		break;
	case PW_PORT_AF_PACKET:
	case PW_PORT_AF_XDP:
	case PW_PORT_UDP:
	case PW_PORT_TAP:
		job->has_netif =
			pw_netif_read(host->root, job->spec.target, &job->netif, NULL) == 0;
		if (job->has_netif)
			job->node = job->netif.node;
		break;
	default:
		break;
	}
}

static void read_cpus(const struct pw_doctor_host *host, struct pw_doctor_job *job)
{
	cpu_set_t near, both;

	job->cpus = host->allowed;
	if (job->opt->core &&
		pw_cpu_list_parse("--core", job->opt->core, &job->cpus, &job->core_err))
		job->cpus = host->allowed;
	if (job->opt->core || job->node < 0 || pw_cpu_of_node(host->root, job->node, &near))
		return;
	CPU_AND(&both, &host->allowed, &near);
	if (CPU_COUNT(&both) > 0)
		job->cpus = both;
}

static void add_file(struct pw_doctor_job *job, const struct stat *st)
{
	uint64_t page = job->file_page_bytes ? job->file_page_bytes : 4096;
	uint64_t bytes = (uint64_t)st->st_size;

	job->file_bytes += bytes;
	if ((uint64_t)st->st_blocks * 512 < (bytes + page - 1) / page * page)
		job->file_has_holes = true;
}

static void add_dir(struct pw_doctor_job *job)
{
	char *roots[] = {(char *)job->file, NULL};
	unsigned int n = 0;
	FTSENT *e;
	FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);

	if (!tree) {
		pw_err_sys(&job->file_err, errno, "cannot read the directory %.150s", job->file);
		return;
	}
	while (n++ < MAX_DIR_ENTRIES && (e = fts_read(tree)))
		if (e->fts_info == FTS_F)
			add_file(job, e->fts_statp);
	fts_close(tree);
}

static void read_file(struct pw_doctor_job *job)
{
	struct stat st;
	int mode = R_OK;

	if (stat(job->file, &st)) {
		pw_err_sys(&job->file_err, errno, "cannot open %.150s", job->file);
		return;
	}
	job->file_is_dir = S_ISDIR(st.st_mode);
	if (!job->file_is_dir && !S_ISREG(st.st_mode)) {
		pw_err_set(&job->file_err, EINVAL,
			"cannot open %.150s: it is neither an ordinary file nor a directory",
			job->file);
		return;
	}
	if (pw_hugefile_probe(job->file, &job->on_hugetlbfs, &job->file_page_bytes, &job->file_err))
		return;
	if (job->file_is_dir)
		mode |= X_OK;
	else if (job->on_hugetlbfs)
		mode |= W_OK; /* its pages are mapped read-write, as VFIO pins them */
	if (access(job->file, mode)) {
		pw_err_sys(&job->file_err, errno, "cannot open %.150s", job->file);
		return;
	}
	if (job->file_is_dir)
		add_dir(job);
	else
		add_file(job, &st);
}

void pw_doctor_read_job(const struct pw_doctor_host *host, const struct pw_doctor_options *opt,
	const char *file, struct pw_doctor_job *job)
{
	*job = (struct pw_doctor_job){.opt = opt, .file = file, .node = -1};
	if (opt->port)
		read_port(host, job);
	read_cpus(host, job);
	if (file)
		read_file(job);
	pw_doctor_dpdk_memory(job);
	pw_doctor_read_capture(job);
}

void pw_doctor_check(const struct pw_doctor_host *host, const struct pw_doctor_job *job,
	struct pw_doctor_report *report)
{
	static void (*const checks[])(const struct pw_doctor_host *, const struct pw_doctor_job *,
		struct pw_doctor_report *) = {
		pw_doctor_check_listen,
		pw_doctor_check_dpdk,
		pw_doctor_check_port,
		pw_doctor_check_net,
		pw_doctor_check_rights,
		pw_doctor_check_file,
		pw_doctor_check_capture,
		pw_doctor_check_memory,
		pw_doctor_check_pci,
		pw_doctor_check_nic,
		pw_doctor_check_cpu,
	};
	size_t i;

	report->n = 0;
	/* a socket of the kernel needs neither DPDK nor its memory, a NIC or a CPU of its own */
	for (i = 0; i < (job->socket.addr.family ? 1 : PW_ARRAY_LEN(checks)); i++)
		checks[i](host, job, report);
}
