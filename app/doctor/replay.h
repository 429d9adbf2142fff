/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads a capture for doctor, with the parts of `replay`: replay.c, or replay_none.c in a build without DPDK. */
#ifndef PW_APP_DOCTOR_REPLAY_H
#define PW_APP_DOCTOR_REPLAY_H

#include "app/doctor/subject.h"

/* If job->file is a capture: fills capture, and with a port pages and stage_bytes as replay would choose them. */
void pw_doctor_read_capture(struct pw_doctor_job *job);

#endif
