/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/doctor/kernel.h"

/* A restart does not change a kernel that comes from outside. */
#define GIVEN                                                                                    \
	"# no image of this kernel is installed here: a hypervisor or a container's host gives " \
	"it. "

void pw_doctor_fix_options(const struct pw_doctor_host *host, struct pw_doctor_report *report,
	const char *options, const char *more)
{
	if (host->boot.kernel_is_given)
		pw_doctor_set_fix(report, GIVEN "Have it start with %s%s%s", options,
			more[0] ? "; " : "", more);
	else
		pw_doctor_set_fix(report,
			"sed -i 's/^GRUB_CMDLINE_LINUX=\"/&%s /' /etc/default/grub && update-grub "
			"&& reboot%s%s",
			options, more[0] ? "   # " : "", more);
}

void pw_doctor_fix_kernel(
	const struct pw_doctor_host *host, struct pw_doctor_report *report, const char *config)
{
	if (host->boot.kernel_is_given)
		pw_doctor_set_fix(report, GIVEN "Have it start one that has %s", config);
	else
		pw_doctor_set_fix(report, "apt-get install linux-image-amd64 && reboot");
}
