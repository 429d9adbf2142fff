/* SPDX-License-Identifier: BSD-3-Clause */
/* Writing a gap manifest. As text, not through a tree of jansson's: a million ranges are normal. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "page/window.h"
#include "xfer/gaps.h"

static void write_string(FILE *f, const char *s)
{
	fputc('"', f);
	for (; *s; s++) {
		if ((unsigned char)*s < 0x20)
			fprintf(f, "\\u%04x", (unsigned int)(unsigned char)*s);
		else
			fprintf(f, *s == '"' || *s == '\\' ? "\\%c" : "%c", *s);
	}
	fputc('"', f);
}

static void write_file(FILE *f, const struct pw_gap_file *file)
{
	char digest[96];
	size_t i;

	fputs("{\"name\": ", f);
	write_string(f, file->name);
	fprintf(f, ", \"bytes\": %" PRIu64, file->len_bytes);
	if (file->digest.kind != PW_DIGEST_NONE)
		fprintf(f, ", \"digest\": \"%s\"",
			pw_digest_format(digest, sizeof(digest), &file->digest));
	fputs(",\n  \"missing\": [", f);
	for (i = 0; i < file->n_missing; i++)
		fprintf(f, "%s[%" PRIu64 ", %" PRIu64 "]", i ? ", " : "", file->missing[i].from,
			file->missing[i].to);
	fputs("]}", f);
}

/* The whole text, malloc; -EFBIG, -ENOMEM. */
static int to_text(const struct pw_gaps *g, char **text, size_t *len)
{
	FILE *f = open_memstream(text, len);
	bool fits = true;
	size_t i;

	if (!f)
		return -ENOMEM;
	fprintf(f, "{\"schema\": \"%s\", \"tsi\": %" PRIu64 ", \"files\": [", PW_GAPS_SCHEMA,
		g->tsi);
	for (i = 0; i < g->n_files && fits && !ferror(f); i++) {
		fputs(i ? ",\n " : "\n ", f);
		write_file(f, &g->files[i]);
		fits = ftello(f) < (off_t)PW_GAPS_MAX_BYTES;
	}
	fputs("\n]}\n", f);
	if (fclose(f) != 0)
		return -ENOMEM;
	return fits ? 0 : -EFBIG;
}

static int write_all(int fd, const char *text, size_t len)
{
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = write(fd, text + done, len - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		done += (size_t)n;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

/* hugetlbfs knows no write(2), only mappings. */
static int map_all(int fd, const char *path, const char *text, size_t len, uint64_t page_bytes,
	struct pw_err *err)
{
	uint64_t map_bytes;
	void *map;
	int ret = pw_hugefile_create(fd, path, len, page_bytes, &map, &map_bytes, err);

	if (ret < 0)
		return ret;
	memcpy(map, text, len);
	munmap(map, map_bytes);
	return 0;
}

static int store(int fd, const char *path, const char *text, size_t len, struct pw_err *err)
{
	struct statfs fs;
	int ret;

	if (fstatfs(fd, &fs) == 0 && fs.f_type == HUGETLBFS_MAGIC)
		return map_all(fd, path, text, len, (uint64_t)fs.f_bsize, err);
	ret = write_all(fd, text, len);
	return ret < 0 ? pw_err_sys(err, -ret, "write gap manifest %s", path) : 0;
}

/* A link that somebody laid under the name is removed, not followed. */
static int replace(
	const char *path, const char *tmp, const char *text, size_t len, struct pw_err *err)
{
	int fd, ret;

	unlink(tmp);
	fd = open(tmp, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
	if (fd < 0)
		return pw_err_sys(err, errno, "write gap manifest %s", tmp);
	ret = store(fd, path, text, len, err);
	close(fd);
	if (ret == 0 && rename(tmp, path) < 0)
		ret = pw_err_sys(err, errno, "write gap manifest %s", path);
	if (ret < 0)
		unlink(tmp);
	return ret;
}

int pw_gaps_save(const char *path, const struct pw_gaps *g, struct pw_err *err)
{
	char *tmp = NULL, *text = NULL;
	size_t len = 0;
	int ret = to_text(g, &text, &len);

	if (ret == 0 && asprintf(&tmp, "%s.part", path) < 0) {
		tmp = NULL;
		ret = -ENOMEM;
	}
	if (ret == -EFBIG)
		pw_err_set(err, EFBIG, "write gap manifest %s: more than %u bytes", path,
			PW_GAPS_MAX_BYTES);
	else if (ret < 0)
		pw_err_sys(err, -ret, "write gap manifest %s", path);
	else
		ret = replace(path, tmp, text, len, err);
	free(tmp);
	free(text);
	return ret;
}
