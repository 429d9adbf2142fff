/* SPDX-License-Identifier: BSD-3-Clause */
/* What the tests of the output directory share: a private one, and looks at what lies in it. */
#ifndef PW_TESTS_OUTDIR_UTIL_H
#define PW_TESTS_OUTDIR_UTIL_H

#include <pthread.h>
#include <sys/mman.h>

#include "file/digest.h"
#include "file/outdir.h"
#include "file/outfile.h"
#include "file_util.h"

#define MIB (1u << 20)

struct outdir_test {
	char top[64], dir[80];
	struct pw_outdir *d;
	struct pw_log log;
	unsigned int n_warnings;
	char last_warning[512];
};

static inline void count_warning(void *ctx, enum pw_log_level level, const char *line)
{
	struct outdir_test *t = ctx;

	(void)level;
	t->n_warnings++;
	snprintf(t->last_warning, sizeof(t->last_warning), "%s", line);
}

/* cfg->path and cfg->log are set here. */
static inline int outdir_start(struct outdir_test *t, struct pw_outdir_config cfg)
{
	*t = (struct outdir_test){.top = "/var/tmp/pagewire-test-XXXXXX"};
	t->log = (struct pw_log){PW_LOG_WARN, count_warning, t};
	if (!mkdtemp(t->top))
		return -1;
	snprintf(t->dir, sizeof(t->dir), "%s/out", t->top);
	cfg.path = t->dir;
	cfg.log = &t->log;
	return mkdir(t->dir, 0755) < 0 ? -1 : pw_outdir_open(&t->d, &cfg, NULL);
}

static inline void outdir_end(struct outdir_test *t)
{
	pw_outdir_close(t->d);
	nftw(t->top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline char *in_out(const struct outdir_test *t, const char *name)
{
	static char bufs[4][4096];
	static unsigned int next;

	return path_in(bufs[next++ % 4], sizeof(bufs[0]), t->dir, name);
}

static inline bool is_there(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

static inline void write_text(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static inline void assert_text(const char *path, const char *text)
{
	char got[256] = "";
	FILE *f = fopen(path, "re");

	assert_non_null(f);
	assert_true(fread(got, 1, sizeof(got) - 1, f) > 0 || !text[0]);
	fclose(f);
	assert_string_equal(got, text);
}

static inline struct pw_outfile *make_part(
	struct outdir_test *t, const char *name, uint64_t len, uint32_t keep)
{
	struct pw_outfile *f = NULL;
	struct pw_err err = {0};

	if (pw_outdir_create(t->d, name, len, 1440, keep, &f, &err) < 0)
		fail_msg("%s", err.msg);
	return f;
}

static inline void put_text(struct pw_outfile *f, const char *text)
{
	pw_outfile_put(f, 0, (const uint8_t *)text, (uint32_t)strlen(text));
}

/* Bytes of the pattern. */
static inline void put_pattern(struct pw_outfile *f, uint64_t at, uint32_t len)
{
	uint8_t buf[16384];

	assert_true(len <= sizeof(buf));
	fill_pattern(buf, at, len);
	pw_outfile_put(f, at, buf, len);
}

static inline void assert_file_pattern(const char *path, uint64_t from, uint64_t len)
{
	uint8_t *buf = malloc(len);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0 && buf);
	assert_int_equal(pread(fd, buf, len, (off_t)from), len);
	assert_pattern(buf, from, len);
	close(fd);
	free(buf);
}

/* Pages of the file that the page cache has. */
static inline size_t n_cached(const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t i, n_pages, n = 0;
	unsigned char *seen;
	void *map;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	n_pages = ((size_t)st.st_size + 4095) / 4096;
	seen = malloc(n_pages);
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	assert_true(seen && map != MAP_FAILED);
	assert_int_equal(mincore(map, (size_t)st.st_size, seen), 0);
	for (i = 0; i < n_pages; i++)
		n += seen[i] & 1;
	munmap(map, (size_t)st.st_size);
	free(seen);
	close(fd);
	return n;
}

/* Bytes that this process made dirty or wrote past the page cache; no other one's. */
static inline uint64_t written_bytes(void)
{
	unsigned long long n = UINT64_MAX;
	char line[128];
	FILE *f = fopen("/proc/self/io", "re");

	if (!f)
		return UINT64_MAX;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "write_bytes: %llu", &n) == 1)
			break;
	fclose(f);
	return n;
}

static inline void digest_of_pattern(uint64_t len, struct pw_digest *out)
{
	uint8_t *buf = malloc(len);

	assert_non_null(buf);
	fill_pattern(buf, 0, len);
	assert_int_equal(pw_digest_buffer(PW_DIGEST_XXH3_128, buf, len, out, NULL), 0);
	free(buf);
}

#endif
