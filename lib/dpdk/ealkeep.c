/* SPDX-License-Identifier: BSD-3-Clause */
/* Holds the EAL of a failed open, and compares its arguments with those of the next one. */
#include "dpdk/ealkeep.h"

#include <errno.h>
#include <rte_dev.h>
#include <rte_lcore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DEVICES 64

/* A global, because EAL is one. */
static struct {
	void *args;  /* NULL: no EAL is kept */
	char **argv; /* argc copies: EAL reorders its own */
	int argc;
	uint64_t huge_bytes;
} kept;

/* A second device of the same name could not be made. */
static void remove_devices(void)
{
	struct rte_dev_iterator it;
	char name[RTE_DEV_NAME_MAX_LEN];
	struct rte_device *dev;
	int i;

	for (i = 0; i < MAX_DEVICES; i++) {
		name[0] = '\0';
		RTE_DEV_FOREACH(dev, "bus=vdev", &it)
		{
			if (!name[0])
				snprintf(name, sizeof(name), "%s", rte_dev_name(dev));
		}
		if (!name[0] || rte_eal_hotplug_remove("vdev", name))
			return;
	}
}

void pw_ealkeep_put(void *args, uint64_t huge_bytes)
{
	remove_devices();
	kept.args = args;
	kept.huge_bytes = huge_bytes;
}

/* The same, or "-m" with no more than EAL has. */
static bool argument_fits(const char *running, const char *wanted)
{
	if (!strncmp(running, "-m", 2) && !strncmp(wanted, "-m", 2))
		return strtoull(wanted + 2, NULL, 10) <= strtoull(running + 2, NULL, 10);
	return strcmp(running, wanted) == 0;
}

static const char *first_difference(int argc, char *const *argv)
{
	int i;

	for (i = 0; i < argc && i < kept.argc; i++)
		if (!argument_fits(kept.argv[i], argv[i]))
			return argv[i];
	return i < argc ? argv[i] : i < kept.argc ? kept.argv[i] : NULL;
}

static int remember(int argc, char *const *argv, struct pw_err *err)
{
	int i;

	for (i = 0; i < kept.argc; i++)
		free(kept.argv[i]);
	free(kept.argv);
	kept.argc = 0;
	kept.argv = calloc((size_t)argc, sizeof(*kept.argv));
	for (i = 0; kept.argv && i < argc; i++) {
		kept.argv[i] = strdup(argv[i]);
		if (!kept.argv[i])
			break;
		kept.argc++;
	}
	return kept.argc == argc ? 0 : pw_err_set(err, ENOMEM, "cannot start EAL: out of memory");
}

int pw_ealkeep_take(int argc, char *const *argv, void **args, struct pw_err *err)
{
	const char *differs;

	if (!kept.args)
		return remember(argc, argv, err);
	if (rte_lcore_id() == LCORE_ID_ANY)
		return pw_err_set(err, EALREADY,
			"cannot start EAL: an open that failed has started it in another thread; "
			"open the port in that thread, or in a new process");
	differs = first_difference(argc, argv);
	if (differs)
		return pw_err_set(err, EALREADY,
			"cannot start EAL with %s: an open that failed has started it with other "
			"arguments, and it starts once a process; open the port in a new process",
			differs);
	*args = kept.args;
	kept.args = NULL;
	kept.huge_bytes = 0;
	return 1;
}

uint64_t pw_ealkeep_huge_bytes(void)
{
	return kept.huge_bytes;
}
