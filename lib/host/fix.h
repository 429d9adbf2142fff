/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Putting a host in order for a job, and back. Only what can be undone without a loss is done.
 *
 *   want --> pw_fix_plan() --> steps --> pw_fix_apply() --.
 *                                                          >  /run/pagewire/doctor.json
 *            pw_fix_recall() <-- steps <------------------'
 *                 '--> pw_fix_undo()
 *
 * A step is written down before it is done, and again with what came of it: whatever ends the
 * program in between, undo finds the way back. Where others change the same thing (the pools of huge
 * pages) the difference is undone, not their work. Every call for root's thread; apply and undo
 * hold a lock against each other.
 */
#ifndef PW_HOST_FIX_H
#define PW_HOST_FIX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "host/bind.h"
#include "host/sysfs.h"

#define PW_FIX_STEPS_MAX 32
#define PW_FIX_MOUNT_DIR "/mnt/huge"

enum pw_fix_kind {
	PW_FIX_MODULE,  /* load a kernel module; never undone: others may rely on it by then */
	PW_FIX_NOIOMMU, /* set VFIO's enable_unsafe_noiommu_mode */
	PW_FIX_PAGES,   /* add huge pages to the pool of a node */
	PW_FIX_DIR,     /* make the mount point */
	PW_FIX_MOUNT,   /* mount hugetlbfs on it */
	PW_FIX_BIND,    /* give a PCI function to another driver */
};

enum pw_fix_state {
	PW_FIX_PLANNED,
	PW_FIX_DONE,
	PW_FIX_FAILED,
	PW_FIX_UNDONE,
};

struct pw_fix_step {
	enum pw_fix_kind kind;
	enum pw_fix_state state;
	char object[64]; /* module, directory or PCI address; "" where there is but one */
	/* PAGES; without surplus pages, which the kernel lends and takes back */
	int node; /* -1: the kernel knows no nodes */
	uint64_t page_bytes, n_before, n_more;
	uint64_t n_got;  /* of n_more, once the kernel has said */
	bool confirmed;  /* PAGES: n_got is known; MOUNT: device is */
	uint64_t device; /* MOUNT: st_dev */
	/* BIND */
	struct pw_bind was;
	char driver[32];          /* that gets it */
	char interface[IFNAMSIZ]; /* that ends with the former driver, "" = none */
	uint32_t mtu;             /* the interface's */
	bool up;
	/* for people */
	char what[240];    /* "20 more pages of 2.00 MiB on node 1" */
	char command[320]; /* for a root shell, the same by hand */
};

struct pw_fix {
	struct pw_fix_step steps[PW_FIX_STEPS_MAX];
	unsigned int n;
};

struct pw_fix_want {
	uint64_t page_bytes, n_pages; /* to add; n_pages 0: none */
	int node;                     /* where, -1: where it comes first */
	bool mount;                   /* hugetlbfs with pages of page_bytes */
	const char *module;           /* to load, NULL: none */
	const char *pci;              /* function to give to user space, NULL: none */
	const char *even_in_use;      /* the address once more: although it is in use */
	bool unsafe_noiommu;          /* although there is no IOMMU */
};

/* Changes nothing. 0 with the steps, maybe none; what must not or cannot be done is an error:
 * -EBUSY in use, -EOPNOTSUPP no IOMMU, -ENOMEM, -ENOENT no such module in this kernel. */
int pw_fix_plan(const struct pw_sysroot *root, const struct pw_fix_want *want, struct pw_fix *fix,
	struct pw_err *err);

/* Does the steps in turn; ends at the first that fails. Each step's state says what became of it. */
int pw_fix_apply(const struct pw_sysroot *root, struct pw_fix *fix, struct pw_err *err);

/* What apply has done since the host was started and nobody has undone yet, the last first; what and
 * command are those of undoing. What is remembered of an earlier start of the host is none. */
int pw_fix_recall(const struct pw_sysroot *root, struct pw_fix *fix, struct pw_err *err);

/* Undoes what recall tells, all that it can; the first failure is the error. What failed is still
 * remembered. fix gets the steps, PW_FIX_UNDONE or PW_FIX_FAILED. */
int pw_fix_undo(const struct pw_sysroot *root, struct pw_fix *fix, struct pw_err *err);

#endif
