/* SPDX-License-Identifier: BSD-3-Clause */
/* Makes the files that are sent, on hugetlbfs, tmpfs and a disk. */
#include "bench/store.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "file/digest.h"
#include "file/window.h"
#include "host/hugepages.h"
#include "host/limits.h"

#define WORK_TEMPLATE "/tmp/pagewire-bench.XXXXXX"
#define HUGE_PAGE     (2ull << 20)

/* Bytes that no file system and no wire can compress or guess: splitmix64 (Steele, Lea, Flood). */
static void fill(uint8_t *p, uint64_t len, uint64_t seed)
{
	uint64_t i, z;

	for (i = 0; i < len; i += 8) {
		seed += 0x9e3779b97f4a7c15ull;
		z = (seed ^ seed >> 30) * 0xbf58476d1ce4e5b9ull;
		z = (z ^ z >> 27) * 0x94d049bb133111ebull;
		z ^= z >> 31;
		memcpy(p + i, &z, pw_min_u64(8, len - i));
	}
}

static int load(const char *path, uint8_t *p, uint64_t len, struct pw_err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint64_t done = 0;

	if (fd < 0)
		return pw_err_sys(err, errno, "cannot read %s", path);
	while (done < len) {
		ssize_t n = pread(fd, p + done, pw_min_u64(len - done, 1u << 30), (off_t)done);

		if (n <= 0) {
			close(fd);
			return pw_err_set(err, n ? errno : ESTALE,
				"cannot read %s: %s; use a file that does not change", path,
				n ? strerror(errno) : "it became shorter");
		}
		done += (uint64_t)n;
	}
	close(fd);
	return 0;
}

static int write_file(const char *path, const uint8_t *p, uint64_t len, struct pw_err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	uint64_t done = 0;
	int r = 0;

	if (fd < 0)
		return pw_err_sys(err, errno, "cannot make %s", path);
	while (r == 0 && done < len) {
		ssize_t n = write(fd, p + done, pw_min_u64(len - done, 1u << 30));

		if (n < 0)
			r = pw_err_sys(err, errno, "cannot write %s", path);
		else
			done += (uint64_t)n;
	}
	if (r == 0 && fsync(fd) && errno != EINVAL)
		r = pw_err_sys(err, errno, "cannot write %s", path);
	close(fd);
	return r;
}

static int write_huge(const char *path, const uint8_t *p, uint64_t len, struct pw_err *err)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), r;
	uint64_t map_bytes;
	void *map;

	if (fd < 0)
		return pw_err_sys(err, errno, "cannot make %s", path);
	r = pw_hugefile_create(fd, path, len, HUGE_PAGE, &map, &map_bytes, err);
	if (r == 0 && map) {
		memcpy(map, p, len);
		munmap(map, map_bytes);
	}
	close(fd);
	return r;
}

/* Mounts of our own where we may; a directory of /dev/shm's file system else. */
static int make_places(struct pw_store *s, struct pw_err *err)
{
	char path[96];

	snprintf(s->dir, sizeof(s->dir), "%s", WORK_TEMPLATE);
	if (unshare(CLONE_NEWNS) == 0 && mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0)
		s->own_mounts = true;
	else if (access("/dev/shm", W_OK) == 0)
		snprintf(s->dir, sizeof(s->dir), "/dev/shm/pagewire-bench.XXXXXX");
	if (!mkdtemp(s->dir)) {
		s->dir[0] = 0;
		return pw_err_sys(err, errno, "cannot make a work directory in /tmp");
	}
	snprintf(path, sizeof(path), "%s/tmpfs", s->dir);
	if (mkdir(path, 0700))
		return pw_err_sys(err, errno, "cannot make %s", path);
	if (s->own_mounts && mount("pagewire", path, "tmpfs", 0, "mode=0700"))
		return pw_err_sys(err, errno, "cannot mount tmpfs on %s", path);
	snprintf(path, sizeof(path), "%s/huge", s->dir);
	if (mkdir(path, 0700))
		return pw_err_sys(err, errno, "cannot make %s", path);
	if (s->huge && !s->own_mounts) {
		s->huge = false;
		snprintf(s->huge_why, sizeof(s->huge_why),
			"hugetlbfs cannot be mounted: run with CAP_SYS_ADMIN");
	}
	if (s->huge && mount("pagewire", path, "hugetlbfs", 0, "pagesize=2M")) {
		s->huge = false;
		snprintf(s->huge_why, sizeof(s->huge_why), "hugetlbfs cannot be mounted: %s",
			strerror(errno));
	}
	return 0;
}

/* Files of every size and two processes' EAL memory have to fit the pool of free pages. */
static void look_for_hugepages(
	struct pw_store *s, const uint64_t *sizes, uint32_t n_sizes, uint64_t eal_bytes)
{
	struct pw_hugepages *hp = malloc(sizeof(*hp)); /* 20 KiB */
	uint64_t need = pw_align_up(eal_bytes, HUGE_PAGE), have;
	struct pw_err err;
	uint32_t i;

	for (i = 0; i < n_sizes; i++)
		need += pw_align_up(sizes[i], HUGE_PAGE);
	have = !hp || pw_hugepages_read(NULL, hp, &err) ? 0 : pw_hugepages_free(hp, HUGE_PAGE, -1);
	free(hp);
	s->huge = have * HUGE_PAGE >= need && geteuid() == 0;
	if (geteuid())
		snprintf(s->huge_why, sizeof(s->huge_why),
			"hugetlbfs wants root; run as root (pagewire doctor: hugepages.mount)");
	else if (!s->huge)
		snprintf(s->huge_why, sizeof(s->huge_why),
			"%llu hugepages of 2 MiB are free, this bench wants %llu; echo N > "
			"/proc/sys/vm/nr_hugepages (pagewire doctor: hugepages.free)",
			(unsigned long long)have, (unsigned long long)(need / HUGE_PAGE));
}

/* The bytes in a buffer, the files on tmpfs; later the receiver also has a buffer. An overcommitted
 * malloc() would not refuse, and the kernel end somebody's process. */
static int check_memory(
	const uint64_t *sizes, uint32_t n_sizes, uint64_t largest, struct pw_err *err)
{
	uint64_t need = largest, have = pw_memory_available(NULL);
	uint32_t i;

	for (i = 0; i < n_sizes; i++)
		need += sizes[i];
	if (have && need > have)
		return pw_err_set(err, ENOMEM,
			"cannot make the files: they need %llu MiB of memory, %llu are available; "
			"measure "
			"smaller ones",
			(unsigned long long)(need >> 20), (unsigned long long)(have >> 20));
	return 0;
}

static int make_one(struct pw_store *s, struct pw_store_file *f, uint32_t i, const uint8_t *bytes,
	const char *cold_dir, struct pw_err *err)
{
	char path[sizeof(f->tmpfs)];
	int r = pw_digest_buffer(PW_DIGEST_XXH3_128, bytes, f->len_bytes, &f->digest, err);

	snprintf(path, sizeof(path), "%s/tmpfs/file%u", s->dir, i);
	memcpy(f->tmpfs, path, sizeof(path));
	if (r == 0)
		r = write_file(path, bytes, f->len_bytes, err);
	if (r == 0 && s->huge) {
		snprintf(path, sizeof(path), "%s/huge/file%u", s->dir, i);
		memcpy(f->huge, path, sizeof(path));
		r = write_huge(path, bytes, f->len_bytes, err);
	}
	if (r == 0 && cold_dir) {
		snprintf(
			f->disk, sizeof(f->disk), "%s/pagewire-bench-%d-%u", cold_dir, getpid(), i);
		r = write_file(f->disk, bytes, f->len_bytes, err);
		if (r == 0)
			r = pw_store_drop(f->disk, err);
	}
	return r;
}

int pw_store_make(struct pw_store *s, const uint64_t *sizes, uint32_t n_sizes,
	const char *user_file, const char *cold_dir, uint64_t eal_bytes, struct pw_err *err)
{
	uint64_t largest = 0;
	uint8_t *bytes;
	uint32_t i;
	int r;

	memset(s, 0, sizeof(*s));
	for (i = 0; i < n_sizes; i++)
		largest = pw_max_u64(largest, sizes[i]);
	r = check_memory(sizes, n_sizes, largest, err);
	if (r)
		return r;
	look_for_hugepages(s, sizes, n_sizes, eal_bytes);
	r = make_places(s, err);
	bytes = r ? NULL : malloc(largest + 8);
	if (r == 0 && !bytes)
		r = pw_err_set(err, ENOMEM, "cannot make a file of %llu bytes: out of memory",
			(unsigned long long)largest);
	if (r == 0 && user_file)
		r = load(user_file, bytes, largest, err);
	else if (r == 0)
		fill(bytes, largest, 1);
	for (i = 0; r == 0 && i < n_sizes; i++) {
		s->files[i].len_bytes = sizes[i];
		s->n_files++;
		r = make_one(s, &s->files[i], i, bytes, cold_dir, err);
	}
	free(bytes);
	return r;
}

/* Pages of the file that are in memory. */
static int count_resident(int fd, size_t *n, size_t *n_pages)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	unsigned char *in = NULL;
	void *map = MAP_FAILED;
	struct stat st;
	size_t i;
	int r;

	*n = *n_pages = 0;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size == 0)
		return 0;
	*n_pages = pw_div_ceil((uint64_t)st.st_size, page);
	in = malloc(*n_pages);
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (in && map != MAP_FAILED && mincore(map, (size_t)st.st_size, in) == 0)
		r = 0;
	else
		r = in ? -errno : -ENOMEM;
	for (i = 0; r == 0 && i < *n_pages; i++)
		*n += in[i] & 1;
	if (map != MAP_FAILED)
		munmap(map, (size_t)st.st_size);
	free(in);
	return r;
}

static int drop(int fd, const char *path, struct pw_err *err)
{
	size_t n, n_pages;
	int r;

	fdatasync(fd);
	r = -posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	if (r == 0)
		r = count_resident(fd, &n, &n_pages);
	if (r)
		return pw_err_sys(err, -r, "cannot drop the pages of %s", path);
	/* advice that a file system in memory does not take */
	if (n > n_pages / 100)
		return pw_err_set(err, EBUSY,
			"cannot drop the pages of %s: %zu of %zu stay in memory; use --dir on a "
			"disk's "
			"file system",
			path, n, n_pages);
	return 0;
}

int pw_store_drop(const char *path, struct pw_err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), r;

	if (fd < 0)
		return pw_err_sys(err, errno, "cannot drop the pages of %s", path);
	r = drop(fd, path, err);
	close(fd);
	return r;
}

void pw_store_remove(struct pw_store *s)
{
	char path[96];
	uint32_t i;

	if (!s->dir[0])
		return;
	for (i = 0; i < s->n_files; i++) {
		unlink(s->files[i].tmpfs);
		if (s->files[i].huge[0])
			unlink(s->files[i].huge);
		if (s->files[i].disk[0])
			unlink(s->files[i].disk);
	}
	snprintf(path, sizeof(path), "%s/tmpfs", s->dir);
	if (s->own_mounts)
		umount2(path, MNT_DETACH);
	rmdir(path);
	snprintf(path, sizeof(path), "%s/huge", s->dir);
	if (s->own_mounts)
		umount2(path, MNT_DETACH);
	rmdir(path);
	rmdir(s->dir);
	s->dir[0] = 0;
}
