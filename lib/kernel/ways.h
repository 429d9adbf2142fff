/* SPDX-License-Identifier: BSD-3-Clause */
/* Internal to lib/kernel: the ways, each defined in the file of its name. */
#ifndef PW_KERNEL_WAYS_H
#define PW_KERNEL_WAYS_H

#include "kernel/way.h"

extern const struct pw_way pw_way_read_write; /* tcp_read_write.c */

#endif
