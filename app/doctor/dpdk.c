/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads what doctor needs from DPDK: its version and drivers, the port's driver, a job's need of memory. */
#include "app/doctor/dpdk.h"
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

void pw_doctor_dpdk_memory(struct pw_doctor_job *job)
{
	job->eal_bytes = pw_dpdk_pool_bytes(job->opt->mtu, 0, 1);
	job->eal_bytes = pw_align_up(job->eal_bytes, 2u << 20);
	if (!job->has_port || !job->file || job->file_err.code)
		return;
	if (pw_dpdk_choose_pages(job->traits, PW_PAGES_AUTO, job->on_hugetlbfs, false, job->file,
		    &job->pages, NULL))
		job->pages = PW_PAGES_AUTO;
	if (job->pages == PW_PAGES_STAGE && job->file_bytes)
		job->stage_bytes = pw_dpdk_stage_bytes(pw_dpdk_stage_file_bytes(job->file_bytes));
}

void pw_doctor_dpdk_abilities(struct pw_doctor_job *job, const struct pw_log *log)
{
	struct pw_dpdk_config cfg = {.set = PW_PORT_CONFIG_DEFAULT};

	cfg.set.port = job->opt->port;
	cfg.set.cores = job->opt->core;
	cfg.set.mtu = (uint32_t)job->opt->mtu;
	cfg.set.no_huge = job->opt->no_huge;
	if (pw_port_abilities_read(&job->abilities, &cfg, log, &job->abilities_err))
		job->abilities.driver[0] = '\0';
}
