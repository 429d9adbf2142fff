/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/doctor.h"
#include "base/bytes.h"
#include "dpdk/eal.h"
#include "dpdk/tx.h"

const char *pw_doctor_dpdk_version(void)
{
	return pw_dpdk_version();
}

bool pw_doctor_dpdk_has_driver(const char *driver)
{
	return pw_dpdk_has_driver(driver);
}

int pw_doctor_dpdk_port(struct pw_doctor_job *job, struct pw_err *err)
{
	int r = pw_portspec_parse(job->opt->port, &job->spec, err);

	if (r)
		return r;
	pw_portspec_driver(&job->spec, job->driver, sizeof(job->driver));
	job->traits =
		pw_driver_traits(job->driver, job->spec.kind == PW_PORT_PCI, job->spec.target);
	return 0;
}

/* As lib/dpdk/eal.c and lib/api/job.c reckon it: the pools of a port with 1024 descriptors, and a
 * staged file with its heap's fences. */
void pw_doctor_dpdk_memory(struct pw_doctor_job *job)
{
	const uint64_t n_desc = 1024;

	job->eal_bytes = (48ull << 20) + (4 * n_desc + 1024) * (job->opt->mtu + 512);
	job->eal_bytes = pw_align_up(job->eal_bytes, 2u << 20);
	if (!job->has_port || !job->file || job->file_err.code)
		return;
	if (pw_dpdk_choose_pages(
		    job->traits, PW_PAGES_AUTO, job->on_hugetlbfs, job->file, &job->pages, NULL))
		job->pages = PW_PAGES_AUTO;
	if (job->pages == PW_PAGES_STAGE && job->file_bytes) {
		job->stage_bytes = pw_align_up(job->file_bytes, 4096) + 8192;
		job->stage_bytes += job->stage_bytes / 64 + (16ull << 20);
	}
}
