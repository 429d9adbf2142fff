/* SPDX-License-Identifier: BSD-3-Clause */
/* What job.c and jobpages.c share: the provider of each file, and how much memory of EAL that takes. */
#ifndef PW_API_JOB_PRIVATE_H
#define PW_API_JOB_PRIVATE_H

#include "api/job.h"

/* The provider of a file. A choice that cannot work is refused before anything starts. */
int pw_job_choose_pages(struct pw_job *job, const char *path, uint64_t len_bytes,
	enum pw_pages *chosen, struct pw_err *err);
/* Plans the memory for all files: job->stream, bands and stage_bytes. */
int pw_job_plan_pages(struct pw_job *job, struct pw_err *err);

#endif
