/* SPDX-License-Identifier: BSD-3-Clause */
/* The part of doctor that asks DPDK: dpdk.c, or dpdk_none.c in a build without DPDK. */
#ifndef PW_APP_DOCTOR_DPDK_H
#define PW_APP_DOCTOR_DPDK_H

#include "app/doctor/subject.h"
#include "base/log.h"

const char *pw_doctor_dpdk_version(void); /* NULL: built without DPDK */
bool pw_doctor_dpdk_has_driver(const char *driver);
/* Fills spec, driver and traits from opt->port; -EINVAL, -ENOTSUP. */
int pw_doctor_dpdk_port(struct pw_doctor_job *job, struct pw_err *err);
/* Fills pages, eal_bytes and stage_bytes; all else of the job is known. */
void pw_doctor_dpdk_memory(struct pw_doctor_job *job);

/* Fills abilities or abilities_err. The driver opens the port and closes it. */
void pw_doctor_dpdk_abilities(struct pw_doctor_job *job, const struct pw_log *log);

#endif
