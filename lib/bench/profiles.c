/* SPDX-License-Identifier: BSD-3-Clause */
#include "bench/profiles.h"

#include <stddef.h>

const struct pw_profile *const pw_profiles[] = {
	&pw_profile_file,
	&pw_profile_growth,
	&pw_profile_pacing,
	&pw_profile_queues,
	&pw_profile_stream,
	&pw_profile_tx,
	&pw_profile_wire,
	NULL,
};
