/* SPDX-License-Identifier: BSD-3-Clause */
/* The profiles that `bench --profile` knows. */
#ifndef PW_BENCH_PROFILES_H
#define PW_BENCH_PROFILES_H

#include "bench/profile.h"

extern const struct pw_profile pw_profile_file;
extern const struct pw_profile pw_profile_growth;
extern const struct pw_profile pw_profile_pacing;
extern const struct pw_profile pw_profile_queues;
extern const struct pw_profile pw_profile_stream;
extern const struct pw_profile pw_profile_tx;
extern const struct pw_profile pw_profile_wire;

extern const struct pw_profile *const pw_profiles[];        /* NULL at its end */
const struct pw_profile *pw_profile_find(const char *name); /* NULL: no such profile */

#endif
