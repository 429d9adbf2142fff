/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/doctor/fix.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"

/* A word on one NIC must not serve another one, whose address a script has put in its place. */
static int check_twice(const struct pw_doctor_job *job, struct pw_err *err)
{
	const char *again = job->opt->even_in_use;
	char addr[PW_PCI_ADDR_LEN];

	if (!again || (job->has_pci && pw_pci_normalize(again, addr) == 0 &&
			      strcmp(addr, job->pci.addr) == 0))
		return 0;
	return pw_err_set(err, EINVAL,
		"--even-in-use %.40s is not the PCI address of --port %.60s; say the same twice",
		again, job->opt->port ? job->opt->port : "(none)");
}

static const char *module_of(const struct pw_doctor_host *host, const struct pw_doctor_job *job)
{
	if (job->has_port && job->spec.kind == PW_PORT_TAP)
		return pw_sysfs_exists(host->root, "/dev/net/tun") ? NULL : "tun";
	if (!job->has_port && host->n_nics && host->iommu.vfio_pci == PW_MODULE_LOADABLE)
		return "vfio-pci";
	return NULL;
}

int pw_doctor_want(const struct pw_doctor_host *host, const struct pw_doctor_job *job,
	struct pw_fix_want *want, struct pw_err *err)
{
	uint64_t page = host->huge.default_page_bytes;

	*want = (struct pw_fix_want){.page_bytes = page,
		.n_pages = page ? pw_div_ceil(pw_doctor_missing_bytes(host, job), page) : 0,
		.node = job->node,
		.mount = pw_doctor_lacks_mount(host, job),
		.module = module_of(host, job),
		.pci = job->has_pci ? job->pci.addr : NULL,
		.even_in_use = job->opt->even_in_use ? job->pci.addr : NULL,
		.unsafe_noiommu = job->opt->unsafe_no_iommu};
	return check_twice(job, err);
}
