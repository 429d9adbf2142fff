/* SPDX-License-Identifier: BSD-3-Clause */
/* Looks for the running kernel among the installed ones, and for a hypervisor. */
#include "host/boot.h"

#include <string.h>

/* "flags		: fpu vme ... hypervisor lahf_lm ..."; the first processor's line is enough */
static int is_hypervisor(void *ctx, char *line)
{
	const char *word;

	if (strncmp(line, "flags", 5) != 0)
		return 0;
	word = strstr(line, " hypervisor");
	*(bool *)ctx = word && (word[11] == ' ' || word[11] == '\0');
	return 1;
}

static bool has_image(const struct pw_sysroot *root, const char *release)
{
	return pw_sysfs_exists(root, "/boot/vmlinuz-%s", release) ||
	       pw_sysfs_exists(root, "/boot/vmlinux-%s", release) ||
	       pw_sysfs_exists(root, "/lib/modules/%s/vmlinuz", release);
}

void pw_boot_read(const struct pw_sysroot *root, struct pw_boot *boot)
{
	char release[96];

	*boot = (struct pw_boot){0};
	pw_sysfs_each_line(root, "/proc/cpuinfo", is_hypervisor, &boot->is_guest);
	if (pw_sysfs_read(root, release, sizeof(release), "/proc/sys/kernel/osrelease") > 0)
		boot->kernel_is_given = !has_image(root, release);
}
