/* SPDX-License-Identifier: BSD-3-Clause */
/* The map that copies.bpf.c fills and copies.c reads: one slot for each probe. */
#ifndef PW_METER_SLOT_H
#define PW_METER_SLOT_H

#include <linux/types.h>

enum pw_slot_index {
	PW_SLOT_TO_ITER,
	PW_SLOT_FROM_ITER,
	PW_SLOT_FROM_ITER_NOCACHE,
	PW_SLOT_CSUM_FROM_ITER,
	PW_SLOT_CSUM_FROM_ITER_FULL,
	PW_SLOT_COPY_BITS,
	PW_SLOT_COPY_CSUM_BITS,
	PW_SLOT_STORE_BITS,
	PW_SLOT_EXPAND_HEAD,
	PW_SLOT_COPY_HEAD,
	PW_SLOT_COPY_UBUFS,
	PW_SLOT_COPY_UBUFS_LATER,
	PW_N_SLOTS
};

struct pw_slot {
	__u64 calls;
	__u64 bytes;
};

#endif
