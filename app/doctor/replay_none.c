/* SPDX-License-Identifier: BSD-3-Clause */
/* Replaces replay.c in a build without DPDK, which has no replay. */
#include "app/doctor/replay.h"

void pw_doctor_read_capture(struct pw_doctor_job *job)
{
	(void)job;
}
