/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the checks of doctor examine: the host, and the job that the user asks about. doctor.c fills both
 * structs; the tests fill them with hosts that do not exist.
 */
#ifndef PW_APP_DOCTOR_SUBJECT_H
#define PW_APP_DOCTOR_SUBJECT_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "dpdk/abilities.h"
#include "dpdk/portspec.h"
#include "file/window.h"
#include "host/boot.h"
#include "host/firewall.h"
#include "host/hugepages.h"
#include "host/iommu.h"
#include "host/limits.h"
#include "host/netif.h"
#include "host/pci.h"
#include "host/sysfs.h"
#include "host/udploss.h"
#include "wire/addr.h"

#define PW_DOCTOR_NICS_MAX 32

struct pw_doctor_options {
	const char *port, *core, *even_in_use, *listen, *interface;
	const char *to, *from, *repair; /* to: the path to it is probed; NULL: none is */
	uint64_t mtu, vlan;
	bool no_huge, json, fix, undo, dry_run, unsafe_no_iommu;
};

struct pw_doctor_host {
	const struct pw_sysroot *root;
	struct pw_hugepages huge; /* n_sizes 0: a kernel without */
	struct pw_boot boot;
	struct pw_iommu iommu;
	struct pw_limits limits;
	enum pw_lockdown lockdown;
	uint64_t memory_available; /* bytes, 0 = unknown */
	unsigned int n_nodes;
	cpu_set_t online, allowed, isolated;
	struct pw_pci_dev nics[PW_DOCTOR_NICS_MAX];
	unsigned int n_nics;
	const char *dpdk_version; /* NULL: built without DPDK */
	bool (*has_driver)(const char *driver);
};

/* The socket of `recv --listen`, which was open for a moment. */
struct pw_doctor_socket {
	struct pw_addr addr; /* family 0: the job has none */
	char text[64];
	struct pw_err err;     /* why it cannot be opened */
	uint64_t buffer_bytes; /* granted */
	bool everywhere;       /* it receives from all interfaces */
	bool has_netif;
	struct pw_netif netif;
	bool strict; /* the interface takes packets only from where it would send the answer */
	struct pw_udploss loss;
	int firewall_error; /* 0 or -errno, of pw_firewall_read() */
	struct pw_firewall firewall;
};

/* FILE as replay sees it. */
struct pw_doctor_capture {
	char format[64];    /* "pcapng"; "": FILE is no capture */
	const char *packed; /* "zstd"; NULL: not compressed */
	struct pw_err err;  /* where it contradicts itself; what is before that counts */
	bool partly;        /* so many frames that the rest was not examined */
	bool file_is_cut;
	uint64_t n_frames, n_bytes;
	uint64_t n_cut;               /* by the snap length */
	uint64_t n_other;             /* of a link type that cannot be sent: */
	uint16_t other_link;          /* the first one's, */
	const char *other_name;       /* and its name */
	uint32_t len_max;             /* the longest one's */
	uint32_t any_max, tagged_max; /* what the MTU takes; with a VLAN tag */
	uint64_t n_long;              /* longer than that; with `partly` 1 if there are any */
	struct pw_err plan_err;       /* why this port cannot take it */
};

struct pw_doctor_job {
	const struct pw_doctor_options *opt;
	struct pw_doctor_capture capture;
	struct pw_doctor_socket socket;

	bool has_port; /* --port was given, and spec, driver and traits are valid */
	struct pw_err port_err;
	struct pw_portspec spec;
	char driver[64]; /* "" for PCI */
	const struct pw_driver_traits *traits;
	bool has_pci, has_netif; /* the port's device was found */
	struct pw_pci_dev pci;
	struct pw_netif netif;
	int node; /* the port's, -1 = none */

	cpu_set_t cpus; /* that the polling thread may use */
	struct pw_err core_err;

	const char *file; /* NULL: none was named */
	struct pw_err file_err;
	bool file_is_dir, on_hugetlbfs, file_has_holes;
	uint64_t file_bytes, file_page_bytes;
	enum pw_pages pages; /* what AUTO chooses, with a port; else PW_PAGES_AUTO */

	struct pw_port_abilities abilities; /* driver "": it was not asked, or abilities_err */
	struct pw_err abilities_err;

	uint64_t eal_bytes;   /* EAL memory without the staged file */
	uint64_t stage_bytes; /* for the staged file */
};

static inline bool pw_doctor_is_pci(const struct pw_doctor_job *job)
{
	return job->has_port && job->spec.kind == PW_PORT_PCI;
}

/* The port uses an interface of the kernel that existed before. */
static inline bool pw_doctor_on_interface(const struct pw_doctor_job *job)
{
	return job->has_port &&
	       (job->spec.kind == PW_PORT_AF_PACKET || job->spec.kind == PW_PORT_AF_XDP);
}

enum pw_doctor_access {
	PW_DOCTOR_ACCESS_NONE,       /* no PCI port */
	PW_DOCTOR_ACCESS_BIFURCATED, /* beside the kernel's driver, which pins and translates */
	PW_DOCTOR_ACCESS_IOMMU,      /* VFIO behind an IOMMU */
	PW_DOCTOR_ACCESS_BARE,       /* UIO, or VFIO without an IOMMU: physical addresses */
};

static inline enum pw_doctor_access pw_doctor_access(
	const struct pw_doctor_host *host, const struct pw_doctor_job *job)
{
	if (!job->has_pci)
		return PW_DOCTOR_ACCESS_NONE;
	if (pw_pci_driver_is_bifurcated(job->pci.driver))
		return PW_DOCTOR_ACCESS_BIFURCATED;
	if (pw_pci_driver_is_uio(job->pci.driver) || job->pci.iommu_group < 0)
		return PW_DOCTOR_ACCESS_BARE;
	/* VFIO's no-IOMMU mode makes groups as well, without an IOMMU behind them */
	return host->iommu.n_iommus || !host->iommu.noiommu ? PW_DOCTOR_ACCESS_IOMMU
							    : PW_DOCTOR_ACCESS_BARE;
}

#endif
