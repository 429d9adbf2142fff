/* SPDX-License-Identifier: BSD-3-Clause */
/* What a send job with parity needs (send/parity.h): the options, and memory of EAL for the parity symbols. */
#ifndef PW_API_JOBFEC_H
#define PW_API_JOBFEC_H

#include "api/joboptions.h"

/* Fills *fec; k 0: no parity. -EINVAL: an option that does not go with --fec, or that needs it. */
int pw_job_fec_plan(const struct pw_job_options *o, struct pw_send_fec *fec, struct pw_err *err);
/* Adds the memory for the parity of a file. in_place: a file on hugetlbfs, whose parity may be staged and is sent in
 * place then. -EFBIG: it has too many blocks. */
int pw_job_fec_add(const struct pw_send_fec *fec, const struct pw_file *file, bool in_place,
	uint32_t symbol_len, uint64_t *staged_bytes, struct pw_err *err);

#endif
