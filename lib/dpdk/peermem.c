/* SPDX-License-Identifier: BSD-3-Clause */
/* Guards the memory that a peer shares with us; see peermem.h. */
#include "dpdk/peermem.h"

#include <errno.h>
#include <inttypes.h>
#include <rte_ethdev.h>
#include <rte_vhost.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file/guard.h"

#define MAX_VIDS   16 /* the vhost library numbers connections by the lowest free number */
#define PAGE_BYTES 4096

/* The caller holds the lock, as for unguard(). */
static void guard(struct pw_peermem *m, const void *base, size_t len, uint64_t page_bytes)
{
	int slot = m->n < PW_PEERMEM_RANGES ? pw_guard_add(base, len, page_bytes) : -1;

	if (slot >= 0)
		m->slots[m->n++] = slot;
	else
		pw_warn(m->log,
			"%s: its peer shares more than %d regions; if it takes one of the others "
			"away, this process ends by SIGBUS",
			m->socket, PW_PEERMEM_RANGES);
}

static void unguard(struct pw_peermem *m)
{
	while (m->n) {
		m->lost |= pw_guard_lost(m->slots[--m->n]);
		pw_guard_remove(m->slots[m->n]);
	}
}

static int find_vid(const struct pw_peermem *m)
{
	char name[PW_PORT_MAX];
	int vid;

	for (vid = 0; vid < MAX_VIDS; vid++)
		if (rte_vhost_get_ifname(vid, name, sizeof(name)) == 0 && !strcmp(name, m->socket))
			return vid;
	return -1;
}

static uint64_t page_bytes_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_blksize > PAGE_BYTES ? (uint64_t)st.st_blksize
								 : PAGE_BYTES;
}

static bool is_up(uint16_t port_id)
{
	struct rte_eth_link link = {0};

	return rte_eth_link_get_nowait(port_id, &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
}

/* Runs in the vhost library's thread, which also maps and unmaps the regions. */
static int on_vhost_event(uint16_t port_id, enum rte_eth_event_type event, void *arg, void *ret)
{
	struct pw_peermem *m = arg;
	struct rte_vhost_memory *mem = NULL;
	int vid = is_up(port_id) ? find_vid(m) : -1; /* a device that leaves has its number still */
	uint32_t i;

	(void)event;
	(void)ret;
	pthread_mutex_lock(&m->lock);
	unguard(m);
	if (vid >= 0 && rte_vhost_get_mem_table(vid, &mem) == 0) {
		for (i = 0; i < mem->nregions; i++) {
			const struct rte_vhost_mem_region *r = &mem->regions[i];

			guard(m, r->mmap_addr, r->mmap_size, page_bytes_of(r->fd));
		}
	}
	pthread_mutex_unlock(&m->lock);
	free(mem);
	return 0;
}

static bool was_before(const struct pw_peermem *m, uintptr_t start)
{
	size_t i;

	for (i = 0; i < m->n_before; i++)
		if (m->before[i] == start)
			return true;
	return false;
}

static void remember(struct pw_peermem *m, uintptr_t start)
{
	uintptr_t *v = reallocarray(m->before, m->n_before + 1, sizeof(*v));

	if (!v)
		return; /* it is guarded later although it is not the peer's, which does no harm */
	m->before = v;
	v[m->n_before++] = start;
}

/* Looks for shared mappings of files without a name, as memif's regions are. first: remembers those that exist;
 * else guards the new ones. */
static void walk_maps(struct pw_peermem *m, bool first)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	uintptr_t start, end;
	char line[512], mode[5];

	if (!maps)
		return;
	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s", &start, &end, mode) != 3 ||
			mode[3] != 's' || (!strstr(line, "/memfd:") && !strstr(line, "(deleted)")))
			continue;
		if (first)
			remember(m, start);
		else if (!was_before(m, start))
			guard(m, (const void *)start, end - start, PAGE_BYTES);
	}
	fclose(maps);
}

/* memif maps the regions when its link comes up, and unmaps them when it goes down. */
static void follow_memif(struct pw_peermem *m)
{
	bool up = is_up(m->port_id);

	if (up == m->was_up)
		return;
	m->was_up = up;
	unguard(m);
	if (up)
		walk_maps(m, false);
}

void pw_peermem_watch(struct pw_peermem *m, const struct pw_portspec *spec, uint16_t port_id,
	const struct pw_log *log)
{
	if ((spec->kind != PW_PORT_VHOST && spec->kind != PW_PORT_MEMIF) || pw_guard_init(NULL))
		return;
	m->kind = spec->kind;
	m->port_id = port_id;
	m->socket = spec->target;
	m->log = log;
	pthread_mutex_init(&m->lock, NULL);
	m->watches = true;
	if (spec->kind == PW_PORT_MEMIF) {
		walk_maps(m, true);
		return;
	}
	/* when a device comes or goes; when a ring is enabled, after memory was added */
	rte_eth_dev_callback_register(port_id, RTE_ETH_EVENT_INTR_LSC, on_vhost_event, m);
	rte_eth_dev_callback_register(port_id, RTE_ETH_EVENT_QUEUE_STATE, on_vhost_event, m);
}

/* -EAGAIN while the vhost library's thread is in on_vhost_event(), which is short. */
static void unregister(struct pw_peermem *m, enum rte_eth_event_type event)
{
	while (rte_eth_dev_callback_unregister(m->port_id, event, on_vhost_event, m) == -EAGAIN)
		usleep(100);
}

void pw_peermem_unwatch(struct pw_peermem *m)
{
	if (!m->watches || m->kind != PW_PORT_VHOST)
		return;
	unregister(m, RTE_ETH_EVENT_INTR_LSC);
	unregister(m, RTE_ETH_EVENT_QUEUE_STATE);
}

void pw_peermem_unguard(struct pw_peermem *m)
{
	if (!m->watches)
		return;
	m->watches = false;
	pthread_mutex_lock(&m->lock);
	unguard(m);
	pthread_mutex_unlock(&m->lock);
	pthread_mutex_destroy(&m->lock);
	free(m->before);
	m->before = NULL;
}

bool pw_peermem_lost(struct pw_peermem *m)
{
	unsigned int i;
	bool lost;

	if (!m->watches)
		return false;
	pthread_mutex_lock(&m->lock);
	if (m->kind == PW_PORT_MEMIF)
		follow_memif(m);
	for (i = 0; i < m->n; i++)
		m->lost |= pw_guard_lost(m->slots[i]);
	lost = m->lost;
	pthread_mutex_unlock(&m->lock);
	return lost;
}
