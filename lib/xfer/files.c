/* SPDX-License-Identifier: BSD-3-Clause */
#include "xfer/files.h"

#include <errno.h>
#include <fts.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int add(struct pw_files *f, const char *path, const char *name, uint64_t len_bytes,
	struct pw_err *err)
{
	struct pw_file *file;

	if (strlen(name) > PW_NAME_MAX)
		return pw_err_set(err, ENAMETOOLONG,
			"send %.120s...: a name has at most %u bytes; rename it", path,
			PW_NAME_MAX);
	if (f->n == f->room) {
		size_t room = f->room ? f->room * 2 : 16;
		struct pw_file *v = reallocarray(f->v, room, sizeof(*v));

		if (!v)
			goto no_memory;
		f->v = v;
		f->room = room;
	}
	file = &f->v[f->n];
	memset(file, 0, sizeof(*file));
	file->path = strdup(path);
	file->name = strdup(name);
	file->len_bytes = len_bytes;
	if (!file->path || !file->name) {
		free(file->path);
		free(file->name);
		goto no_memory;
	}
	f->n++;
	f->total_bytes += len_bytes;
	return 0;

no_memory:
	return pw_err_set(err, ENOMEM, "send %s: out of memory", path);
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

/* One operand: a file, or everything below a directory. `skip` bytes of each path are left out of
 * the name: all before the operand's last component. */
static int collect_operand(
	struct pw_files *f, char *operand, const struct pw_log *log, struct pw_err *err)
{
	char *roots[] = {operand, NULL};
	FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, by_name);
	size_t skip = 0;
	FTSENT *e;
	int r = 0;

	if (!tree)
		return pw_err_sys(err, errno, "read %s", operand);
	while (r == 0 && (errno = 0, e = fts_read(tree)) != NULL) {
		if (e->fts_level == FTS_ROOTLEVEL && e->fts_info != FTS_DP) {
			const char *slash = strrchr(operand, '/');

			skip = slash ? (size_t)(slash - operand) + 1 : 0;
		}
		switch (e->fts_info) {
		case FTS_F:
			r = add(f, e->fts_path, e->fts_path + skip, (uint64_t)e->fts_statp->st_size,
				err);
			break;
		case FTS_D:
		case FTS_DP:
			break;
		case FTS_NS:
		case FTS_ERR:
		case FTS_DNR:
			r = pw_err_sys(err, e->fts_errno, "read %s", e->fts_path);
			break;
		default:
			if (e->fts_level == FTS_ROOTLEVEL)
				r = pw_err_set(err, EINVAL,
					"send %s: neither a file nor a directory; give one",
					e->fts_path);
			else
				pw_warn(log, "%s is neither a file nor a directory: left out",
					e->fts_path);
		}
	}
	if (r == 0 && errno)
		r = pw_err_sys(err, errno, "read %s", operand);
	fts_close(tree);
	return r;
}

static int compare_names(const void *a, const void *b)
{
	const struct pw_file *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

static int refuse_twins(const struct pw_files *f, struct pw_err *err)
{
	const struct pw_file **sorted = calloc(f->n ? f->n : 1, sizeof(*sorted));
	size_t i;
	int r = 0;

	if (!sorted)
		return pw_err_set(err, ENOMEM, "send %zu files: out of memory", f->n);
	for (i = 0; i < f->n; i++)
		sorted[i] = &f->v[i];
	qsort(sorted, f->n, sizeof(*sorted), compare_names);
	for (i = 1; r == 0 && i < f->n; i++)
		if (!strcmp(sorted[i - 1]->name, sorted[i]->name))
			r = pw_err_set(err, EEXIST,
				"send %s and %s: both would be named %s; send the directory above "
				"them",
				sorted[i - 1]->path, sorted[i]->path, sorted[i]->name);
	free(sorted);
	return r;
}

/* "dir/", "." and ".." have no last component to be named by */
static int resolve_operand(const char *operand, char **out, struct pw_err *err)
{
	size_t len = strlen(operand);
	char *base;

	*out = strdup(operand);
	while (*out && len > 1 && (*out)[len - 1] == '/')
		(*out)[--len] = '\0';
	base = *out ? strrchr(*out, '/') : NULL;
	base = base ? base + 1 : *out;
	if (base && (!strcmp(base, ".") || !strcmp(base, "..") || base[0] == '\0')) {
		free(*out);
		*out = realpath(operand, NULL);
	}
	return *out ? 0 : pw_err_sys(err, errno, "read %s", operand);
}

int pw_files_collect(struct pw_files *f, char *const *operands, size_t n_operands,
	const struct pw_log *log, struct pw_err *err)
{
	size_t i;
	int r = 0;

	memset(f, 0, sizeof(*f));
	for (i = 0; r == 0 && i < n_operands; i++) {
		char *operand;

		r = resolve_operand(operands[i], &operand, err);
		if (r)
			break;
		r = collect_operand(f, operand, log, err);
		free(operand);
	}
	if (r == 0 && f->n == 0)
		r = pw_err_set(err, ENOENT,
			"send nothing: no file in what was given; name a file or a directory");
	if (r == 0)
		r = refuse_twins(f, err);
	if (r)
		pw_files_finish(f);
	return r;
}

static void free_file(struct pw_file *file)
{
	free(file->path);
	free(file->name);
	memset(file, 0, sizeof(*file));
}

int pw_files_keep_gaps(struct pw_files *f, const struct pw_gaps *gaps, struct pw_err *err)
{
	size_t i, j, kept = 0;

	f->total_bytes = 0;
	for (i = 0; i < f->n; i++) {
		struct pw_file *file = &f->v[i];

		file->gap = pw_gaps_find(gaps, file->name);
		if (file->gap && file->gap->len_bytes != file->len_bytes)
			return pw_err_set(err, ESTALE,
				"repair %s: it has %" PRIu64 " bytes, the manifest says %" PRIu64
				"; send it whole, without --gaps",
				file->path, file->len_bytes, file->gap->len_bytes);
		if (!file->gap) {
			free_file(file);
			continue;
		}
		for (j = 0; j < file->gap->n_missing; j++)
			f->total_bytes += file->gap->missing[j].to - file->gap->missing[j].from;
		if (kept != i) {
			f->v[kept] = *file;
			memset(file, 0, sizeof(*file));
		}
		kept++;
	}
	f->n = kept;
	if (kept == gaps->n_files)
		return 0;
	for (i = 0; i < gaps->n_files; i++) {
		for (j = 0; j < kept && f->v[j].gap != &gaps->files[i]; j++)
			;
		if (j == kept)
			return pw_err_set(err, ENOENT,
				"repair '%.120s': the manifest lists it, the operands do not; name "
				"that file, or "
				"the directory that it lies in",
				gaps->files[i].name);
	}
	return 0;
}

void pw_files_finish(struct pw_files *f)
{
	size_t i;

	for (i = 0; i < f->n; i++)
		free_file(&f->v[i]);
	free(f->v);
	memset(f, 0, sizeof(*f));
}
