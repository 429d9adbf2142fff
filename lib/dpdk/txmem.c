/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Makes a window reachable for the port: gives its extents their IOVAs, and maps them for DMA. Also decides
 * which providers of pages a port can send from.
 *
 *   reach ANY   the CPU copies from our address space: IOVA is the VA, nothing to do
 *   reach EAL   only the stage provider's memory, which the peer has mapped
 *   reach DMA   VFIO: one map in the default container, IOVA = VA, or one for each extent in PA mode
 *               bifurcated drivers (mlx5): extmem registration and rte_dev_dma_map
 *               uio, no-IOMMU: physical addresses, no map; hugepages do not move
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_memory.h>
#include <rte_vfio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "dpdk/tx_private.h"
#include "host/pci.h"

#define SYS_PAGE      4096u /* pagemap's granule */
#define PAGEMAP_BATCH 16384 /* entries a read: 64 MiB of address space */
#define PAGEMAP_PFN   ((1ull << 55) - 1)
#define PAGEMAP_THERE (1ull << 63)

struct extents {
	struct pw_extent *v;
	uint32_t n, room;
};

struct dma_map {
	struct pw_extent *extents; /* as mapped; n of them */
	uint32_t n;
	bool extmem; /* else VFIO */
};

static int extents_add(struct extents *r, const struct pw_extent *extent)
{
	struct pw_extent *last = r->n ? &r->v[r->n - 1] : NULL;

	if (last && last->va + last->len_bytes == extent->va &&
		last->iova + last->len_bytes == extent->iova) {
		last->len_bytes += extent->len_bytes;
		return 0;
	}
	if (r->n == r->room) {
		uint32_t room = r->room ? r->room * 2 : 16;
		struct pw_extent *v = reallocarray(r->v, room, sizeof(*v));

		if (!v)
			return -ENOMEM;
		r->v = v;
		r->room = room;
	}
	r->v[r->n++] = *extent;
	return 0;
}

/* EAL has the IOVAs of its own pages; no system call. */
static int eal_extents(const struct pw_window *win, struct extents *out)
{
	uint32_t i;

	for (i = 0; i < win->n_extents; i++) {
		const struct pw_extent *w = &win->extents[i];
		uint64_t done = 0;

		while (done < w->len_bytes) {
			const uint8_t *va = w->va + done;
			uint64_t in_page = win->page_bytes - (uintptr_t)va % win->page_bytes;
			struct pw_extent extent = {
				.va = va,
				.iova = rte_mem_virt2iova(va),
				.offset = w->offset + done,
				.len_bytes = pw_min_u64(in_page, w->len_bytes - done),
			};

			if (extent.iova == RTE_BAD_IOVA)
				return -EFAULT;
			if (extents_add(out, &extent))
				return -ENOMEM;
			done += extent.len_bytes;
		}
	}
	return 0;
}

/* Reads the physical addresses of huge pages from pagemap, in bulk: one entry for each 4 KiB. */
static int pagemap_extents(const struct pw_window *win, struct extents *out)
{
	uint64_t *entries = malloc(PAGEMAP_BATCH * sizeof(*entries));
	const uint8_t *base = win->extents[0].va;
	uint64_t off = 0;
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	int r = !entries ? -ENOMEM : fd < 0 ? -errno : 0;

	while (r == 0 && off < win->len_bytes) {
		uint64_t first = ((uintptr_t)base + off) / SYS_PAGE;
		ssize_t got = pread(fd, entries, PAGEMAP_BATCH * sizeof(*entries),
			(off_t)(first * sizeof(*entries)));
		uint64_t i, n = got > 0 ? (uint64_t)got / sizeof(*entries) : 0;

		if (n == 0)
			r = -EIO;
		for (i = 0; r == 0 && i < n && off < win->len_bytes; i++, off += SYS_PAGE) {
			struct pw_extent extent = {
				.va = base + off,
				.iova = (entries[i] & PAGEMAP_PFN) * SYS_PAGE,
				.offset = off,
				.len_bytes = pw_min_u64(SYS_PAGE, win->len_bytes - off),
			};

			if (!(entries[i] & PAGEMAP_THERE) || extent.iova == 0)
				r = -EFAULT; /* not present, or PFNs hidden without CAP_SYS_ADMIN */
			else
				r = extents_add(out, &extent);
		}
	}
	if (fd >= 0)
		close(fd);
	free(entries);
	return r;
}

static void va_is_iova(struct pw_window *win)
{
	uint32_t i;

	for (i = 0; i < win->n_extents; i++)
		win->extents[i].iova = (uintptr_t)win->extents[i].va;
}

/*
 * An IOMMU translates each page on its own, and a segment may cross pages whose IOVAs are consecutive. Some
 * emulated devices do this wrong: DPDK's vhost joins IOTLB entries without checking where they lead and
 * copies the wrong bytes; QEMU's e1000e and vmxnet3 drop the packet. Other programs do not notice, because an
 * mbuf of a mempool lies within one page. So no segment crosses a page; one segment more for each page is
 * cheap.
 */
static int split_at_pages(struct pw_window *win, struct pw_err *err)
{
	/* an extent may begin and end within a page */
	uint64_t n = win->len_bytes / win->page_bytes + 2ull * win->n_extents;
	struct pw_extent *v = NULL;
	uint32_t i, made = 0;

	if (n <= UINT32_MAX)
		v = calloc(n, sizeof(*v));
	if (!v)
		return pw_err_set(err, ENOMEM,
			"cannot split %" PRIu64 " bytes at pages: out of memory", win->len_bytes);
	for (i = 0; i < win->n_extents; i++) {
		struct pw_extent rest = win->extents[i];

		while (rest.len_bytes > 0) {
			uint64_t in_page = win->page_bytes - (uintptr_t)rest.va % win->page_bytes;
			uint64_t len = pw_min_u64(in_page, rest.len_bytes);

			v[made] = rest;
			v[made++].len_bytes = len;
			rest.va += len;
			rest.iova += len;
			rest.offset += len;
			rest.len_bytes -= len;
		}
	}
	free(win->extents);
	win->extents = v;
	win->n_extents = made;
	return 0;
}

static int split_discontiguous(struct pw_window *win, struct pw_err *err)
{
	struct extents out = {0};
	int r = pw_pages_borrowed(win->pages) ? eal_extents(win, &out) : pagemap_extents(win, &out);

	if (r) {
		free(out.v);
		return pw_err_set(err, -r,
			"cannot read the physical addresses of %" PRIu64 " bytes: %s; IOVA as PA "
			"needs CAP_SYS_ADMIN and resident hugepages (pagewire doctor: iova.mode)",
			win->len_bytes, strerror(-r));
	}
	free(win->extents);
	win->extents = out.v;
	win->n_extents = out.n;
	return 0;
}

static void unmap(struct pw_dpdk_tx *tx, struct dma_map *map)
{
	uint32_t i;

	for (i = 0; i < map->n; i++) {
		void *va = (void *)(uintptr_t)map->extents[i].va;

		if (tx->readonly.open) {
			pw_vfio_unmap(
				&tx->readonly, map->extents[i].iova, map->extents[i].len_bytes);
			continue;
		}
		if (!map->extmem) {
			rte_vfio_container_dma_unmap(RTE_VFIO_DEFAULT_CONTAINER_FD, (uintptr_t)va,
				map->extents[i].iova, map->extents[i].len_bytes);
			continue;
		}
		rte_dev_dma_unmap(
			tx->port.info.device, va, map->extents[i].iova, map->extents[i].len_bytes);
		rte_extmem_unregister(va, map->extents[i].len_bytes);
	}
	free(map->extents);
	free(map);
}

static int map_one(
	struct pw_dpdk_tx *tx, const struct pw_extent *extent, uint64_t page, bool extmem)
{
	void *va = (void *)(uintptr_t)extent->va;

	if (tx->readonly.open)
		return pw_vfio_map(&tx->readonly, va, extent->iova, extent->len_bytes);
	if (!extmem)
		return rte_vfio_container_dma_map(RTE_VFIO_DEFAULT_CONTAINER_FD, (uintptr_t)va,
			       extent->iova, extent->len_bytes)
			       ? -(rte_errno ? rte_errno : EIO)
			       : 0;
	if (rte_extmem_register(va, extent->len_bytes, NULL, 0, page))
		return -rte_errno;
	if (rte_dev_dma_map(tx->port.info.device, va, extent->iova, extent->len_bytes)) {
		int code = rte_errno;

		rte_extmem_unregister(va, extent->len_bytes);
		return -code;
	}
	return 0;
}

/* Whole pages are mapped; the extents that packets are cut from end with the file. */
static int map_extents(
	struct pw_dpdk_tx *tx, struct pw_tx_object *obj, bool extmem, struct pw_err *err)
{
	const struct pw_window *win = obj->win;
	struct dma_map *map = calloc(1, sizeof(*map));
	int r = 0;

	if (map)
		map->extents = calloc(win->n_extents, sizeof(*map->extents));
	if (!map || !map->extents) {
		free(map);
		return pw_err_set(
			err, ENOMEM, "cannot map a file for %s: out of memory", tx->port.spec.text);
	}
	map->extmem = extmem;
	for (; map->n < win->n_extents; map->n++) {
		struct pw_extent *extent = &map->extents[map->n];

		*extent = win->extents[map->n];
		extent->len_bytes = pw_align_up(extent->len_bytes, win->page_bytes);
		r = map_one(tx, extent, win->page_bytes, extmem);
		if (r) {
			pw_err_set(err, -r,
				"cannot map %" PRIu64 " bytes at %p for DMA by %s: %s; raise "
				"memlock, or use --pages stage (pagewire doctor: memlock, iommu)",
				extent->len_bytes, (const void *)extent->va, tx->port.spec.text,
				strerror(-r));
			unmap(tx, map);
			return r;
		}
	}
	tx->n_dma_maps += map->n;
	obj->path_priv = map;
	return 0;
}

int pw_txmem_attach(struct pw_dpdk_tx *tx, struct pw_tx_object *obj, struct pw_err *err)
{
	struct pw_window *win = obj->win;
	int r;

	obj->path_priv = NULL;
	if (win->n_extents == 0)
		return 0;
	if (pw_pages_borrowed(win->pages))
		pw_near_memory(&tx->port.near, win->extents[0].va, win->extents[0].len_bytes);
	else
		pw_near_file(&tx->port.near, win->extents[0].va, win->extents[0].len_bytes);
	if (tx->port.traits->reach == PW_REACH_ANY) {
		va_is_iova(win);
		return 0;
	}
	/* a caller of the library may not have called pw_dpdk_choose_pages() */
	r = pw_dpdk_choose_pages(tx->port.traits, win->pages, win->pages == PW_PAGES_HUGEFILE,
		tx->readonly.open, tx->port.spec.text, &(enum pw_pages){0}, err);
	if (r)
		return r;
	if (tx->eal->iova_va)
		va_is_iova(win);
	else
		r = split_discontiguous(win, err);
	if (r == 0 && !pw_pages_borrowed(win->pages) && (tx->vfio || tx->eal->iova_va))
		r = map_extents(tx, obj, !tx->vfio, err); /* EAL has mapped its own memory */
	if (r == 0 && tx->eal->iova_va && tx->vfio) {
		r = split_at_pages(win, err);
		if (r)
			pw_txmem_detach(tx, obj);
	}
	tx->n_iova_extents += r ? 0 : win->n_extents;
	return r;
}

void pw_txmem_detach(struct pw_dpdk_tx *tx, struct pw_tx_object *obj)
{
	if (obj->path_priv)
		unmap(tx, obj->path_priv);
	obj->path_priv = NULL;
}

bool pw_dpdk_can_readonly(const struct pw_portspec *spec, enum pw_iova iova)
{
	return spec->kind == PW_PORT_PCI && iova != PW_IOVA_PA && pw_pci_is_vfio(spec->target);
}

int pw_dpdk_choose_pages(const struct pw_driver_traits *traits, enum pw_pages asked,
	bool on_hugetlbfs, bool readonly, const char *path, enum pw_pages *chosen,
	struct pw_err *err)
{
	enum pw_pages fit = on_hugetlbfs ? PW_PAGES_HUGEFILE : PW_PAGES_PAGECACHE;

	if (traits->reach == PW_REACH_EAL || (traits->reach == PW_REACH_DMA && !on_hugetlbfs))
		fit = PW_PAGES_STAGE;
	*chosen = asked == PW_PAGES_AUTO ? fit : asked;
	if (traits->reach == PW_REACH_EAL && !pw_pages_borrowed(*chosen))
		return pw_err_set(err, EINVAL,
			"cannot use --pages %s for %s: %s shares only EAL's own memory with its "
			"peer, packets would be lost silently; use --pages stage or stream",
			pw_pages_name(*chosen), path,
			traits->driver[0] ? traits->driver : traits->copy_why);
	if (traits->reach == PW_REACH_DMA && *chosen == PW_PAGES_PAGECACHE && !readonly)
		return pw_err_set(err, EINVAL,
			"cannot use --pages pagecache for %s: a device reads it only through "
			"vfio-pci with --iova va; use --pages stage, or put the file on hugetlbfs "
			"with `pagewire stage`",
			path);
	if (*chosen == PW_PAGES_HUGEFILE && !on_hugetlbfs)
		return pw_err_set(err, EINVAL,
			"cannot use --pages hugefile for %s: it is not on hugetlbfs; run `pagewire "
			"stage` on it, or use --pages pagecache",
			path);
	return 0;
}
