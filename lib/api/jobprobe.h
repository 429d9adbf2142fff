/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A probe of the path: numbered packets of generated pages, which are of no session (PW_CP_PROBE, wire/alc.h). Receivers
 * with --repair count them, and report to the URL in them.
 *
 *   plan, with probe_bytes and no file --> open --> repair.url, repair.rate --> pw_job_probe() --> finish
 */
#ifndef PW_API_JOBPROBE_H
#define PW_API_JOBPROBE_H

#include "api/job.h"

#define PW_JOB_PROBE_BYTES (16ull << 20) /* of generated pages: more than a CPU's cache */

/* Sends through queue 0 until job->repair.rate() returns 0, or the job is stopped. The rate is asked for every 20 ms.
 * Afterwards pw_job_counters() has what was sent. -ENODEV: the port is broken. */
int pw_job_probe(struct pw_job *job, struct pw_err *err);

#endif
