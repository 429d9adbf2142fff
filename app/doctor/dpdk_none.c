/* SPDX-License-Identifier: BSD-3-Clause */
/* Replaces dpdk.c in a build without DPDK: there are no ports, and no job needs EAL memory. */
#include <errno.h>

#include "app/doctor/dpdk.h"

const char *pw_doctor_dpdk_version(void)
{
	return NULL;
}

bool pw_doctor_dpdk_has_driver(const char *driver)
{
	(void)driver;
	return false;
}

int pw_doctor_dpdk_port(struct pw_doctor_job *job, struct pw_err *err)
{
	return pw_err_set(err, ENOTSUP,
		"cannot open %.80s: this pagewire was built without DPDK and has no ports; receive "
		"with --listen, or build with -Ddpdk=enabled",
		job->opt->port);
}

void pw_doctor_dpdk_memory(struct pw_doctor_job *job)
{
	(void)job;
}

void pw_doctor_dpdk_abilities(struct pw_doctor_job *job, const struct pw_log *log)
{
	(void)job;
	(void)log;
}
