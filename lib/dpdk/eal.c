/* SPDX-License-Identifier: BSD-3-Clause */
#include "dpdk/eal.h"

#include <errno.h>
#include <inttypes.h>
#include <rte_config.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>
#include <rte_memory.h>
#include <rte_version.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/units.h"
#include "dpdk/ealkeep.h"
#include "dpdk/panic.h"
#include "dpdk/share.h"
#include "host/cpu.h"
#include "host/hugepages.h"
#include "host/netif.h"
#include "host/numa.h"
#include "host/pci.h"

#define MAX_ARGS    64
#define SHARED_ROOM (16u << 20) /* dpdk-dumpcap's packets come from our heap, which may not grow */
#define ARG_BYTES   320
#define NO_DEVICE   "ffffffff:ff:1f.7" /* an address that cannot be: an empty list would allow all */

/* EAL's command line as it grows. Strings live here: EAL keeps pointers into argv. */
struct args {
	char text[MAX_ARGS][ARG_BYTES];
	char *argv[MAX_ARGS + 1];
	int n;
	int cpu_node; /* that all CPUs of the lcore are of; -1: of several, or not known */
};

const char *pw_dpdk_version(void)
{
	return rte_version();
}

bool pw_dpdk_has_driver(const char *driver)
{
	char path[256];

	/* one plug-in holds both of virtio's drivers */
	if (!strcmp(driver, "net_virtio_user"))
		driver = "net_virtio";
	if (access(RTE_EAL_PMD_PATH, R_OK))
		return true; /* no plug-ins: drivers are linked in, the probe will tell */
	snprintf(path, sizeof(path), "%s/librte_%s.so", RTE_EAL_PMD_PATH, driver);
	return access(path, R_OK) == 0;
}

/* DPDK's log goes one level down from ours, and its last line is kept for error messages. */
static ssize_t log_write(void *cookie, const char *buf, size_t len)
{
	struct pw_eal *eal = cookie;
	size_t n = len;

	while (n > 0 && (buf[n - 1] == '\n' || buf[n - 1] == ' '))
		n--;
	if (n > 0) {
		pw_panic_hear(buf);
		snprintf(eal->last_line, sizeof(eal->last_line), "%.*s", (int)(n < 150 ? n : 150),
			buf);
		pw_debug(eal->log, "%.*s", (int)n, buf);
	}
	return (ssize_t)len;
}

const char *pw_eal_last_words(struct pw_eal *eal)
{
	char line[sizeof(eal->last_line)];

	if (eal->last_line[0] == '\0' || !strncmp(eal->last_line, " (DPDK", 6))
		return eal->last_line;
	strcpy(line, eal->last_line);
	snprintf(eal->last_line, sizeof(eal->last_line), " (DPDK: %.*s)",
		(int)sizeof(eal->last_line) - 12, line);
	return eal->last_line;
}

static void add(struct args *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void add(struct args *a, const char *fmt, ...)
{
	va_list ap;

	if (a->n == MAX_ARGS)
		return; /* start() has counted before */
	va_start(ap, fmt);
	vsnprintf(a->text[a->n], ARG_BYTES, fmt, ap);
	va_end(ap);
	a->argv[a->n] = a->text[a->n];
	a->n++;
}

/* Did the user give this EAL option himself, as "-m 64", "-m64", "--lcores=..."? */
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

static int port_node(const struct pw_portspec *spec)
{
	char address[PW_PORT_MAX];

	if (pw_portspec_is_interface(spec))
		return pw_netif_node(spec->target);
	if (spec->kind != PW_PORT_PCI)
		return -1;
	snprintf(address, sizeof(address), "%s", spec->target);
	address[strcspn(address, ",")] = '\0';
	return pw_pci_node(address);
}

void pw_dpdk_prefer_node(const struct pw_portspec *spec)
{
	const int node = port_node(spec);

	if (node >= 0)
		pw_numa_prefer(node);
}

/* EAL takes an lcore to be on the node of the CPU that has its number, whatever CPUs it is given, and
 * lays its memory there: the lcore is named after the first of them. */
static unsigned int lcore_id(const cpu_set_t *set)
{
	unsigned int cpu;

	for (cpu = 0; cpu < RTE_MAX_LCORE; cpu++)
		if (CPU_ISSET(cpu, set))
			return cpu;
	return 0;
}

static int node_of(const cpu_set_t *set)
{
	const int node = pw_cpu_node(NULL, (int)lcore_id(set));
	cpu_set_t near;

	if (node < 0 || pw_cpu_of_node(NULL, node, &near))
		return -1;
	CPU_AND(&near, &near, set);
	return CPU_EQUAL(&near, set) ? node : -1;
}

/* One lcore, which may float over the CPUs asked for, or over those of the port's node. */
static int add_lcores(struct args *a, const struct pw_eal *eal, const struct pw_dpdk_config *cfg,
	struct pw_err *err)
{
	cpu_set_t set, all, both;
	char list[ARG_BYTES - 16];
	size_t len = 0;
	int cpu, r;

	if (given(cfg, "-l") || given(cfg, "-c") || given(cfg, "--lcores"))
		return 0;
	r = cfg->set.cores ? pw_cpu_list_parse("--core", cfg->set.cores, &set, err)
			   : pw_cpu_allowed(eal->node, &set, err);
	if (!r)
		r = pw_cpu_allowed(-1, &all, err);
	if (r)
		return r;
	CPU_AND(&both, &set, &all);
	if (!CPU_EQUAL(&both, &set))
		return pw_err_set(err, EINVAL,
			"use --core %s: not all of them are CPUs of this process; it has %s",
			cfg->set.cores, pw_cpu_list_format(&all, list, sizeof(list)));
	for (cpu = 0; cpu < CPU_SETSIZE && len + 8 < sizeof(list); cpu++)
		if (CPU_ISSET(cpu, &set))
			len += (size_t)snprintf(
				list + len, sizeof(list) - len, "%s%d", len ? "," : "", cpu);
	add(a, "--lcores=%u@(%s)", lcore_id(&set), list);
	a->cpu_node = node_of(&set);
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

/* DPDK takes its table of ports from the node of the thread that probes, and aborts when it has none. */
static int check_cpu_node(const struct args *a, const struct pw_hugepages *hp, struct pw_err *err)
{
	if (a->cpu_node < 0 || pw_numa_n_nodes(NULL) < 2 || node_holds(hp, a->cpu_node, 1))
		return 0;
	return pw_err_set(err, ENOMEM,
		"start EAL: NUMA node %d has no huge page free, and the CPUs that poll are there; "
		"reserve some there, or give --core CPUs of another node (pagewire doctor: "
		"hugepages.free)",
		a->cpu_node);
}

/* From the port's node where that has enough; else from wherever EAL finds it. */
static void add_memory_size(struct args *a, const struct pw_eal *eal, const struct pw_hugepages *hp)
{
	char list[ARG_BYTES - 16] = "";
	size_t len = 0;
	int i;

	if (!eal->huge || eal->node < 0 || eal->node >= RTE_MAX_NUMA_NODES ||
		pw_numa_n_nodes(NULL) < 2 || !node_holds(hp, eal->node, eal->memory_bytes)) {
		add(a, "-m%" PRIu64, eal->memory_bytes >> 20);
		return;
	}
	for (i = 0; i < eal->node; i++)
		len += (size_t)snprintf(list + len, sizeof(list) - len, "0,");
	add(a, "--socket-mem=%s%" PRIu64, list, eal->memory_bytes >> 20);
}

static int add_memory(struct args *a, struct pw_eal *eal, const struct pw_dpdk_config *cfg,
	const struct pw_portspec *spec, struct pw_err *err)
{
	struct pw_hugepages hp = {0};
	uint64_t need = cfg->set.memory_bytes ? cfg->set.memory_bytes
					      : pw_dpdk_pool_bytes(cfg->set.mtu,
							cfg->set.queue_size, cfg->set.n_queues) +
							cfg->stage_bytes;
	uint64_t free_bytes = 0;
	char what[32];

	if (cfg->set.shared_mem)
		need += SHARED_ROOM;
	need = pw_align_up(need, 2u << 20);
	eal->memory_bytes = need;
	eal->huge = !cfg->set.no_huge && !given(cfg, "--no-huge");
	eal->shares = cfg->set.shared_mem;
	if (eal->shares && !eal->huge)
		return pw_err_set(err, EINVAL,
			"start EAL with --shared-mem: ordinary pages cannot be shared; leave out "
			"--no-huge");
	if (eal->huge) {
		if (pw_hugepages_read(NULL, &hp, err) == 0)
			free_bytes = pw_hugepages_free_bytes(&hp) + pw_ealkeep_huge_bytes();
		if (free_bytes < need && (spec->kind == PW_PORT_PCI || cfg->set.shared_mem))
			return pw_err_set(err, ENOMEM,
				"start EAL: %s of hugepages wanted, fewer are free; reserve more "
				"(pagewire doctor: hugepages.free)",
				pw_units_size(what, sizeof(what), need));
		if (free_bytes < need) {
			pw_warn(eal->log,
				"no %s of hugepages free: EAL memory is on ordinary pages (as "
				"--no-huge). It costs "
				"TLB misses, and DMA to a real NIC is ruled out (pagewire doctor: "
				"hugepages.free)",
				pw_units_size(what, sizeof(what), need));
			eal->huge = false;
		}
	}
	if (!eal->huge)
		add(a, "--no-huge");
	if (!given(cfg, "-m") && !given(cfg, "--socket-mem") && !given(cfg, "--numa-mem"))
		add_memory_size(a, eal, &hp);
	return eal->huge ? check_cpu_node(a, &hp, err) : 0;
}

/* Files that EAL has outside its memory: none, unless others are to map that. */
static void add_files(struct args *a, const struct pw_eal *eal, const struct pw_dpdk_config *cfg)
{
	bool named = given(cfg, "--file-prefix");

	if (!cfg->set.shared_mem && !named && !given(cfg, "--huge-dir") &&
		!given(cfg, "--proc-type"))
		add(a, eal->huge ? "--in-memory" : "--no-shconf");
	if (cfg->set.file_prefix)
		add(a, "--file-prefix=%s", cfg->set.file_prefix);
	else if (cfg->set.shared_mem && !named)
		add(a, "--file-prefix=pagewire");
}

static int build_args(struct args *a, struct pw_eal *eal, const struct pw_dpdk_config *cfg,
	const struct pw_portspec *spec, struct pw_err *err)
{
	int i, r;

	add(a, "pagewire");
	a->cpu_node = -1;
	r = add_lcores(a, eal, cfg, err);
	if (r)
		return r;
	r = add_memory(a, eal, cfg, spec, err);
	if (r)
		return r;
	add_files(a, eal, cfg);
	if (eal->huge && !given(cfg, "--legacy-mem"))
		add(a, "--single-file-segments"); /* vhost-user and memif pass few file descriptors
						   */
	if (!cfg->set.telemetry && !given(cfg, "--telemetry"))
		add(a, "--no-telemetry");
	add(a, "--log-level=*:%s", cfg->verbose ? "info" : "warning");
	if (cfg->readonly_maps)
		add(a, "--iova-mode=va");
	else if (cfg->set.iova != PW_IOVA_AUTO ||
		 (spec->kind != PW_PORT_PCI && !given(cfg, "--iova-mode")))
		add(a, "--iova-mode=%s", cfg->set.iova == PW_IOVA_PA ? "pa" : "va");
	if (cfg->readonly_maps) /* none yet: the device's container is made first, see vfio.h */
		add(a, "--allow=" NO_DEVICE);
	else if (spec->kind == PW_PORT_PCI)
		add(a, "--allow=%s", spec->target);
	else if (!given(cfg, "--no-pci") && !given(cfg, "-a") && !given(cfg, "--allow"))
		add(a, "--no-pci");
	if (cfg->set.eal_argc > MAX_ARGS - a->n)
		return pw_err_set(err, E2BIG, "start EAL: more than %d arguments", MAX_ARGS);
	for (i = 0; i < cfg->set.eal_argc; i++)
		add(a, "%s", cfg->set.eal_argv[i]);
	return 0;
}

static int explain_failure(struct pw_eal *eal, int code, struct pw_err *err)
{
	const char *mend = "see pagewire doctor";

	if (eal->shares)
		mend = "a run of that name may be there, or no hugetlbfs is mounted: give "
		       "--file-prefix, or mount one (pagewire doctor: hugepages.mount)";
	else if (code == EACCES || code == EPERM)
		mend = "run as root, or with --no-huge (pagewire doctor: caps)";
	else if (code == ENOMEM)
		mend = "reserve hugepages, or use --no-huge (pagewire doctor: hugepages.free)";
	else if (code == EALREADY)
		mend = "it was started before in this process, and starts once: open the port in "
		       "a new process";
	return pw_err_set(err, code ? code : EIO, "start EAL: %s%s; %s",
		strerror(code ? code : EIO), pw_eal_last_words(eal), mend);
}

int pw_eal_start(struct pw_eal *eal, const struct pw_dpdk_config *cfg,
	const struct pw_portspec *spec, const struct pw_log *log, struct pw_err *err)
{
	static const cookie_io_functions_t log_io = {.write = log_write};
	void *running;
	struct args *a;
	bool is_running; /* a failed open has left it */
	int r;

	memset(eal, 0, sizeof(*eal));
	eal->log = log;
	eal->node = port_node(spec);
	pw_dpdk_prefer_node(spec); /* the mappings that follow lie near the port */
	a = calloc(1, sizeof(*a));
	if (!a)
		return pw_err_set(err, ENOMEM, "start EAL: out of memory");
	r = build_args(a, eal, cfg, spec, err);
	if (!r && cfg->keep_eal)
		r = pw_ealkeep_take(a->n, a->argv, &running, err);
	if (r < 0)
		goto free_args;
	if (r > 0) {
		free(a);
		a = running;
	}
	is_running = r > 0;
	eal->log_stream = fopencookie(eal, "w", log_io);
	if (eal->log_stream) {
		setvbuf(eal->log_stream, NULL, _IOLBF, 0);
		rte_openlog_stream(eal->log_stream);
	}
	for (r = 0; r < a->n; r++)
		pw_debug(log, "EAL argument: %s", a->argv[r]);
	if (!is_running && rte_eal_init(a->n, a->argv) < 0) {
		r = explain_failure(eal, rte_errno, err);
		goto close_log;
	}
	pw_panic_guard();
	eal->started = true;
	eal->args = a;
	eal->iova_va = rte_eal_iova_mode() == RTE_IOVA_VA;
	return eal->shares ? pw_share_start(err) : 0; /* pw_eal_stop() follows either way */

close_log:
	rte_openlog_stream(NULL);
	if (eal->log_stream)
		fclose(eal->log_stream);
	eal->log_stream = NULL;
free_args:
	free(a);
	return r;
}

static int refuse_growth(int socket_id, size_t cur_limit, size_t new_len)
{
	(void)socket_id;
	(void)cur_limit;
	(void)new_len;
	return -1;
}

int pw_eal_freeze_memory(struct pw_err *err)
{
	unsigned int i;

	if (!rte_eal_has_hugepages())
		return 0; /* ordinary memory is allocated whole at the start and never grows */
	for (i = 0; i < rte_socket_count(); i++) {
		int socket_id = rte_socket_id_by_idx(i);

		/* limit 0: asked before any growth */
		if (rte_mem_alloc_validator_register("pagewire", refuse_growth, socket_id, 0) &&
			rte_errno != EEXIST)
			return pw_err_sys(
				err, rte_errno, "freeze EAL memory of node %d", socket_id);
	}
	return 0;
}

static int smaller_page(const struct rte_memseg_list *list, void *ctx)
{
	uint64_t *page_bytes = ctx;

	if (!list->external && list->memseg_arr.count && list->page_sz < *page_bytes)
		*page_bytes = list->page_sz;
	return 0;
}

uint64_t pw_eal_page_bytes(void)
{
	uint64_t page_bytes = UINT64_MAX;

	rte_memseg_list_walk(smaller_page, &page_bytes);
	return page_bytes == UINT64_MAX ? 0 : page_bytes;
}

void pw_eal_stop(struct pw_eal *eal)
{
	if (!eal->started)
		return;
	if (eal->keep && !eal->shares && !pw_panic_seen()) {
		pw_ealkeep_put(eal->args, eal->huge ? eal->memory_bytes : 0);
		eal->args = NULL;
	} else if (eal->shares) {
		pw_share_end_eal();
	} else if (!pw_panic_seen()) {
		rte_eal_cleanup();
	}
	rte_openlog_stream(NULL);
	if (eal->log_stream)
		fclose(eal->log_stream);
	eal->log_stream = NULL;
	free(eal->args);
	eal->args = NULL;
	eal->started = false;
}
