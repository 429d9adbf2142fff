/* SPDX-License-Identifier: BSD-3-Clause */
/* What a send job with parity needs (send/parity.h): the options, and memory of EAL for the parity symbols. */
#ifndef PW_API_JOBFEC_H
#define PW_API_JOBFEC_H

#include "api/joboptions.h"

/* The parity of the streamed files of a job. */
struct pw_job_bands {
	uint64_t parity_bytes;
	uint64_t n_parts;      /* of files and parity that begin with a slot of the ring each */
	uint64_t least_bytes;  /* of a band that the ring made smaller than asked for; 0: of none */
	uint64_t burst;        /* packets lost in a row that such a band survives */
	uint64_t memory_bytes; /* --stream-memory that is enough for all that was asked for */
};

/* Fills *fec; k 0: no parity. -EINVAL: an option that needs --fec. */
int pw_job_fec_plan(const struct pw_job_options *o, struct pw_send_fec *fec, struct pw_err *err);
/* Adds the memory for the parity of a file. in_place: a file on hugetlbfs, whose parity may be staged and is sent in
 * place then. -EFBIG: it has too many blocks. */
int pw_job_fec_add(const struct pw_send_fec *fec, const struct pw_file *file, bool in_place,
	uint32_t symbol_len, uint64_t *staged_bytes, struct pw_err *err);
/* Adds a file that is streamed through the largest ring that `need` allows. stripe: the share of this process.
 * -ENOMEM: a block, or the --interleave that was given, does not fit. */
int pw_job_fec_stream(struct pw_job_bands *sum, const struct pw_send_fec *fec,
	const struct pw_file *file, const struct pw_stripe *stripe,
	const struct pw_stream_need *need, struct pw_err *err);

#endif
