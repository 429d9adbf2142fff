/* SPDX-License-Identifier: BSD-3-Clause */
/* Starts and ends EAL, takes its log lines, and finds which drivers this DPDK has. */
#include "dpdk/eal.h"

#include <errno.h>
#include <glob.h>
#include <rte_config.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>
#include <rte_memory.h>
#include <rte_version.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dpdk/eal_private.h"
#include "dpdk/ealkeep.h"
#include "dpdk/panic.h"
#include "dpdk/share.h"
#include "host/netif.h"
#include "host/numa.h"
#include "host/pci.h"

const char *pw_dpdk_version(void)
{
	return rte_version();
}

bool pw_dpdk_has_driver(const char *driver)
{
	char pattern[sizeof(RTE_EAL_PMD_PATH "/librte_.so*") + PW_DRIVER_NAME_MAX];
	glob_t found = {0};
	bool result;

	/* one plug-in holds both of virtio's drivers */
	if (!strcmp(driver, "net_virtio_user"))
		driver = "net_virtio";
	if (access(RTE_EAL_PMD_PATH, R_OK))
		return true; /* no plug-ins: drivers are linked in, and the probe shows which */
	/* librte_net_null.so.23.0; librte_net_null.so is there with the development package alone */
	if ((size_t)snprintf(pattern, sizeof(pattern), RTE_EAL_PMD_PATH "/librte_%s.so*", driver) >=
		sizeof(pattern))
		return false;
	result = glob(pattern, GLOB_NOSORT, NULL, &found) == 0;
	globfree(&found);
	return result;
}

/* DPDK's log lines become debug lines of ours. The last one is kept for error messages. */
static ssize_t log_write(void *cookie, const char *buf, size_t len)
{
	struct pw_eal *eal = cookie;
	const int room = sizeof(eal->last_line) - sizeof("...");
	size_t n = len;

	while (n > 0 && (buf[n - 1] == '\n' || buf[n - 1] == ' '))
		n--;
	if (n > 0) {
		pw_panic_check_log(buf);
		snprintf(eal->last_line, sizeof(eal->last_line), "%.*s%s",
			n < (size_t)room ? (int)n : room, buf, n < (size_t)room ? "" : "...");
		pw_debug(eal->log, "%.*s", (int)n, buf);
	}
	return (ssize_t)len;
}

/* rte_eal_cleanup() of DPDK 24.11 closes the stream that it was given; others leave it to us. */
static int log_closed(void *cookie)
{
	struct pw_eal *eal = cookie;

	eal->log_stream = NULL;
	return 0;
}

const char *pw_eal_last_log(struct pw_eal *eal)
{
	if (eal->last_line[0] == '\0')
		return "";
	snprintf(eal->last_log, sizeof(eal->last_log), " (DPDK: %s)", eal->last_line);
	return eal->last_log;
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

static int start_error(struct pw_eal *eal, int code, struct pw_err *err)
{
	const char *fix = "see pagewire doctor";

	if (eal->shares)
		fix = "another process may have the name, or no hugetlbfs is mounted: give "
		      "--file-prefix, or mount one (pagewire doctor: hugepages.mount)";
	else if (code == EACCES || code == EPERM)
		fix = "run as root, or with --no-huge (pagewire doctor: caps)";
	else if (code == ENOMEM)
		fix = "reserve hugepages, or use --no-huge (pagewire doctor: hugepages.free)";
	else if (code == EALREADY)
		fix = "it was started before in this process, and starts once: open the port in "
		      "a new process";
	return pw_err_set(err, code ? code : EIO, "cannot start EAL: %s%s; %s",
		strerror(code ? code : EIO), pw_eal_last_log(eal), fix);
}

static void open_log(struct pw_eal *eal)
{
	static const cookie_io_functions_t log_io = {.write = log_write, .close = log_closed};

	eal->log_stream = fopencookie(eal, "w", log_io);
	if (!eal->log_stream)
		return;
	setvbuf(eal->log_stream, NULL, _IOLBF, 0);
	rte_openlog_stream(eal->log_stream);
}

static void close_log(struct pw_eal *eal)
{
	rte_openlog_stream(NULL);
	if (eal->log_stream)
		fclose(eal->log_stream);
}

static void free_args(struct pw_eal *eal)
{
	if (eal->args)
		pw_eal_args_finish(eal->args);
	free(eal->args);
	eal->args = NULL;
}

int pw_eal_start(struct pw_eal *eal, const struct pw_dpdk_config *cfg,
	const struct pw_portspec *spec, const struct pw_log *log, struct pw_err *err)
{
	struct pw_eal_args *a;
	bool is_running; /* a failed open has left it */
	void *running;
	int i, r;

	memset(eal, 0, sizeof(*eal));
	eal->log = log;
	eal->node = port_node(spec);
	pw_dpdk_prefer_node(spec); /* the mappings that follow lie near the port */
	eal->args = a = calloc(1, sizeof(*a));
	if (!a)
		return pw_err_set(err, ENOMEM, "cannot start EAL: out of memory");
	r = pw_eal_args_make(a, eal, cfg, spec, err);
	if (!r && cfg->keep_eal)
		r = pw_ealkeep_take(a->n, a->argv, &running, err);
	if (r) /* taken, or failed */
		free_args(eal);
	if (r < 0)
		return r;
	if (r > 0)
		eal->args = a = running;
	is_running = r > 0;
	open_log(eal);
	for (i = 0; i < a->n; i++)
		pw_debug(log, "EAL argument: %s", a->argv[i]);
	if (!is_running && rte_eal_init(a->n, a->argv) < 0) {
		r = start_error(eal, rte_errno, err);
		close_log(eal);
		free_args(eal);
		return r;
	}
	pw_panic_guard();
	eal->started = true;
	eal->iova_va = rte_eal_iova_mode() == RTE_IOVA_VA;
	return eal->shares ? pw_share_start(err) : 0; /* pw_eal_stop() follows either way */
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

		/* limit 0: EAL calls it before any growth */
		if (rte_mem_alloc_validator_register("pagewire", refuse_growth, socket_id, 0) &&
			rte_errno != EEXIST)
			return pw_err_sys(
				err, rte_errno, "cannot freeze EAL memory of node %d", socket_id);
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
	} else {
		if (eal->shares)
			pw_share_end();
		if (!eal->stays_mapped && !pw_panic_seen())
			rte_eal_cleanup();
	}
	close_log(eal);
	free_args(eal);
	eal->started = false;
}
