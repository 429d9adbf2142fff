/* SPDX-License-Identifier: BSD-3-Clause */
/* Measures what parity costs a core: blocks in cold memory are encoded, or restored. */
#ifndef PW_CELL_FEC_H
#define PW_CELL_FEC_H

#include <stdint.h>

#include "base/err.h"

struct pw_cell_fec {
	uint32_t k, r, symbol_bytes;
	uint32_t
		n_lost; /* source symbols of every block, which are restored; 0: parity is computed */
	uint64_t memory_bytes; /* of all blocks; much more than the caches have */
};

struct pw_cell_fec_end {
	uint64_t bytes;  /* of source symbols in the blocks */
	uint64_t cpu_ns; /* of this thread, over all blocks */
};

/* 0; -EINVAL: such blocks cannot be; -ENOMEM; -EIO: what was restored is wrong. */
int pw_cell_fec(const struct pw_cell_fec *fec, struct pw_cell_fec_end *end, struct pw_err *err);

#endif
