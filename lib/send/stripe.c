/* SPDX-License-Identifier: BSD-3-Clause */
#include "send/stripe.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include "base/bytes.h"

/* What starts a process on each host tells it its number by these variables; `job` names the start, so that
 * two jobs differ. Open MPI's mpirun and mpiexec start their helpers with srun, and srun's variables are then
 * those of the helper: srun's come last. */
static const struct launcher {
	const char *name, *rank, *size, *job[2];
} launchers[] = {
	{"Open MPI", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", {"PMIX_NAMESPACE", NULL}},
	{"mpiexec", "PMI_RANK", "PMI_SIZE", {"PMI_JOBID", NULL}},
	{"Slurm", "SLURM_PROCID", "SLURM_NTASKS", {"SLURM_JOB_ID", "SLURM_STEP_ID"}},
};

static uint32_t job_tsi(const struct launcher *l, const char *(*env)(const char *name))
{
	XXH64_hash_t hash = 0;
	size_t i;

	for (i = 0; i < PW_ARRAY_LEN(l->job) && l->job[i]; i++) {
		const char *value = env(l->job[i]);

		if (!value || !*value)
			return 0;
		hash = XXH3_64bits_withSeed(value, strlen(value), hash);
	}
	return 1 + (uint32_t)(hash % UINT16_MAX);
}

static int choose_auto(const char *(*env)(const char *name), struct pw_stripe *s, uint32_t *tsi,
	struct pw_err *err)
{
	size_t i;

	for (i = 0; i < PW_ARRAY_LEN(launchers); i++) {
		const struct launcher *l = &launchers[i];
		const char *rank = env(l->rank), *size = env(l->size);
		char text[32];
		int n;

		if (!rank || !size)
			continue;
		n = snprintf(text, sizeof(text), "%s/%s", rank, size);
		if (n < 0 || (size_t)n >= sizeof(text) || !pw_stripe_parse(text, (size_t)n, s))
			return pw_err_set(err, EINVAL,
				"cannot use --stripe auto: %s has set %s=%.20s and %s=%.20s; start "
				"1 to %u processes",
				l->name, l->rank, rank, l->size, size, PW_STRIPES_MAX);
		*tsi = job_tsi(l, env);
		return 0;
	}
	return pw_err_set(err, EINVAL,
		"cannot use --stripe auto: neither mpirun, mpiexec nor srun has started this "
		"process; start it by one of them, or give --stripe I/N");
}

int pw_stripe_choose(const char *text, const char *(*env)(const char *name), struct pw_stripe *s,
	uint32_t *tsi, struct pw_err *err)
{
	*tsi = 0;
	if (!strcmp(text, "auto"))
		return choose_auto(env, s, tsi, err);
	if (pw_stripe_parse(text, strlen(text), s))
		return 0;
	return pw_err_set(err, EINVAL,
		"cannot use --stripe '%.40s': give I/N with I from 0 to N - 1 and N up to %u, or "
		"auto",
		text, PW_STRIPES_MAX);
}
