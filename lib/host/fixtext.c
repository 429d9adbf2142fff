/* SPDX-License-Identifier: BSD-3-Clause */
/* A step for people: a sentence, and the line for a root shell that does the same. */
#include <inttypes.h>
#include <stdio.h>

#include "base/units.h"
#include "host/fix_private.h"

#define DEVICES "/sys/bus/pci/devices"

static void tell_pages(const struct pw_sysroot *root, struct pw_fix_step *s, bool undo)
{
	char size[32], where[24] = "", dir[96];
	uint64_t n, more = undo && s->confirmed ? s->n_got : s->n_more;

	pw_fix_pool_dir(s, dir);
	pw_units_size(size, sizeof(size), s->page_bytes);
	if (s->node >= 0)
		snprintf(where, sizeof(where), " on node %d", s->node);
	snprintf(s->what, sizeof(s->what), "%" PRIu64 " huge pages of %s %s%s", more, size,
		undo ? "fewer" : "more", where);
	pw_fix_pool_target(root, s, undo, &n);
	snprintf(s->command, sizeof(s->command), "echo %" PRIu64 " > %s/nr_hugepages", n, dir);
}

static void tell_mount(struct pw_fix_step *s, bool undo)
{
	char size[32];

	pw_units_size(size, sizeof(size), s->page_bytes);
	snprintf(s->what, sizeof(s->what), "%shugetlbfs with pages of %s", undo ? "no " : "", size);
	if (undo)
		snprintf(s->command, sizeof(s->command), "umount %s", s->object);
	else
		snprintf(s->command, sizeof(s->command),
			"mount -t hugetlbfs -o nosuid,nodev,pagesize=%" PRIu64 "K none %s",
			s->page_bytes >> 10, s->object);
}

static void tell_take(struct pw_fix_step *s)
{
	const char *a = s->was.addr, *from = s->was.driver;
	char unbind[96] = "";

	if (from[0])
		snprintf(unbind, sizeof(unbind), "echo %s > " DEVICES "/%s/driver/unbind; ", a, a);
	snprintf(s->what, sizeof(s->what), "%s from %s to %s%s%s", a, from[0] ? from : "no driver",
		s->driver, s->interface[0] ? "; there will be no " : "", s->interface);
	snprintf(s->command, sizeof(s->command),
		"echo %s > " DEVICES "/%s/driver_override; %secho %s > /sys/bus/pci/drivers_probe",
		s->driver, a, unbind, a);
}

static void tell_give_back(struct pw_fix_step *s)
{
	const char *a = s->was.addr, *to = s->was.driver;
	char probe[160] = "";

	if (to[0])
		snprintf(probe, sizeof(probe),
			"echo %s > " DEVICES "/%s/driver_override; "
			"echo %s > /sys/bus/pci/drivers_probe; ",
			to, a, a);
	snprintf(s->what, sizeof(s->what), "%s from %s back to %s%s%s", a, s->driver,
		to[0] ? to : "no driver", s->interface[0] ? ", as " : "", s->interface);
	snprintf(s->command, sizeof(s->command),
		"echo %s > " DEVICES "/%s/driver/unbind; %secho %s > " DEVICES
		"/%s/driver_override",
		a, a, probe, s->was.override, a);
}

void pw_fix_step_tell(const struct pw_sysroot *root, struct pw_fix_step *s, bool undo)
{
	switch (s->kind) {
	case PW_FIX_MODULE:
		snprintf(s->what, sizeof(s->what), "kernel module %s; it stays loaded", s->object);
		snprintf(s->command, sizeof(s->command), "modprobe %s", s->object);
		return;
	case PW_FIX_NOIOMMU:
		snprintf(s->what, sizeof(s->what),
			undo ? "VFIO asks for an IOMMU again"
			     : "VFIO without an IOMMU: the device reaches all of memory");
		snprintf(s->command, sizeof(s->command), "echo %c > " PW_FIX_NOIOMMU_FLAG,
			undo ? 'N' : 'Y');
		return;
	case PW_FIX_PAGES:
		tell_pages(root, s, undo);
		return;
	case PW_FIX_DIR:
		snprintf(s->what, sizeof(s->what), "%smount point", undo ? "no " : "");
		snprintf(s->command, sizeof(s->command), "%s %s", undo ? "rmdir" : "mkdir",
			s->object);
		return;
	case PW_FIX_MOUNT:
		tell_mount(s, undo);
		return;
	case PW_FIX_BIND:
		if (undo)
			tell_give_back(s);
		else
			tell_take(s);
		return;
	}
}
