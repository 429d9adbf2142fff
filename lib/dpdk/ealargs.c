/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Makes EAL's command line from the options: lcores, memory, files outside the memory, devices. An option that
 * the user gave to EAL (behind "--") replaces ours.
 */
#include <errno.h>
#include <inttypes.h>
#include <rte_config.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/units.h"
#include "dpdk/eal_private.h"
#include "dpdk/ealkeep.h"
#include "host/cpu.h"
#include "host/hugepages.h"
#include "host/numa.h"

#define SHARED_ROOM (16u << 20) /* dpdk-dumpcap's packets come from our heap, which may not grow */
#define NO_DEVICE   "ffffffff:ff:1f.7" /* an address that cannot exist: an empty list allows all */

/* "0-1,3-4,...": a range of at most 10 bytes for each 3 CPUs */
#define CPU_LIST_BYTES (CPU_SETSIZE * 5)

void pw_eal_args_add(struct pw_eal_args *a, const char *fmt, ...)
{
	va_list ap;
	char *text;
	int len;

	if (a->n == a->room) {
		const int room = a->room ? 2 * a->room : 16;
		char **v = reallocarray(a->text, (size_t)room, sizeof(*v));

		a->out_of_memory |= !v;
		if (!v)
			return;
		a->text = v;
		a->room = room;
	}
	va_start(ap, fmt);
	len = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (len >= 0)
		a->text[a->n++] = text;
	a->out_of_memory |= len < 0;
}

void pw_eal_args_finish(struct pw_eal_args *a)
{
	while (a->n)
		free(a->text[--a->n]);
	free(a->text);
	free(a->argv);
	*a = (struct pw_eal_args){0};
}

/* Has the user given this EAL option, as "-m 64", "-m64" or "--lcores=..."? Then ours is left out: an option that
 * stands twice is an error from DPDK 25.11 on. */
static bool given(const struct pw_dpdk_config *cfg, const char *opt)
{
	size_t len = strlen(opt);
	int i;

	for (i = 0; i < cfg->set.eal_argc; i++) {
		const char *arg = cfg->set.eal_argv[i];

		if (strncmp(arg, opt, len))
			continue;
		if (opt[1] != '-' || arg[len] == '\0' || arg[len] == '=')
			return true;
	}
	return false;
}

/* An option of ours, with a value or NULL. */
static void add_ours(
	struct pw_eal_args *a, const struct pw_dpdk_config *cfg, const char *opt, const char *value)
{
	if (given(cfg, opt))
		return;
	if (value)
		pw_eal_args_add(a, "%s=%s", opt, value);
	else
		pw_eal_args_add(a, "%s", opt);
}

/* EAL takes the lcore's memory from the node of the CPU that has the lcore's number, whatever CPUs it runs
 * on. So the lcore gets the number of the first of them. */
static unsigned int lcore_id(const cpu_set_t *set)
{
	unsigned int cpu;

	for (cpu = 0; cpu < RTE_MAX_LCORE; cpu++)
		if (CPU_ISSET(cpu, set))
			return cpu;
	return 0;
}

void pw_eal_args_add_lcores(struct pw_eal_args *a, const cpu_set_t *set)
{
	char list[CPU_LIST_BYTES];

	pw_eal_args_add(
		a, "--lcores=%u@(%s)", lcore_id(set), pw_cpu_list_format(set, list, sizeof(list)));
}

/* The CPUs of --core, or those of the port's node. */
static int choose_cpus(const struct pw_eal *eal, const struct pw_dpdk_config *cfg, cpu_set_t *set,
	struct pw_err *err)
{
	char wrong[PW_ERR_MAX], right[PW_ERR_MAX];
	cpu_set_t all, beyond;
	int r;

	if (!cfg->set.cores)
		return pw_cpu_allowed(eal->node, set, err);
	r = pw_cpu_list_parse("--core", cfg->set.cores, set, err);
	if (!r)
		r = pw_cpu_allowed(-1, &all, err);
	if (r)
		return r;
	CPU_OR(&beyond, set, &all);
	CPU_XOR(&beyond, &beyond, &all);
	if (CPU_COUNT(&beyond) == 0)
		return 0;
	return pw_err_set(err, EINVAL,
		"cannot use CPU %s of --core: this process may run on %s only; name CPUs of these",
		pw_cpu_list_format(&beyond, wrong, sizeof(wrong)),
		pw_cpu_list_format(&all, right, sizeof(right)));
}

/* The node that all these CPUs are of; -1: of several, or unknown. */
static int node_of(const cpu_set_t *set)
{
	const int node = pw_cpu_node(NULL, (int)lcore_id(set));
	cpu_set_t near;

	if (node < 0 || pw_cpu_of_node(NULL, node, &near))
		return -1;
	CPU_AND(&near, &near, set);
	return CPU_EQUAL(&near, set) ? node : -1;
}

/* *cpu_node: see node_of(). */
static int add_lcores(struct pw_eal_args *a, const struct pw_eal *eal,
	const struct pw_dpdk_config *cfg, int *cpu_node, struct pw_err *err)
{
	cpu_set_t set;
	int r;

	*cpu_node = -1;
	if (given(cfg, "-l") || given(cfg, "-c") || given(cfg, "--lcores") ||
		given(cfg, "--coremask"))
		return 0;
	r = choose_cpus(eal, cfg, &set, err);
	if (r)
		return r;
	pw_eal_args_add_lcores(a, &set);
	*cpu_node = node_of(&set);
	return 0;
}

static bool node_holds(const struct pw_hugepages *hp, int node, uint64_t bytes)
{
	uint64_t free_bytes = 0;
	unsigned int i;

	for (i = 0; i < hp->n_sizes; i++)
		free_bytes += pw_hugepages_free(hp, hp->sizes[i].page_bytes, node) *
			      hp->sizes[i].page_bytes;
	return free_bytes >= bytes;
}

/* DPDK takes its table of ports from the node of the thread that probes, and aborts where it gets none. */
static int check_cpu_node(int cpu_node, const struct pw_hugepages *hp, struct pw_err *err)
{
	if (cpu_node < 0 || pw_numa_n_nodes(NULL) < 2 || node_holds(hp, cpu_node, 1))
		return 0;
	return pw_err_set(err, ENOMEM,
		"cannot start EAL: NUMA node %d, which has the polling CPUs, has no free huge "
		"page; "
		"reserve some there, or give --core CPUs of another node (pagewire doctor: "
		"hugepages.free)",
		cpu_node);
}

/* From the port's node where that has enough; else from the nodes that EAL chooses. */
static void add_memory_size(
	struct pw_eal_args *a, const struct pw_eal *eal, const struct pw_hugepages *hp)
{
	char others[2 * RTE_MAX_NUMA_NODES + 1] = ""; /* "0," for each node before the port's */
	int i;

	if (!eal->huge || eal->node < 0 || eal->node >= RTE_MAX_NUMA_NODES ||
		pw_numa_n_nodes(NULL) < 2 || !node_holds(hp, eal->node, eal->memory_bytes)) {
		pw_eal_args_add(a, "-m%" PRIu64, eal->memory_bytes >> 20);
		return;
	}
	for (i = 0; i < eal->node; i++)
		memcpy(&others[2 * i], "0,", 3);
	pw_eal_args_add(a, "--socket-mem=%s%" PRIu64, others, eal->memory_bytes >> 20);
}

/* The second port is a PCI function. */
static bool second_is_pci(const struct pw_dpdk_config *cfg)
{
	struct pw_portspec spec;

	return cfg->second && pw_portspec_parse(cfg->second, &spec, NULL) == 0 &&
	       spec.kind == PW_PORT_PCI;
}

/* Huge pages where enough are free; else ordinary ones, where the port permits them. */
static int choose_pages(struct pw_eal *eal, const struct pw_dpdk_config *cfg,
	const struct pw_portspec *spec, struct pw_hugepages *hp, struct pw_err *err)
{
	uint64_t free_bytes = 0;
	char what[32];

	eal->huge = !cfg->set.no_huge && !given(cfg, "--no-huge");
	if (!eal->huge && eal->shares)
		return pw_err_set(err, EINVAL,
			"cannot start EAL with --shared-mem: ordinary pages cannot be shared; "
			"leave out --no-huge");
	if (!eal->huge)
		return 0;
	if (pw_hugepages_read(NULL, hp, err) == 0)
		free_bytes = pw_hugepages_free_bytes(hp) + pw_ealkeep_huge_bytes();
	if (free_bytes >= eal->memory_bytes)
		return 0;
	pw_units_size(what, sizeof(what), eal->memory_bytes);
	if (spec->kind == PW_PORT_PCI || second_is_pci(cfg) || eal->shares)
		return pw_err_set(err, ENOMEM,
			"cannot start EAL: it needs %s of huge pages, and fewer are free; reserve "
			"more (pagewire doctor: hugepages.free)",
			what);
	pw_warn(eal->log,
		"no %s of hugepages free: EAL memory is on ordinary pages (as --no-huge). It costs "
		"TLB misses, and DMA to a real NIC is ruled out (pagewire doctor: hugepages.free)",
		what);
	eal->huge = false;
	return 0;
}

static int add_memory(struct pw_eal_args *a, struct pw_eal *eal, const struct pw_dpdk_config *cfg,
	const struct pw_portspec *spec, int cpu_node, struct pw_err *err)
{
	struct pw_hugepages hp = {0};
	uint64_t need = cfg->set.memory_bytes;
	int r;

	if (!need)
		need = pw_dpdk_pool_bytes(cfg->set.mtu, cfg->set.queue_size, cfg->set.n_queues) *
			       (cfg->second ? 2 : 1) +
		       cfg->stage_bytes;
	eal->shares = cfg->set.shared_mem;
	eal->memory_bytes = pw_align_up(need + (eal->shares ? SHARED_ROOM : 0), 2u << 20);
	r = choose_pages(eal, cfg, spec, &hp, err);
	if (r)
		return r;
	if (!eal->huge)
		add_ours(a, cfg, "--no-huge", NULL);
	if (!given(cfg, "-m") && !given(cfg, "--memory-size") && !given(cfg, "--socket-mem") &&
		!given(cfg, "--numa-mem"))
		add_memory_size(a, eal, &hp);
	return eal->huge ? check_cpu_node(cpu_node, &hp, err) : 0;
}

/* Files that EAL makes outside its memory: none, unless other processes are to map that memory. */
static void add_files(
	struct pw_eal_args *a, const struct pw_eal *eal, const struct pw_dpdk_config *cfg)
{
	bool named = given(cfg, "--file-prefix");

	if (!cfg->set.shared_mem && !named && !given(cfg, "--huge-dir") &&
		!given(cfg, "--proc-type"))
		add_ours(a, cfg, eal->huge ? "--in-memory" : "--no-shconf", NULL);
	if (cfg->set.file_prefix)
		add_ours(a, cfg, "--file-prefix", cfg->set.file_prefix);
	else if (cfg->set.shared_mem)
		add_ours(a, cfg, "--file-prefix", "pagewire");
	if (eal->huge &&
		!given(cfg, "--legacy-mem")) /* vhost-user and memif pass few descriptors */
		add_ours(a, cfg, "--single-file-segments", NULL);
}

static void add_devices(
	struct pw_eal_args *a, const struct pw_dpdk_config *cfg, const struct pw_portspec *spec)
{
	const bool is_pci = spec->kind == PW_PORT_PCI;

	if (cfg->readonly_maps)
		add_ours(a, cfg, "--iova-mode", "va");
	else if (cfg->set.iova != PW_IOVA_AUTO || (!is_pci && !second_is_pci(cfg)))
		add_ours(a, cfg, "--iova-mode", cfg->set.iova == PW_IOVA_PA ? "pa" : "va");
	if (cfg->readonly_maps) /* none yet: the device's container is made first, see vfio.h */
		pw_eal_args_add(a, "--allow=" NO_DEVICE);
	else if (is_pci)
		pw_eal_args_add(a, "--allow=%s", spec->target);
	if (second_is_pci(cfg))
		pw_eal_args_add(a, "--allow=%s", cfg->second);
	else if (!is_pci && !cfg->readonly_maps && !given(cfg, "-a") && !given(cfg, "--allow"))
		add_ours(a, cfg, "--no-pci", NULL);
}

/* argv, with the NULL at its end. */
static int finish_argv(struct pw_eal_args *a, struct pw_err *err)
{
	a->argv = calloc((size_t)a->n + 1, sizeof(*a->argv));
	if (a->out_of_memory || !a->argv)
		return pw_err_set(err, ENOMEM, "cannot start EAL: out of memory");
	memcpy(a->argv, a->text, (size_t)a->n * sizeof(*a->argv));
	return 0;
}

int pw_eal_args_make(struct pw_eal_args *a, struct pw_eal *eal, const struct pw_dpdk_config *cfg,
	const struct pw_portspec *spec, struct pw_err *err)
{
	int i, r, cpu_node;

	pw_eal_args_add(a, "pagewire");
	r = add_lcores(a, eal, cfg, &cpu_node, err);
	if (!r)
		r = add_memory(a, eal, cfg, spec, cpu_node, err);
	if (r)
		return r;
	add_files(a, eal, cfg);
	if (!cfg->set.telemetry && !given(cfg, "--telemetry"))
		add_ours(a, cfg, "--no-telemetry", NULL);
	pw_eal_args_add(a, "--log-level=*:%s", cfg->verbose ? "info" : "warning");
	add_devices(a, cfg, spec);
	for (i = 0; i < cfg->set.eal_argc; i++)
		pw_eal_args_add(a, "%s", cfg->set.eal_argv[i]);
	return finish_argv(a, err);
}
