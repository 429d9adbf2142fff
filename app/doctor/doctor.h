/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `pagewire doctor`: what the host has against what a job needs. Looking and judging are apart, so
 * that tests can judge hosts that are not there.
 *
 *   /sys, /proc --> pw_doctor_see()  --> host --\
 *                                                > pw_doctor_examine() --> report --> text, JSON
 *   FILE, PORT  --> pw_doctor_plan() --> job  --/
 *
 * docs/doctor.md lists the checks. Their ids are an interface: error messages cite them.
 */
#ifndef PW_APP_DOCTOR_DOCTOR_H
#define PW_APP_DOCTOR_DOCTOR_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "dpdk/portspec.h"
#include "file/window.h"
#include "host/hugepages.h"
#include "host/iommu.h"
#include "host/limits.h"
#include "host/netif.h"
#include "host/pci.h"
#include "host/sysfs.h"

#define PW_DOCTOR_CHECKS_MAX 48
#define PW_DOCTOR_NICS_MAX   32

enum pw_doctor_level {
	PW_DOCTOR_OK,
	PW_DOCTOR_WARN, /* the job runs, but slower or with a risk */
	PW_DOCTOR_FAIL, /* the job will not run */
	PW_DOCTOR_SKIP, /* does not matter to this job */
};

struct pw_doctor_check {
	const char *id; /* a literal */
	enum pw_doctor_level level;
	char what[320];
	char mend[400]; /* a command, or "" */
};

struct pw_doctor_report {
	struct pw_doctor_check v[PW_DOCTOR_CHECKS_MAX];
	unsigned int n;
};

struct pw_doctor_options {
	const char *port, *core, *even_in_use;
	uint64_t mtu;
	bool no_huge, json, fix, undo, dry_run, unsafe_no_iommu;
};

struct pw_doctor_host {
	const struct pw_sysroot *root;
	struct pw_hugepages huge; /* n_sizes 0: a kernel without */
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

struct pw_doctor_job {
	const struct pw_doctor_options *opt;

	bool has_port; /* --port was given, and spec, driver and traits are valid */
	struct pw_err port_err;
	struct pw_portspec spec;
	char driver[64]; /* "" for PCI */
	const struct pw_driver_traits *traits;
	bool has_pci, has_netif; /* the port's device was found */
	struct pw_pci_dev pci;
	struct pw_netif netif;
	int node; /* the port's, -1 = none */

	cpu_set_t cpus; /* that the polling thread may get */
	struct pw_err core_err;

	const char *file; /* NULL: none was named */
	struct pw_err file_err;
	bool file_is_dir, on_hugetlbfs, file_has_holes;
	uint64_t file_bytes, file_page_bytes;
	enum pw_pages pages; /* what AUTO comes to, with a port; else PW_PAGES_AUTO */

	uint64_t eal_bytes;   /* EAL memory without the staged file */
	uint64_t stage_bytes; /* for the staged file */
};

/* root NULL: this host. */
void pw_doctor_see(const struct pw_sysroot *root, struct pw_doctor_host *host);
/* Looks at what the options name. Nothing fails here: what is wrong is the checks' to say. */
void pw_doctor_plan(const struct pw_doctor_host *host, const struct pw_doctor_options *opt,
	const char *file, struct pw_doctor_job *job);
void pw_doctor_examine(const struct pw_doctor_host *host, const struct pw_doctor_job *job,
	struct pw_doctor_report *report);

unsigned int pw_doctor_count(const struct pw_doctor_report *report, enum pw_doctor_level level);
/* all: skipped checks, too. */
void pw_doctor_print(const struct pw_doctor_report *report, bool all, FILE *out);
const char *pw_doctor_level_name(enum pw_doctor_level level);

/* An interface of the kernel's that was there before us. */
static inline bool pw_doctor_on_interface(const struct pw_doctor_job *job)
{
	return job->has_port &&
	       (job->spec.kind == PW_PORT_AF_PACKET || job->spec.kind == PW_PORT_AF_XDP);
}

/* For the checks: append a result; give the last one its mend. */
void pw_doctor_say(struct pw_doctor_report *report, enum pw_doctor_level level, const char *id,
	const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void pw_doctor_mend(struct pw_doctor_report *report, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* The checks, by subject. */
#define PW_DOCTOR_CHECKS(name)                                                                    \
	void pw_doctor_##name(const struct pw_doctor_host *host, const struct pw_doctor_job *job, \
		struct pw_doctor_report *report)

PW_DOCTOR_CHECKS(check_dpdk);
PW_DOCTOR_CHECKS(check_port);
PW_DOCTOR_CHECKS(check_net);
PW_DOCTOR_CHECKS(check_file);
PW_DOCTOR_CHECKS(check_memory);
PW_DOCTOR_CHECKS(check_pci);
PW_DOCTOR_CHECKS(check_cpu);
PW_DOCTOR_CHECKS(check_rights);

/* What only a build with DPDK can tell; doctor_dpdk.c, or doctor_dpdk_none.c. */
const char *pw_doctor_dpdk_version(void); /* NULL: none */
bool pw_doctor_dpdk_has_driver(const char *driver);
/* Fills spec, driver, traits from opt->port; -EINVAL, -ENOTSUP. */
int pw_doctor_dpdk_port(struct pw_doctor_job *job, struct pw_err *err);
/* Fills pages, eal_bytes and stage_bytes from what else is known of the job. */
void pw_doctor_dpdk_memory(struct pw_doctor_job *job);

#endif
