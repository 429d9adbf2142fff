/* SPDX-License-Identifier: BSD-3-Clause */
/* Checks nic.driver, vfio.*, iommu and iova.mode: whether user space can drive the NIC. */
#ifndef PW_APP_DOCTOR_PCI_H
#define PW_APP_DOCTOR_PCI_H

#include "app/doctor/report.h"
#include "app/doctor/subject.h"

/* -ENODEV: --port names a PCI device that is not there. err: with those that are. */
int pw_doctor_no_device(
	const struct pw_doctor_host *host, const struct pw_doctor_job *job, struct pw_err *err);

void pw_doctor_check_pci(const struct pw_doctor_host *host, const struct pw_doctor_job *job,
	struct pw_doctor_report *report);

#endif
