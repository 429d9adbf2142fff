/* SPDX-License-Identifier: BSD-3-Clause */
/* Checks hugepages.* and memlock: whether there is memory for EAL, and whether it may be pinned. */
#include "app/doctor/memory.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "app/doctor/kernel.h"
#include "base/bytes.h"
#include "base/units.h"

/* af_xdp's UMEM: lib/dpdk/tx.c makes so many frames, each with an mbuf and its headroom. */
#define XDP_FRAMES        8192
#define XDP_FRAME_SURPLUS 768

static const char *size(char buf[32], uint64_t bytes)
{
	return pw_units_size(buf, 32, bytes);
}

/* The command that adds missing_bytes in pages of the default size, on the port's node. */
static void fix_pages(const struct pw_doctor_host *host, const struct pw_doctor_job *job,
	uint64_t missing_bytes, struct pw_doctor_report *report)
{
	const struct pw_hugepages *hp = &host->huge;
	uint64_t page = hp->default_page_bytes, missing = pw_div_ceil(missing_bytes, page);
	bool nodes = hp->n_pools > 0 && hp->pools[0].node >= 0;
	int node = job->node >= 0 ? job->node : nodes ? hp->pools[0].node : -1;
	uint64_t total = pw_hugepages_total(hp, page, nodes ? node : -1);

	if (nodes && host->n_nodes > 1)
		pw_doctor_set_fix(report,
			"echo %" PRIu64
			" > /sys/devices/system/node/node%d/hugepages/hugepages-%" PRIu64
			"kB/nr_hugepages",
			total + missing, node, page >> 10);
	else
		pw_doctor_set_fix(report,
			"sysctl -w vm.nr_hugepages=%" PRIu64
			"   # and into /etc/sysctl.d/90-pagewire.conf, to have them after a "
			"restart",
			total + missing);
}

/* "212 of 512 pages of 2.00 MiB free on node 0, ..." */
static void list_pools(const struct pw_doctor_host *host, char *buf, size_t len)
{
	const struct pw_hugepages *hp = &host->huge;
	char page[32], node[32];
	size_t n = 0;
	unsigned int i;

	buf[0] = '\0';
	for (i = 0; i < hp->n_pools && n < len; i++) {
		const struct pw_hugepool *p = &hp->pools[i];

		if (p->n_total == 0)
			continue;
		snprintf(node, sizeof(node), " on node %d", p->node);
		n += (size_t)snprintf(buf + n, len - n,
			"%s%" PRIu64 " of %" PRIu64 " pages of %s free%s", n ? ", " : "",
			pw_hugepages_free(hp, p->page_bytes, p->node), p->n_total,
			size(page, p->page_bytes), p->node >= 0 ? node : "");
	}
	if (n == 0)
		snprintf(buf, len, "no huge pages are reserved");
}

uint64_t pw_doctor_missing_bytes(const struct pw_doctor_host *host, const struct pw_doctor_job *job)
{
	uint64_t need = job->eal_bytes + job->stage_bytes;
	uint64_t have = pw_hugepages_free_bytes(&host->huge);

	return job->opt->no_huge || host->huge.n_sizes == 0 || need <= have ? 0 : need - have;
}

static void check_free(const struct pw_doctor_host *host, const struct pw_doctor_job *job,
	struct pw_doctor_report *report)
{
	bool is_bare = pw_doctor_access(host, job) == PW_DOCTOR_ACCESS_BARE;
	uint64_t need = job->eal_bytes + job->stage_bytes;
	uint64_t missing = pw_doctor_missing_bytes(host, job);
	char pools[200], want[32], left[32], short_of[64] = "";

	size(want, need);
	if (need == 0) {
		pw_doctor_add(report, PW_DOCTOR_SKIP, "hugepages.free",
			"a job without DPDK needs no EAL memory");
		return;
	}
	if (job->opt->no_huge && is_bare) {
		pw_doctor_add(report, PW_DOCTOR_FAIL, "hugepages.free",
			"without an IOMMU a device uses physical addresses, and ordinary pages do "
			"not keep theirs");
		pw_doctor_set_fix(report, "pagewire send --huge ...   # instead of --no-huge");
		return;
	}
	if (job->opt->no_huge) {
		pw_doctor_add(report, PW_DOCTOR_SKIP, "hugepages.free",
			"--no-huge: %s of EAL memory come from ordinary pages", want);
		return;
	}
	if (host->huge.n_sizes == 0) {
		pw_doctor_add(report, pw_doctor_is_pci(job) ? PW_DOCTOR_FAIL : PW_DOCTOR_WARN,
			"hugepages.free", "this kernel has no huge pages%s",
			pw_doctor_is_pci(job) ? ", and EAL does not fall back for a device" : "");
		if (pw_doctor_is_pci(job))
			pw_doctor_fix_kernel(host, report, "CONFIG_HUGETLBFS");
		else
			pw_doctor_set_fix(report, "pagewire send --no-huge ...");
		return;
	}
	list_pools(host, pools, sizeof(pools));
	if (!missing) {
		pw_doctor_add(report, PW_DOCTOR_OK, "hugepages.free", "%s; %s needed", pools, want);
		return;
	}
	if (host->memory_available && host->memory_available < missing)
		snprintf(short_of, sizeof(short_of), " (and only %s of memory are left)",
			size(left, host->memory_available));
	pw_doctor_add(report, pw_doctor_is_pci(job) ? PW_DOCTOR_FAIL : PW_DOCTOR_WARN,
		"hugepages.free", "%s; %s needed%s: %s", pools, want, short_of,
		pw_doctor_is_pci(job) ? "for a device EAL does not fall back to ordinary pages"
				      : "EAL falls back to ordinary pages, which cost TLB misses");
	fix_pages(host, job, missing, report);
}

static const struct pw_hugemount *find_mount(const struct pw_doctor_host *host, bool writable)
{
	unsigned int i;

	for (i = 0; i < host->huge.n_mounts; i++) {
		const struct pw_hugemount *m = &host->huge.mounts[i];

		/* the mounts of a test are not on this host */
		if (!writable || (!m->read_only && (!pw_sysroot_is_real(host->root) ||
							   access(m->dir, W_OK | X_OK) == 0)))
			return m;
	}
	return NULL;
}

static bool needs_mount(const struct pw_doctor_host *host, const struct pw_doctor_job *job)
{
	return host->huge.n_sizes && !(job->has_port && job->traits->reach == PW_REACH_EAL);
}

bool pw_doctor_lacks_mount(const struct pw_doctor_host *host, const struct pw_doctor_job *job)
{
	return needs_mount(host, job) && !find_mount(host, false);
}

static void check_mount(const struct pw_doctor_host *host, const struct pw_doctor_job *job,
	struct pw_doctor_report *report)
{
	const struct pw_hugemount *m = find_mount(host, true);
	char page[32];

	if (!needs_mount(host, job)) {
		pw_doctor_add(report, PW_DOCTOR_SKIP, "hugepages.mount",
			host->huge.n_sizes
				? "this port sends files from EAL's memory, which needs no mount"
				: "this kernel has no huge pages");
	} else if (m) {
		pw_doctor_add(report, PW_DOCTOR_OK, "hugepages.mount",
			"hugetlbfs with pages of %s on %.200s", size(page, m->page_bytes), m->dir);
	} else if (find_mount(host, false)) {
		m = find_mount(host, false);
		pw_doctor_add(report, PW_DOCTOR_WARN, "hugepages.mount",
			"hugetlbfs on %.200s, %s: `pagewire stage` cannot put files there", m->dir,
			m->read_only ? "mounted read-only" : "not writable for this user");
		pw_doctor_set_fix(report,
			m->read_only ? "mount -o remount,rw %.200s" : "chown \"$USER\" %.200s",
			m->dir);
	} else {
		pw_doctor_add(report, PW_DOCTOR_WARN, "hugepages.mount",
			"no hugetlbfs is mounted: files cannot be put on huge pages, from which "
			"every NIC sends in place (EAL's own memory needs no mount)");
		pw_doctor_set_fix(report,
			"mkdir -p /mnt/huge && mount -t hugetlbfs -o pagesize=%" PRIu64
			"M none /mnt/huge",
			pw_max_u64(host->huge.default_page_bytes >> 20, 1));
	}
}

static void check_memlock(const struct pw_doctor_host *host, const struct pw_doctor_job *job,
	struct pw_doctor_report *report)
{
	bool is_bare = pw_doctor_access(host, job) == PW_DOCTOR_ACCESS_BARE;
	const struct pw_limits *l = &host->limits;
	uint64_t need = 0;
	char want[32], have[32];

	if (pw_doctor_is_pci(job) && !is_bare)
		need = job->eal_bytes + job->stage_bytes +
		       (job->pages == PW_PAGES_HUGEFILE ? job->file_bytes : 0);
	else if (job->has_port && job->spec.kind == PW_PORT_AF_XDP)
		need = XDP_FRAMES * (XDP_FRAME_SURPLUS + pw_max_u64(job->opt->mtu, 2048));
	if (need == 0) {
		pw_doctor_add(report, PW_DOCTOR_SKIP, "memlock",
			job->has_port ? "this port pins no memory"
				      : "only PCI NICs and af_xdp: ports pin memory");
		return;
	}
	size(want, need);
	if (l->ipc_lock || l->memlock_bytes == PW_MEMLOCK_UNLIMITED) {
		pw_doctor_add(report, PW_DOCTOR_OK, "memlock", "%s may be pinned: %s", want,
			l->ipc_lock ? "CAP_IPC_LOCK lifts the limit" : "there is no limit");
		return;
	}
	size(have, l->memlock_bytes);
	if (l->memlock_bytes >= need) {
		pw_doctor_add(
			report, PW_DOCTOR_OK, "memlock", "%s to pin, the limit is %s", want, have);
		return;
	}
	pw_doctor_add(report, PW_DOCTOR_FAIL, "memlock",
		"%s must be pinned for the device, RLIMIT_MEMLOCK allows %s", want, have);
	if (l->memlock_max_bytes >= need)
		pw_doctor_set_fix(report, "ulimit -l %" PRIu64, pw_div_ceil(need, 1024));
	else
		pw_doctor_set_fix(report,
			"prlimit --pid $$ --memlock=%" PRIu64
			"   # as root; for good: `* - memlock "
			"%" PRIu64 "` in /etc/security/limits.conf",
			pw_align_up(need, 1024), pw_div_ceil(need, 1024));
}

void pw_doctor_check_memory(const struct pw_doctor_host *host, const struct pw_doctor_job *job,
	struct pw_doctor_report *report)
{
	check_free(host, job, report);
	check_mount(host, job, report);
	check_memlock(host, job, report);
}
