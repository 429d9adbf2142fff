/* SPDX-License-Identifier: BSD-3-Clause */
/* A VFIO container of our own; see vfio.h. */
#include "dpdk/vfio.h"

#include <errno.h>
#include <linux/vfio.h>
#include <rte_errno.h>
#include <rte_memory.h>
#include <rte_vfio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "dpdk/eal.h"

#define PCI_DEVICES "/sys/bus/pci/devices"

static int map(int container, const void *va, uint64_t iova, uint64_t len_bytes, uint32_t flags)
{
	struct vfio_iommu_type1_dma_map m = {
		.argsz = sizeof(m),
		.flags = flags,
		.vaddr = (uintptr_t)va,
		.iova = iova,
		.size = len_bytes,
	};

	return ioctl(container, VFIO_IOMMU_MAP_DMA, &m) ? -errno : 0;
}

static int map_segment(const struct rte_memseg_list *msl, const struct rte_memseg *ms, void *arg)
{
	const struct pw_vfio *v = arg;

	if (msl->external)
		return 0;
	return map(v->container, ms->addr, ms->iova, ms->len,
		VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE);
}

static int fail(const char *address, const char *what, int code, struct pw_err *err)
{
	return pw_err_set(err, code,
		"cannot map the page cache for %s: %s: %s; use --pages stage (pagewire doctor: "
		"memlock, iommu)",
		address, what, strerror(code));
}

/* EAL attaches the group and sets the IOMMU's type in its probe. That is too late: drivers let the device use
 * memory before their probe returns. EAL skips both if they are done already. */
static int attach_group(const struct pw_vfio *v, const char *address, struct pw_err *err)
{
	int number, fd;

	if (rte_vfio_get_group_num(PCI_DEVICES, address, &number) <= 0)
		return fail(address, "it has no IOMMU group", ENODEV, err);
	fd = rte_vfio_container_group_bind(v->container, number);
	if (fd < 0)
		return fail(address, "its IOMMU group does not open", EBUSY, err);
	if (ioctl(fd, VFIO_GROUP_SET_CONTAINER, &v->container))
		return fail(address, "its IOMMU group joins no container", errno, err);
	if (ioctl(v->container, VFIO_SET_IOMMU, VFIO_TYPE1_IOMMU))
		return fail(address, "its IOMMU takes no type 1", errno, err);
	return 0;
}

int pw_vfio_open(struct pw_vfio *v, const char *address, struct pw_err *err)
{
	int r;

	v->container = rte_vfio_container_create();
	if (v->container < 0)
		return fail(address, "no VFIO container", ENODEV, err);
	v->open = true;
	r = attach_group(v, address, err);
	if (r)
		return r;
	r = rte_memseg_walk(map_segment, v);
	if (r)
		return fail(address, "EAL's memory cannot be mapped", -r, err);
	return pw_eal_freeze_memory(err);
}

int pw_vfio_map(const struct pw_vfio *v, const void *va, uint64_t iova, uint64_t len_bytes)
{
	return map(v->container, va, iova, len_bytes, VFIO_DMA_MAP_FLAG_READ);
}

void pw_vfio_unmap(const struct pw_vfio *v, uint64_t iova, uint64_t len_bytes)
{
	struct vfio_iommu_type1_dma_unmap m = {
		.argsz = sizeof(m),
		.iova = iova,
		.size = len_bytes,
	};

	ioctl(v->container, VFIO_IOMMU_UNMAP_DMA, &m);
}

void pw_vfio_close(struct pw_vfio *v)
{
	if (v->open)
		rte_vfio_container_destroy(v->container);
	v->open = false;
}
