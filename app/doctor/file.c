/* SPDX-License-Identifier: BSD-3-Clause */
/* Checks file.*: whether the file can be read, where its pages are, and whether its copy fits in memory. */
#include "app/doctor/file.h"

#include <string.h>

#include "base/bytes.h"
#include "base/units.h"
#include "host/numa.h"

/* The ring that `send` streams a file through when it cannot be staged, and the smallest ring that works. */
#define RING_BYTES (256ull << 20)
#define RING_LEAST (32ull << 20)

static const char *size(char buf[32], uint64_t bytes)
{
	return pw_units_size(buf, 32, bytes);
}

static bool check_readable(const struct pw_doctor_job *job, struct pw_doctor_report *report)
{
	char s[32];

	if (!job->file) {
		pw_doctor_add(report, PW_DOCTOR_SKIP, "file.readable", "no FILE was named");
		return false;
	}
	if (job->file_err.code) {
		pw_doctor_add(report, PW_DOCTOR_FAIL, "file.readable", "%s", job->file_err.msg);
		pw_doctor_set_fix(report,
			job->on_hugetlbfs ? "chmod u+rw %.150s   # its pages are mapped read-write"
					  : "ls -l %.150s",
			job->file);
		return false;
	}
	pw_doctor_add(report, PW_DOCTOR_OK, "file.readable", "%.150s: %s%s", job->file,
		size(s, job->file_bytes), job->file_is_dir ? " in a directory" : "");
	return true;
}

static void check_place(const struct pw_doctor_job *job, struct pw_doctor_report *report)
{
	char s[32], page[32];

	size(page, job->file_page_bytes);
	switch (job->has_port ? job->pages : PW_PAGES_AUTO) {
	case PW_PAGES_HUGEFILE:
		pw_doctor_add(report, PW_DOCTOR_OK, "file.hugetlbfs",
			"on huge pages of %s: sent in place, 0 copies", page);
		return;
	case PW_PAGES_PAGECACHE:
		pw_doctor_add(report, PW_DOCTOR_OK, "file.hugetlbfs",
			"in the page cache: sent in place; %s accepts any memory", job->driver);
		return;
	case PW_PAGES_STAGE:
		break;
	default:
		pw_doctor_add(report, PW_DOCTOR_OK, "file.hugetlbfs",
			job->on_hugetlbfs ? "on huge pages of %s"
					  : "on an ordinary file system (%s pages)",
			page);
		return;
	}
	if (job->traits->reach == PW_REACH_EAL) {
		pw_doctor_add(report, job->on_hugetlbfs ? PW_DOCTOR_WARN : PW_DOCTOR_OK,
			"file.hugetlbfs",
			"%s shares only EAL's memory with its peer: %s are read into it first%s",
			job->driver, size(s, job->file_bytes),
			job->on_hugetlbfs ? ", and its huge pages have no advantage" : "");
		if (job->on_hugetlbfs)
			pw_doctor_set_fix(report,
				"pagewire send --port vhost:%s ...   # sends the file in place; "
				"the peer connects",
				job->spec.kind == PW_PORT_VIRTIO_USER ? job->spec.target : "PATH");
		return;
	}
	pw_doctor_add(report, PW_DOCTOR_WARN, "file.hugetlbfs",
		"not on huge pages: each run reads %s into EAL memory before it sends",
		size(s, job->file_bytes));
	pw_doctor_set_fix(report,
		"pagewire stage %.150s   # once; then send the copy that it names", job->file);
}

static bool streams(const struct pw_doctor_job *job, uint64_t huge, uint64_t ring_bytes)
{
	return !job->opt->no_huge && huge >= job->eal_bytes + ring_bytes;
}

static void add_streamed(struct pw_doctor_report *report, uint64_t need, uint64_t huge)
{
	char a[32], b[32];

	pw_doctor_add(report, PW_DOCTOR_OK, "file.fits",
		"%s to stage it, %s of huge pages are free: streamed from the disk through a ring",
		size(a, need), size(b, huge));
}

/* What the job needs besides the file: memory to stage it, huge pages for its holes. */
static void check_fits(const struct pw_doctor_host *host, const struct pw_doctor_job *job,
	struct pw_doctor_report *report)
{
	uint64_t need = job->eal_bytes + job->stage_bytes;
	uint64_t huge = pw_hugepages_free_bytes(&host->huge);
	bool pci = pw_doctor_is_pci(job);
	char a[32], b[32], c[32];

	if (job->on_hugetlbfs && job->file_has_holes && !job->file_is_dir) {
		pw_doctor_add(report, PW_DOCTOR_WARN, "file.fits",
			"the file has holes: filling them takes more huge pages when it is mapped");
		pw_doctor_set_fix(report, "pagewire stage --force SOURCE   # stages it whole");
	} else if (!job->stage_bytes) {
		bool roomy = job->on_hugetlbfs || !host->memory_available ||
			     job->file_bytes <= host->memory_available;

		pw_doctor_add(report, roomy ? PW_DOCTOR_OK : PW_DOCTOR_WARN, "file.fits",
			roomy ? "%s are sent in place"
			      : "%s are more than the memory available (%s): streamed at the "
				"disk's pace",
			size(a, job->file_bytes), size(b, host->memory_available));
		if (!roomy)
			pw_doctor_set_fix(report,
				"pagewire stage %.150s   # with enough huge pages", job->file);
	} else if (!job->opt->no_huge && huge >= need) {
		pw_doctor_add(report, PW_DOCTOR_OK, "file.fits",
			job->pages == PW_PAGES_STREAM
				? "%s for the ring and %s of pools fit %s of free huge pages"
				: "%s to stage and %s of pools fit %s of free huge pages",
			size(a, job->stage_bytes), size(b, job->eal_bytes), size(c, huge));
	} else if (streams(job, huge, RING_BYTES)) {
		add_streamed(report, need, huge);
	} else if ((!pci || job->opt->no_huge) &&
		   (!host->memory_available || host->memory_available >= need)) {
		pw_doctor_add(report, PW_DOCTOR_OK, "file.fits",
			"%s to stage fit ordinary memory (%s available), not the free huge pages",
			size(a, job->stage_bytes), size(b, host->memory_available));
	} else if (streams(job, huge, RING_LEAST)) {
		add_streamed(report, need, huge);
	} else {
		pw_doctor_add(report, PW_DOCTOR_FAIL, "file.fits",
			"%s must be staged in EAL memory: %s of huge pages are free, %s of "
			"ordinary memory%s",
			size(a, need), size(b, huge), size(c, host->memory_available),
			pci ? ", which EAL does not use for a device" : "");
		pw_doctor_set_fix(report,
			pci ? "see hugepages.free"
			    : "pagewire send --port vhost:PATH ...   # sends from the page cache");
	}
}

static void check_numa(const struct pw_doctor_host *host, const struct pw_doctor_job *job,
	struct pw_doctor_report *report)
{
	unsigned int counts[64] = {0}, near, all = 0, i;
	unsigned int n = (unsigned int)pw_min_u64(host->n_nodes, PW_ARRAY_LEN(counts));
	struct pw_err err;

	if (host->n_nodes == 1 || job->node < 0 || !job->on_hugetlbfs || job->file_is_dir ||
		(unsigned int)job->node >= n) {
		pw_doctor_add(report, PW_DOCTOR_SKIP, "file.numa",
			host->n_nodes == 1 ? "this host has one NUMA node"
					   : "no device reads this file from a NUMA node");
		return;
	}
	if (pw_numa_of_hugefile(job->file, job->file_page_bytes, counts, n, &err)) {
		pw_doctor_add(report, PW_DOCTOR_SKIP, "file.numa", "%s", err.msg);
		return;
	}
	for (i = 0; i < n; i++)
		all += counts[i];
	near = counts[job->node];
	pw_doctor_add(report, near == all ? PW_DOCTOR_OK : PW_DOCTOR_WARN, "file.numa",
		"%u of %u examined pages are on node %d, the port's%s", near, all, job->node,
		near == all ? "" : ": the rest crosses the interconnect");
	if (near != all)
		pw_doctor_set_fix(report,
			"numactl --membind=%d pagewire stage --force SOURCE   # stages it there",
			job->node);
}

void pw_doctor_check_file(const struct pw_doctor_host *host, const struct pw_doctor_job *job,
	struct pw_doctor_report *report)
{
	if (!check_readable(job, report))
		return;
	check_place(job, report);
	check_fits(host, job, report);
	check_numa(host, job, report);
}
