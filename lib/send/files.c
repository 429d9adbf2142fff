/* SPDX-License-Identifier: BSD-3-Clause */
#include "send/files.h"

#include <errno.h>
#include <fts.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "send/parity.h"

static int add(struct pw_files *f, const char *path, const char *name, const struct stat *st,
	struct pw_err *err)
{
	struct pw_file *file;

	if (strlen(name) > PW_NAME_MAX)
		return pw_err_set(err, ENAMETOOLONG,
			"cannot send %.120s...: its name has more than %u bytes; rename it", path,
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
	file->len_bytes = (uint64_t)st->st_size;
	file->mode = st->st_mode & 0777;
	file->mtime_ns = (int64_t)st->st_mtim.tv_sec * (int64_t)PW_NS_PER_S + st->st_mtim.tv_nsec;
	if (!file->path || !file->name) {
		free(file->path);
		free(file->name);
		goto no_memory;
	}
	f->n++;
	f->total_bytes += file->len_bytes;
	if (file->len_bytes == 0)
		pw_filenotes_empty_file(&f->notes, path);
	return 0;

no_memory:
	return pw_err_set(err, ENOMEM, "cannot send %s: out of memory", path);
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

/* NAME.pwfec beside NAME. */
static bool is_parity(const char *path)
{
	const size_t n = strlen(path), k = strlen(PW_SEND_PARITY_SUFFIX);
	char file[PATH_MAX];

	if (n <= k || strcmp(path + n - k, PW_SEND_PARITY_SUFFIX) || n - k >= sizeof(file))
		return false;
	memcpy(file, path, n - k);
	file[n - k] = '\0';
	return access(file, F_OK) == 0;
}

/* Takes one entry that fts found. Names begin after `skip` bytes of the path. */
static int take_entry(struct pw_files *f, const FTSENT *e, size_t skip, struct pw_err *err)
{
	switch (e->fts_info) {
	case FTS_F:
		if (e->fts_level > FTS_ROOTLEVEL && is_parity(e->fts_accpath)) {
			pw_filenotes_add(
				&f->notes, "%.400s is staged parity: not sent", e->fts_path);
			return 0;
		}
		return add(f, e->fts_path, e->fts_path + skip, e->fts_statp, err);
	case FTS_D:
		return 0;
	case FTS_DP:
		if (e->fts_number == 0)
			pw_filenotes_add(
				&f->notes, "%.400s is an empty directory: not sent", e->fts_path);
		return 0;
	case FTS_NS:
	case FTS_ERR:
	case FTS_DNR:
		return pw_err_sys(err, e->fts_errno, "cannot read %s", e->fts_path);
	default:
		if (e->fts_level == FTS_ROOTLEVEL)
			return pw_err_set(err, EINVAL,
				"cannot send %s: it is neither a file nor a directory; give one",
				e->fts_path);
		pw_filenotes_add(&f->notes, "%.400s is neither a file nor a directory: not sent",
			e->fts_path);
		return 0;
	}
}

/* Collects one operand: a file, or everything below a directory. Names begin with the operand's last
 * component. */
static int collect_operand(struct pw_files *f, char *operand, struct pw_err *err)
{
	char *roots[] = {operand, NULL};
	FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, by_name);
	const char *slash = strrchr(operand, '/');
	size_t skip = slash ? (size_t)(slash - operand) + 1 : 0;
	FTSENT *e;
	int r = 0;

	if (!tree)
		return pw_err_sys(err, errno, "cannot read %s", operand);
	while (r == 0 && (errno = 0, e = fts_read(tree)) != NULL) {
		if (e->fts_info != FTS_DP)
			e->fts_parent->fts_number++; /* entries of that directory */
		r = take_entry(f, e, skip, err);
	}
	if (r == 0 && errno)
		r = pw_err_sys(err, errno, "cannot read %s", operand);
	fts_close(tree);
	return r;
}

static int compare_names(const void *a, const void *b)
{
	const struct pw_file *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

static int refuse_duplicates(const struct pw_files *f, struct pw_err *err)
{
	const struct pw_file **sorted = calloc(f->n ? f->n : 1, sizeof(*sorted));
	size_t i;
	int r = 0;

	if (!sorted)
		return pw_err_set(err, ENOMEM, "cannot send %zu files: out of memory", f->n);
	for (i = 0; i < f->n; i++)
		sorted[i] = &f->v[i];
	qsort(sorted, f->n, sizeof(*sorted), compare_names);
	for (i = 1; r == 0 && i < f->n; i++)
		if (!strcmp(sorted[i - 1]->name, sorted[i]->name))
			r = pw_err_set(err, EEXIST,
				"cannot send %s and %s: both would be named %s; send the directory "
				"above them",
				sorted[i - 1]->path, sorted[i]->path, sorted[i]->name);
	free(sorted);
	return r;
}

/* Resolves operands without a last component that could be a name: "dir/", "." and "..". */
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
	return *out ? 0 : pw_err_sys(err, errno, "cannot read %s", operand);
}

int pw_files_collect(
	struct pw_files *f, char *const *operands, size_t n_operands, struct pw_err *err)
{
	size_t i;
	int r = 0;

	memset(f, 0, sizeof(*f));
	for (i = 0; r == 0 && i < n_operands; i++) {
		char *operand;

		r = resolve_operand(operands[i], &operand, err);
		if (r)
			break;
		r = collect_operand(f, operand, err);
		free(operand);
	}
	if (r == 0 && f->n == 0)
		r = pw_err_set(err, ENOENT,
			"cannot send: there is no file in the operands; name a file or a "
			"directory");
	if (r == 0)
		r = refuse_duplicates(f, err);
	if (r)
		pw_files_finish(f);
	return r;
}

static void free_file(struct pw_file *file)
{
	free(file->path);
	free(file->name);
	free(file->leaves);
	memset(file, 0, sizeof(*file));
}

/* The first file of the manifest that is not among the operands. */
static int report_absent(const struct pw_files *f, const struct pw_gaps *gaps, struct pw_err *err)
{
	bool *is_there = calloc(gaps->n_files, sizeof(*is_there));
	size_t i;

	if (!is_there)
		return pw_err_set(
			err, ENOMEM, "cannot repair %zu files: out of memory", gaps->n_files);
	for (i = 0; i < f->n; i++)
		if (f->v[i].gap)
			is_there[f->v[i].gap - gaps->files] = true;
	for (i = 0; i < gaps->n_files && is_there[i]; i++)
		;
	free(is_there);
	return pw_err_set(err, ENOENT,
		"cannot repair '%.120s': the manifest lists it, the operands do not; name that "
		"file, or the directory that contains it",
		gaps->files[i].name);
}

/* The bytes of the file that the manifests ask for; -ESTALE. */
static int wanted_bytes(const struct pw_file *file, uint64_t *bytes, struct pw_err *err)
{
	const struct pw_gap_file *gap = file->gap;
	size_t i;

	*bytes = gap ? 0 : file->len_bytes;
	if (gap && gap->len_bytes != file->len_bytes)
		return pw_err_set(err, ESTALE,
			"cannot repair %s: it has %" PRIu64 " bytes, in the manifest %" PRIu64
			"; send it whole, without --gaps",
			file->path, file->len_bytes, gap->len_bytes);
	for (i = 0; gap && i < gap->n_missing; i++)
		*bytes += gap->missing[i].to - gap->missing[i].from;
	return 0;
}

int pw_files_keep_gaps(struct pw_files *f, const struct pw_gaps *gaps, struct pw_err *err)
{
	size_t i, kept = 0, n_unlisted = 0;
	uint64_t bytes;

	f->total_bytes = 0;
	for (i = 0; i < f->n; i++) {
		struct pw_file *file = &f->v[i];

		file->gap = pw_gaps_find(gaps, file->name);
		if (!file->gap && (!gaps->n_unnamed || pw_gaps_has_named(gaps, file->name))) {
			free_file(file);
			continue;
		}
		if (wanted_bytes(file, &bytes, err) < 0)
			return -ESTALE;
		f->total_bytes += bytes;
		n_unlisted += file->gap == NULL;
		if (kept != i) {
			f->v[kept] = *file;
			memset(file, 0, sizeof(*file));
		}
		kept++;
	}
	f->n = kept;
	pw_filenotes_finish(&f->notes);
	if (kept - n_unlisted < gaps->n_files)
		return report_absent(f, gaps, err);
	if (kept == 0)
		return pw_err_set(err, ENOENT,
			"cannot repair anything: the manifest lists none of the operands as "
			"missing; "
			"name all files of the session");
	if (n_unlisted < gaps->n_unnamed)
		pw_filenotes_add(&f->notes,
			"the receiver lacks at least %" PRIu64
			" files that were never named, the operands "
			"have %zu of them; name all files of the session",
			gaps->n_unnamed, n_unlisted);
	return 0;
}

void pw_files_note_names(struct pw_files *f)
{
	size_t i;

	for (i = 0; i < f->n; i++) {
		const char *fault = pw_filenotes_name_fault(f->v[i].name);

		if (fault)
			pw_filenotes_add(&f->notes,
				"pagewire recv will refuse %.300s: %s; send it under another name",
				f->v[i].name, fault);
	}
}

void pw_files_finish(struct pw_files *f)
{
	size_t i;

	for (i = 0; i < f->n; i++)
		free_file(&f->v[i]);
	free(f->v);
	pw_filenotes_finish(&f->notes);
	memset(f, 0, sizeof(*f));
}
