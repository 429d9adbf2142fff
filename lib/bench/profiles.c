/* SPDX-License-Identifier: BSD-3-Clause */
/* The list of profiles, and the search in it. */
#include "bench/profiles.h"

#include <stddef.h>
#include <string.h>

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

const struct pw_profile *pw_profile_find(const char *name)
{
	size_t i;

	for (i = 0; pw_profiles[i]; i++)
		if (strcmp(pw_profiles[i]->name, name) == 0)
			return pw_profiles[i];
	return NULL;
}
