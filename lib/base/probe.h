/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Statically defined trace points: PW_PROBE3(tx_burst, a, b, c) is a NOP in the code and a note in the ELF file
 * with its address and the locations of a, b and c. bpftrace, perf and gdb find it as pagewire:tx_burst.
 * Arguments are values that the code has anyway: nothing is computed for a probe.
 */
#ifndef PW_BASE_PROBE_H
#define PW_BASE_PROBE_H

#ifdef PW_HAVE_SDT
#include <sys/sdt.h>
#define PW_PROBE3(name, a, b, c) DTRACE_PROBE3(pagewire, name, a, b, c)
#else
#define PW_PROBE3(name, a, b, c) ((void)0)
#endif

#endif
