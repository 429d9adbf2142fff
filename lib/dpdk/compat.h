/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What differs between the DPDKs that pagewire builds with, from 22.11 on (docs/dpdk-versions.md). The code uses
 * the newest name. Where a DPDK lacks it, it is made here from the older one. meson.build tries each name with a
 * program, so that nothing asks for a version: distributions carry patches from one version to another.
 */
#ifndef PW_DPDK_COMPAT_H
#define PW_DPDK_COMPAT_H

#include <rte_telemetry.h>

/* The new name came with 23.03, the old one went with 25.11. Both take 64 bits. */
#ifndef PW_HAVE_TEL_DICT_UINT
#define rte_tel_data_add_dict_uint rte_tel_data_add_dict_u64
#endif

#endif
