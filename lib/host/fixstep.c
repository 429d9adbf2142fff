/* SPDX-License-Identifier: BSD-3-Clause */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "host/fix_private.h"
#include "host/hugepages.h"
#include "host/iommu.h"

static void full_path(const struct pw_sysroot *root, const char *path, char full[PW_SYSFS_PATH_MAX])
{
	snprintf(full, PW_SYSFS_PATH_MAX, "%s%s", pw_sysroot_is_real(root) ? "" : root->root, path);
}

/* The program that the kernel itself would run, with blacklists and options as set up here. */
static int run_modprobe(const struct pw_sysroot *root, const char *module)
{
	char program[256], *argv[] = {program, (char *)"-q", (char *)"--", (char *)module, NULL};
	char *env[] = {(char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL};
	posix_spawn_file_actions_t files;
	int r, status;
	pid_t pid;

	r = pw_sysfs_read(root, program, sizeof(program), "/proc/sys/kernel/modprobe");
	if (r <= 0)
		return r ? r : -ENOENT;
	if (posix_spawn_file_actions_init(&files))
		return -ENOMEM;
	posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
	r = posix_spawn(&pid, program, &files, NULL, argv, env);
	posix_spawn_file_actions_destroy(&files);
	if (r)
		return -r;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EIO;
}

static int load_module(const struct pw_sysroot *root, const char *module, struct pw_err *err)
{
	int r = run_modprobe(root, module);

	if (r == 0 && pw_module_state(root, module) == PW_MODULE_LOADED)
		return 0;
	return pw_err_set(err, r ? -r : EIO,
		"load the kernel module %s: %s; `modprobe -v %s` and dmesg say why", module,
		r == -EIO || r == 0 ? "modprobe failed" : strerror(-r), module);
}

void pw_fix_pool_dir(const struct pw_fix_step *s, char dir[static 96])
{
	if (s->node < 0)
		snprintf(dir, 96, "/sys/kernel/mm/hugepages/hugepages-%" PRIu64 "kB",
			s->page_bytes >> 10);
	else
		snprintf(dir, 96,
			"/sys/devices/system/node/node%d/hugepages/hugepages-%" PRIu64 "kB",
			s->node, s->page_bytes >> 10);
}

/* Without the surplus pages, which the kernel makes on demand and takes back: they are apart. */
static int read_pool(const struct pw_sysroot *root, const struct pw_fix_step *s, uint64_t *n,
	uint64_t *n_surplus)
{
	long long all, surplus = 0;
	char dir[96];
	int r;

	pw_fix_pool_dir(s, dir);
	r = pw_sysfs_read_number(root, &all, "%s/nr_hugepages", dir);
	if (r)
		return r;
	pw_sysfs_read_number(root, &surplus, "%s/surplus_hugepages", dir);
	if (all < 0 || surplus < 0 || surplus > all)
		return -EINVAL;
	*n = (uint64_t)(all - surplus);
	*n_surplus = (uint64_t)surplus;
	return 0;
}

static int set_pool(const struct pw_sysroot *root, const struct pw_fix_step *s, uint64_t n)
{
	char dir[96], text[32];

	pw_fix_pool_dir(s, dir);
	snprintf(text, sizeof(text), "%" PRIu64 "\n", n);
	return pw_sysfs_write(root, text, "%s/nr_hugepages", dir);
}

/* A higher number first makes the surplus pages ordinary ones and adds nothing: it is to be higher by
 * these, too, and undoing lowers it by both. */
static int add_pages(const struct pw_sysroot *root, struct pw_fix_step *s, struct pw_err *err)
{
	uint64_t before, after, surplus, asked;
	int r = read_pool(root, s, &before, &surplus);

	asked = surplus + s->n_more;
	if (r == 0)
		r = set_pool(root, s, before + asked);
	if (r == 0)
		r = read_pool(root, s, &after, &surplus);
	if (r)
		return pw_err_sys(err, -r, "raise the number of huge pages by %" PRIu64, s->n_more);
	s->n_more = asked;
	s->n_got = pw_min_u64(after > before ? after - before : 0, asked);
	s->confirmed = true;
	if (s->n_got < asked)
		return pw_err_set(err, ENOMEM,
			"raise the number of huge pages by %" PRIu64 ": the kernel gave %" PRIu64
			", memory is short or in pieces; echo 1 > /proc/sys/vm/compact_memory and "
			"try again, or hugepages=N on the kernel's command line",
			asked, s->n_got);
	return 0;
}

/* Unless the kernel's answer was written down, what is there beyond what was is ours, up to what was
 * asked for. */
static uint64_t pages_to_drop(const struct pw_fix_step *s, uint64_t now)
{
	uint64_t n = s->n_got;

	if (!s->confirmed)
		n = now > s->n_before ? now - s->n_before : 0;
	return pw_min_u64(pw_min_u64(n, s->n_more), now);
}

int pw_fix_pool_target(
	const struct pw_sysroot *root, const struct pw_fix_step *s, bool undo, uint64_t *n)
{
	uint64_t now, surplus;
	int r = read_pool(root, s, &now, &surplus);

	*n = 0;
	if (r == 0)
		*n = undo ? now - pages_to_drop(s, now) : now + surplus + s->n_more;
	return r;
}

static int drop_pages(
	const struct pw_sysroot *root, const struct pw_fix_step *s, struct pw_err *err)
{
	uint64_t n;
	int r = pw_fix_pool_target(root, s, true, &n);

	if (r == -ENOENT)
		return 0; /* the node was taken out */
	if (r == 0)
		r = set_pool(root, s, n);
	return r ? pw_err_sys(err, -r, "lower the number of huge pages to %" PRIu64, n) : 0;
}

static bool is_mounted(const struct pw_sysroot *root, const char *dir)
{
	struct pw_hugepages hp;
	unsigned int i;

	pw_hugepages_read(root, &hp, NULL);
	for (i = 0; i < hp.n_mounts; i++)
		if (strcmp(hp.mounts[i].dir, dir) == 0)
			return true;
	return false;
}

static int mount_huge(const struct pw_sysroot *root, struct pw_fix_step *s, struct pw_err *err)
{
	char path[PW_SYSFS_PATH_MAX], options[48];
	struct stat st;

	full_path(root, s->object, path);
	snprintf(options, sizeof(options), "pagesize=%" PRIu64 "K", s->page_bytes >> 10);
	if (mount("none", path, "hugetlbfs", MS_NOSUID | MS_NODEV, options))
		return pw_err_sys(err, errno, "mount hugetlbfs on %s", s->object);
	if (lstat(path, &st) == 0) {
		s->device = (uint64_t)st.st_dev;
		s->confirmed = true;
	}
	return 0;
}

/* More than . and .. */
static bool has_entries(const char *path)
{
	const struct dirent *e;
	unsigned int n = 0;
	DIR *d = opendir(path);

	if (!d)
		return true;
	while ((e = readdir(d)))
		n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
	closedir(d);
	return n > 0;
}

static int unmount_huge(
	const struct pw_sysroot *root, const struct pw_fix_step *s, struct pw_err *err)
{
	char path[PW_SYSFS_PATH_MAX];
	struct stat st;

	full_path(root, s->object, path);
	if (!is_mounted(root, s->object))
		return 0;
	if (s->confirmed && (lstat(path, &st) || (uint64_t)st.st_dev != s->device))
		return pw_err_set(err, EBUSY,
			"unmount %s: somebody has mounted another hugetlbfs there; umount %s",
			s->object, s->object);
	if (has_entries(path))
		return pw_err_set(err, ENOTEMPTY,
			"unmount %s: the files on it would be lost; copy what is wanted elsewhere, "
			"pagewire stage --drop %s/*, then --undo again",
			s->object, s->object);
	if (umount2(path, UMOUNT_NOFOLLOW))
		return pw_err_sys(
			err, errno, "unmount %s (fuser -vm %s names users)", s->object, s->object);
	return 0;
}

static int remove_dir(
	const struct pw_sysroot *root, const struct pw_fix_step *s, struct pw_err *err)
{
	char path[PW_SYSFS_PATH_MAX];

	full_path(root, s->object, path);
	if (rmdir(path) && errno != ENOENT)
		return pw_err_sys(err, errno, "remove directory %s", s->object);
	return 0;
}

int pw_fix_step_do(const struct pw_sysroot *root, struct pw_fix_step *s, struct pw_err *err)
{
	char path[PW_SYSFS_PATH_MAX];
	int r;

	switch (s->kind) {
	case PW_FIX_MODULE:
		return load_module(root, s->object, err);
	case PW_FIX_NOIOMMU:
		r = pw_sysfs_write(root, "Y\n", PW_FIX_NOIOMMU_FLAG);
		return r ? pw_err_sys(err, -r, "set VFIO's no-IOMMU mode") : 0;
	case PW_FIX_PAGES:
		return add_pages(root, s, err);
	case PW_FIX_DIR:
		full_path(root, s->object, path);
		return mkdir(path, 0755) ? pw_err_sys(err, errno, "make %s", s->object) : 0;
	case PW_FIX_MOUNT:
		return mount_huge(root, s, err);
	case PW_FIX_BIND:
		return pw_fix_nic_do(root, s, err);
	}
	return pw_err_set(err, EINVAL, "change this host: no such step");
}

int pw_fix_step_undo(const struct pw_sysroot *root, const struct pw_fix_step *s, struct pw_err *err)
{
	int r;

	switch (s->kind) {
	case PW_FIX_MODULE:
		return 0;
	case PW_FIX_NOIOMMU:
		r = pw_sysfs_write(root, "N\n", PW_FIX_NOIOMMU_FLAG);
		return r && r != -ENOENT ? pw_err_sys(err, -r, "clear VFIO's no-IOMMU mode") : 0;
	case PW_FIX_PAGES:
		return drop_pages(root, s, err);
	case PW_FIX_DIR:
		return remove_dir(root, s, err);
	case PW_FIX_MOUNT:
		return unmount_huge(root, s, err);
	case PW_FIX_BIND:
		return pw_fix_nic_undo(root, s, err);
	}
	return pw_err_set(err, EINVAL, "undo a change of this host: no such step");
}

bool pw_fix_step_is_left(const struct pw_sysroot *root, const struct pw_fix_step *s)
{
	struct pw_pci_dev dev;

	if (s->kind == PW_FIX_PAGES)
		return !s->confirmed || s->n_got > 0;
	return s->kind == PW_FIX_BIND &&
	       (pw_pci_read(root, s->object, &dev, NULL) || strcmp(dev.driver, s->was.driver) != 0);
}
