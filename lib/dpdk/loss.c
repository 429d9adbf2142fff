/* SPDX-License-Identifier: BSD-3-Clause */
/* Notices that a port's device is removed or reset; see loss.h. */
#include "dpdk/loss.h"

#include <errno.h>
#include <inttypes.h>
#include <rte_dev.h>
#include <rte_ethdev.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "file/guard.h"

#define BAR_PAGE 4096

enum { PRESENT, REMOVED, RESET };

/* These three run in EAL's interrupt thread. */
static void on_device(const char *name, enum rte_dev_event_type event, void *arg)
{
	struct pw_loss *l = arg;

	(void)name;
	if (event == RTE_DEV_EVENT_REMOVE)
		atomic_store_explicit(&l->what, REMOVED, memory_order_release);
}

static int on_removed(uint16_t port_id, enum rte_eth_event_type event, void *arg, void *ret)
{
	(void)port_id;
	(void)event;
	(void)ret;
	atomic_store_explicit(&((struct pw_loss *)arg)->what, REMOVED, memory_order_release);
	return 0;
}

static int on_reset(uint16_t port_id, enum rte_eth_event_type event, void *arg, void *ret)
{
	struct pw_loss *l = arg;
	int present = PRESENT;

	(void)port_id;
	(void)event;
	(void)ret;
	atomic_compare_exchange_strong(&l->what, &present, RESET);
	return 0;
}

/* Guards the device's BARs, which its uio driver maps from .../0000:00:10.0/resource0 */
static void guard_bars(struct pw_loss *l)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	uintptr_t start, end;
	char line[512], want[64];

	if (!maps)
		return;
	snprintf(want, sizeof(want), "/%s/resource", l->device);
	while (fgets(line, sizeof(line), maps) && l->n_bars < PW_LOSS_BARS)
		if (strstr(line, want) &&
			sscanf(line, "%" SCNxPTR "-%" SCNxPTR, &start, &end) == 2) {
			int slot = pw_guard_add((const void *)start, end - start, BAR_PAGE);

			if (slot >= 0)
				l->bars[l->n_bars++] = slot;
		}
	fclose(maps);
}

static void watch_device(struct pw_loss *l, const char *device, bool vfio, const struct pw_log *log)
{
	int r = rte_dev_event_callback_register(device, on_device, l);

	if (r) {
		pw_info(log, "cannot watch for the removal of %s: %s", device, strerror(-r));
		return;
	}
	l->device = device;
	if (vfio)
		return;
	l->monitors = rte_dev_event_monitor_start() == 0;
	if (!l->monitors)
		pw_info(log, "cannot receive the kernel's events for %s", device);
	if (pw_guard_init(NULL) == 0)
		guard_bars(l);
}

void pw_loss_watch(struct pw_loss *l, uint16_t port_id, const char *device, bool vfio,
	const struct pw_log *log)
{
	memset(l, 0, sizeof(*l));
	l->port_id = port_id;
	l->watches_port =
		!rte_eth_dev_callback_register(port_id, RTE_ETH_EVENT_INTR_RMV, on_removed, l) &&
		!rte_eth_dev_callback_register(port_id, RTE_ETH_EVENT_INTR_RESET, on_reset, l);
	if (device)
		watch_device(l, device, vfio, log);
}

void pw_loss_unwatch(struct pw_loss *l)
{
	if (l->watches_port) {
		rte_eth_dev_callback_unregister(l->port_id, RTE_ETH_EVENT_INTR_RMV, on_removed, l);
		rte_eth_dev_callback_unregister(l->port_id, RTE_ETH_EVENT_INTR_RESET, on_reset, l);
	}
	/* -EAGAIN while the interrupt thread is in on_device(), which is short */
	while (l->device && rte_dev_event_callback_unregister(l->device, on_device, l) == -EAGAIN)
		usleep(100);
	if (l->monitors)
		rte_dev_event_monitor_stop();
	l->watches_port = l->monitors = false;
	l->device = NULL;
}

void pw_loss_unguard(struct pw_loss *l)
{
	while (l->n_bars)
		pw_guard_remove(l->bars[--l->n_bars]);
}

const char *pw_loss_text(const struct pw_loss *l)
{
	int what = atomic_load_explicit(&l->what, memory_order_acquire);
	unsigned int i;

	for (i = 0; what == PRESENT && i < l->n_bars; i++)
		if (pw_guard_lost(l->bars[i]))
			what = REMOVED;
	if (what == REMOVED)
		return "its device was removed from this machine; plug it in and start again";
	if (what == RESET)
		return "its device was reset by the host's driver; start again";
	return NULL;
}
