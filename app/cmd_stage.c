/* SPDX-License-Identifier: BSD-3-Clause */
/* pagewire stage: copies files to hugetlbfs, where `send` sends them in place; lists and removes them. */
#include <errno.h>
#include <fts.h>
#include <limits.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/cli/cli.h"
#include "app/cli/opt.h"
#include "app/commands.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/json_text.h"
#include "base/units.h"
#include "file/hugefile_copy.h"
#include "file/window.h"
#include "send/parity.h"

#define COMMON_PAGE_BYTES (2u << 20) /* the default of EAL and most hosts */
#define MAX_MOUNTS        64

struct stage_config {
	const char *to;
	bool list;
	bool drop;
	bool force;
	bool json;
	const char *fec_text;
	struct pw_send_fec fec;
	uint32_t symbol_len;
};

static const struct pw_opt_choice codes[] = {
	{"rfc", PW_RS_RFC}, {"rizzo", PW_RS_RIZZO}, {"ypo", PW_RS_YPO}, {NULL, 0}};

static const struct pw_opt options[] = {
	{PW_OPT_ROW("to", STRING, MAIN, struct stage_config, to), .arg = "DIR",
		.help = "directory on hugetlbfs; default: the first hugetlbfs mount, one with 2 "
			"MiB "
			"pages if there is any"},
	{PW_OPT_ROW("list", FLAG, MAIN, struct stage_config, list),
		.help = "list the files on hugetlbfs with their sizes and the pages they hold"},
	{PW_OPT_ROW("drop", FLAG, MAIN, struct stage_config, drop),
		.help = "remove the named files from hugetlbfs, which frees their pages"},
	{PW_OPT_ROW("force", FLAG, MAIN, struct stage_config, force), .letter = 'f',
		.help = "replace a file of the same name; until then both hold pages"},
	{PW_OPT_ROW("fec", STRING, MAIN, struct stage_config, fec_text), .arg = "K+R",
		.help = "compute the parity for send --fec as well, into FILE.pwfec beside the "
			"copy"},
	{PW_OPT_ROW("fec-code", CHOICE, MAIN, struct stage_config, fec.points),
		.help = "with --fec: the code, as with send; default: rfc", .choices = codes},
	{PW_OPT_ROW("symbol", UINT, MAIN, struct stage_config, symbol_len), .arg = "BYTES",
		.help = "with --fec: file bytes in a packet, as send prints them: 1440 with MTU "
			"1500 "
			"and IPv4",
		.min = 1, .max = 65507},
	{PW_OPT_ROW("json", FLAG, MAIN, struct stage_config, json),
		.help = "print the result as JSON"},
};

static const struct stage_config defaults = {.symbol_len = 1440, .fec.points = PW_RS_N_POINTS};

/* One run of the command, and its result so far. */
struct stage {
	const struct stage_config *config;
	const struct pw_context *ctx;
	const char *action;
	struct pw_progress progress;
	json_t *files;
	uint64_t n_files, n_bytes, n_pages;
};

struct huge_mounts {
	char *dirs[MAX_MOUNTS];
	dev_t devs[MAX_MOUNTS];
	uint64_t page_bytes[MAX_MOUNTS];
	size_t n;
};

static void add_mount(struct huge_mounts *m, const char *dir)
{
	struct stat st;
	bool huge;
	uint64_t page_bytes;
	size_t i;

	/* Another mount may hide it, and one file system may be mounted in several places. */
	if (m->n == MAX_MOUNTS || stat(dir, &st) < 0 ||
		pw_hugefile_probe(dir, &huge, &page_bytes, NULL) < 0 || !huge)
		return;
	for (i = 0; i < m->n; i++)
		if (m->devs[i] == st.st_dev)
			return;
	m->dirs[m->n] = strdup(dir);
	if (!m->dirs[m->n])
		return;
	m->devs[m->n] = st.st_dev;
	m->page_bytes[m->n++] = page_bytes;
}

static void find_mounts(struct huge_mounts *m)
{
	char line[2 * PATH_MAX];
	struct mntent entry;
	FILE *f = setmntent("/proc/self/mounts", "re");

	*m = (struct huge_mounts){0};
	if (!f)
		return;
	while (getmntent_r(f, &entry, line, sizeof(line)))
		if (strcmp(entry.mnt_type, "hugetlbfs") == 0)
			add_mount(m, entry.mnt_dir);
	endmntent(f);
}

static void free_mounts(struct huge_mounts *m)
{
	size_t i;

	for (i = 0; i < m->n; i++)
		free(m->dirs[i]);
}

/* The mount to stage to: a writable one first, then one with 2 MiB pages, then in the order of mounting.
 * NULL when there is none. */
static const char *choose_mount(const struct huge_mounts *m)
{
	const char *best = NULL;
	int best_rank = -1;
	size_t i;

	for (i = 0; i < m->n; i++) {
		int rank = (access(m->dirs[i], W_OK | X_OK) == 0 ? 2 : 0) +
			   (m->page_bytes[i] == COMMON_PAGE_BYTES);

		if (rank > best_rank) {
			best = m->dirs[i];
			best_rank = rank;
		}
	}
	return best;
}

static void add_file(struct stage *s, const char *path, uint64_t bytes, uint64_t pages,
	uint64_t page_bytes, json_t *more)
{
	json_t *file = json_pack("{s:o, s:I, s:I, s:I}", "path", pw_json_text(path), "bytes",
		(json_int_t)bytes, "pages", (json_int_t)pages, "page_bytes",
		(json_int_t)page_bytes);

	if (more) {
		json_object_update(file, more);
		json_decref(more);
	}
	json_array_append_new(s->files, file);
	s->n_files++;
	s->n_bytes += bytes;
	s->n_pages += pages;
}

static bool tick(void *arg, uint64_t done, uint64_t total)
{
	struct stage *s = arg;
	uint64_t now = pw_clock_ns();

	if (pw_progress_due(&s->progress, now))
		pw_progress_draw(&s->progress, now, done, total, 0, -1);
	return !pw_stop_requested();
}

/* Parity of an older copy would be refused by send: it goes. */
static int stage_parity(struct stage *s, const char *to, struct pw_err *err)
{
	char side[PATH_MAX], took[32];
	const uint64_t start = pw_clock_ns();
	struct pw_send_fec fec = s->config->fec;
	struct stat st;
	uint64_t n_pages;
	int ret = pw_send_parity_path(side, to, err);

	if (ret == 0)
		unlink(side);
	if (ret || !s->config->fec_text)
		return ret;
	pw_progress_init(&s->progress, s->ctx->is_tty, false);
	pw_progress_phase(&s->progress, start, "parity", 0);
	ret = pw_send_fec_parse(s->config->fec_text, &fec, err);
	if (ret == 0)
		ret = pw_send_parity_stage(to, &fec, s->config->symbol_len, tick, s, &n_pages, err);
	pw_progress_end(&s->progress);
	if (ret || n_pages == 0 || stat(side, &st))
		return ret;
	if (!s->config->json)
		printf("staged %s: parity %s, %llu pages, %s\n", side, s->config->fec_text,
			(unsigned long long)n_pages,
			pw_units_duration(took, sizeof(took), pw_clock_ns() - start));
	add_file(s, side, (uint64_t)st.st_size, n_pages, (uint64_t)st.st_blksize,
		json_pack("{s:s}", "fec", s->config->fec_text));
	return 0;
}

static int stage_one(struct stage *s, const char *from, const char *dir, struct pw_err *err)
{
	const char *name = basename(from);
	char to[PATH_MAX], size[32], page[32], took[32];
	struct pw_hugefile_copy copy = {.from = from,
		.to = to,
		.replace = s->config->force,
		.progress = tick,
		.progress_ctx = s};
	uint64_t start = pw_clock_ns();
	int ret;

	if (!*name || snprintf(to, sizeof(to), "%s/%s", dir, name) >= (int)sizeof(to))
		return pw_err_set(err, EINVAL,
			"cannot stage %s: it has no file name, or a too long one; name a file",
			from);
	pw_progress_init(&s->progress, s->ctx->is_tty, false);
	pw_progress_phase(&s->progress, start, "staged", 0);
	ret = pw_hugefile_copy(&copy, err);
	pw_progress_end(&s->progress);
	if (ret < 0)
		return ret;
	if (!s->config->json)
		printf("staged %s: %s in %llu pages of %s, %s, %u CPU copies\n", to,
			pw_units_size(size, sizeof(size), copy.len_bytes),
			(unsigned long long)copy.n_pages,
			pw_units_size(page, sizeof(page), copy.page_bytes),
			pw_units_duration(took, sizeof(took), pw_clock_ns() - start),
			copy.cpu_copies);
	add_file(s, to, copy.len_bytes, copy.n_pages, copy.page_bytes,
		json_pack("{s:o, s:i, s:f}", "from", pw_json_text(from), "cpu_copies",
			(int)copy.cpu_copies, "seconds",
			(double)(pw_clock_ns() - start) / (double)PW_NS_PER_S));
	return stage_parity(s, to, err);
}

static uint64_t pages_wanted(const struct pw_operands *ops)
{
	struct stat st;
	uint64_t n = 0;
	int i;

	for (i = 0; i < ops->n; i++)
		if (stat(ops->argv[i], &st) == 0 && S_ISREG(st.st_mode))
			n += pw_div_ceil((uint64_t)st.st_size, COMMON_PAGE_BYTES);
	return pw_max_u64(n, 1);
}

static int check_names(const struct pw_operands *ops, struct pw_err *err)
{
	int i, k;

	for (i = 1; i < ops->n; i++)
		for (k = 0; k < i; k++)
			if (strcmp(basename(ops->argv[i]), basename(ops->argv[k])) == 0)
				return pw_err_set(err, EINVAL,
					"cannot stage %s and %s: they would get the same name; "
					"stage "
					"them to different directories",
					ops->argv[k], ops->argv[i]);
	return 0;
}

static int do_stage(struct stage *s, const struct huge_mounts *mounts,
	const struct pw_operands *ops, struct pw_err *err)
{
	const char *dir = s->config->to ? s->config->to : choose_mount(mounts);
	uint64_t page_bytes;
	bool huge;
	int i, ret;

	if (!dir)
		return pw_err_set(err, ENODEV,
			"cannot stage: no hugetlbfs is mounted; mkdir -p /mnt/huge && mount -t "
			"hugetlbfs "
			"none /mnt/huge, then sysctl -w vm.nr_hugepages=%llu (pagewire doctor)",
			(unsigned long long)pages_wanted(ops));
	ret = pw_hugefile_probe(dir, &huge, &page_bytes, err);
	if (ret < 0)
		return ret;
	if (!huge)
		return pw_err_set(err, EINVAL,
			"cannot stage to %s: it is not on hugetlbfs; mount one there: mount -t "
			"hugetlbfs none "
			"%s",
			dir, dir);
	pw_stop_install();
	for (i = 0; i < ops->n; i++) {
		ret = stage_one(s, ops->argv[i], dir, err);
		if (ret < 0)
			return ret;
	}
	return 0;
}

static void list_file(struct stage *s, const char *path, const struct stat *st, uint64_t page_bytes)
{
	uint64_t bytes = (uint64_t)st->st_size;
	uint64_t pages = (uint64_t)st->st_blocks * 512 / page_bytes;
	char size[32], page[32];

	add_file(s, path, bytes, pages, page_bytes, NULL);
	if (!s->config->json)
		printf("%12s  %6llu x %-8s  %s\n", pw_units_size(size, sizeof(size), bytes),
			(unsigned long long)pages, pw_units_size(page, sizeof(page), page_bytes),
			path);
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

static int list_tree(struct stage *s, char *dir, struct pw_err *err)
{
	char *roots[] = {dir, NULL};
	uint64_t page_bytes;
	bool huge;
	FTSENT *e;
	FTS *tree;
	int ret = pw_hugefile_probe(dir, &huge, &page_bytes, err);

	if (ret < 0)
		return ret;
	if (!huge)
		return pw_err_set(err, EINVAL,
			"cannot list %s: it is not on hugetlbfs; see pagewire stage --list", dir);
	tree = fts_open(roots, FTS_PHYSICAL | FTS_XDEV | FTS_NOCHDIR, by_name);
	if (!tree)
		return pw_err_sys(err, errno, "cannot list %s", dir);
	while ((e = fts_read(tree))) {
		if (e->fts_info == FTS_F)
			list_file(s, e->fts_path, e->fts_statp, page_bytes);
		else if (e->fts_info == FTS_DNR || e->fts_info == FTS_ERR || e->fts_info == FTS_NS)
			pw_warn(&s->ctx->log, "cannot list %s: %s", e->fts_path,
				strerror(e->fts_errno));
	}
	fts_close(tree);
	return 0;
}

static int do_list(struct stage *s, const struct huge_mounts *mounts, struct pw_err *err)
{
	char size[32];
	size_t i;
	int ret = 0;

	if (s->config->to) {
		char *dir = strdup(s->config->to);

		ret = dir ? list_tree(s, dir, err) : pw_err_sys(err, ENOMEM, "cannot list");
		free(dir);
	} else if (mounts->n == 0) {
		return pw_err_set(err, ENODEV,
			"cannot list: no hugetlbfs is mounted; mkdir -p /mnt/huge && mount -t "
			"hugetlbfs "
			"none /mnt/huge");
	}
	for (i = 0; !s->config->to && i < mounts->n && ret == 0; i++)
		ret = list_tree(s, mounts->dirs[i], err);
	if (ret == 0 && !s->config->json)
		printf("%llu file%s, %s, %llu pages\n", (unsigned long long)s->n_files,
			s->n_files == 1 ? "" : "s", pw_units_size(size, sizeof(size), s->n_bytes),
			(unsigned long long)s->n_pages);
	return ret;
}

static int drop_one(struct stage *s, const char *path, struct pw_err *err)
{
	uint64_t page_bytes;
	struct stat st;
	bool huge;
	int ret;

	if (lstat(path, &st) < 0)
		return pw_err_sys(err, errno, "cannot drop %s", path);
	if (!S_ISREG(st.st_mode))
		return pw_err_set(err, EINVAL,
			"cannot drop %s: it is not an ordinary file; name a file", path);
	ret = pw_hugefile_probe(path, &huge, &page_bytes, err);
	if (ret < 0)
		return ret;
	if (!huge)
		return pw_err_set(err, EINVAL,
			"cannot drop %s: it is not on hugetlbfs; see pagewire stage --list", path);
	if (unlink(path) < 0)
		return pw_err_sys(err, errno, "cannot drop %s", path);
	add_file(s, path, (uint64_t)st.st_size, (uint64_t)st.st_blocks * 512 / page_bytes,
		page_bytes, NULL);
	if (!s->config->json)
		printf("dropped %s: %llu pages\n", path,
			(unsigned long long)((uint64_t)st.st_blocks * 512 / page_bytes));
	return 0;
}

/* `stage --drop DIR/` and a star names the parity behind its file, with which it was dropped. */
static bool went_with_its_file(const struct pw_operands *ops, int i)
{
	char side[PATH_MAX];
	struct pw_err err;
	int k;

	for (k = 0; k < i; k++)
		if (pw_send_parity_path(side, ops->argv[k], &err) == 0 &&
			!strcmp(side, ops->argv[i]))
			return access(side, F_OK) != 0;
	return false;
}

static int do_drop(struct stage *s, const struct pw_operands *ops, struct pw_err *err)
{
	int i, ret;

	for (i = 0; i < ops->n; i++) {
		char side[PATH_MAX];

		if (went_with_its_file(ops, i))
			continue;
		ret = drop_one(s, ops->argv[i], err);
		if (ret == 0)
			ret = pw_send_parity_path(side, ops->argv[i], err);
		if (ret == 0 && access(side, F_OK) == 0)
			ret = drop_one(s, side, err);
		if (ret < 0)
			return ret;
	}
	return 0;
}

static int check_usage(
	const struct stage_config *c, const struct pw_operands *ops, struct pw_err *err)
{
	struct pw_send_fec fec = {0};

	if (c->list && c->drop)
		return pw_err_set(
			err, EINVAL, "cannot use --list and --drop together; use one of them");
	if (c->list && (ops->n > 0 || c->force))
		return pw_err_set(
			err, EINVAL, "cannot use --list with files or --force; leave them out");
	if (c->drop && (c->to || c->force))
		return pw_err_set(err, EINVAL,
			"cannot use --drop with --to or --force; name the files with their paths");
	if (!c->list && ops->n == 0)
		return pw_err_set(
			err, EINVAL, "cannot stage: no file is named; name a FILE, or use --list");
	if (!c->fec_text && c->fec.points != PW_RS_N_POINTS)
		return pw_err_set(err, EINVAL,
			"cannot use --fec-code without --fec: there is no parity whose code it "
			"chooses; give --fec K+R");
	if (c->fec_text && (c->list || c->drop))
		return pw_err_set(
			err, EINVAL, "cannot use --fec with --list or --drop: leave --fec out");
	if (c->fec_text && pw_send_fec_parse(c->fec_text, &fec, err))
		return -EINVAL;
	return c->drop || c->list ? 0 : check_names(ops, err);
}

static int finish(struct stage *s, int ret, const struct pw_err *err)
{
	int code = PW_EXIT_OK;
	json_t *result;

	if (ret < 0) {
		code = pw_cli_fail_as(PW_WHEN_STAGING, err);
	}
	if (!s->config->json) {
		json_decref(s->files);
		return code;
	}
	result = json_pack("{s:s, s:s, s:i, s:s, s:I, s:I, s:o}", "schema", "pagewire.stage/1",
		"version", PW_VERSION, "exit_code", code, "action", s->action, "bytes",
		(json_int_t)s->n_bytes, "pages", (json_int_t)s->n_pages, "files", s->files);
	if (ret < 0)
		json_object_set_new(result, "error", pw_json_text(err->msg));
	pw_cli_print_json(result);
	return code;
}

static int run(const void *config, const struct pw_operands *ops, const struct pw_context *ctx)
{
	const struct stage_config *c = config;
	struct stage s = {.config = c, .ctx = ctx};
	struct huge_mounts mounts;
	struct pw_err err = {0};
	int ret;

	if (check_usage(c, ops, &err) < 0)
		return pw_cli_usage("stage", &err);
	s.action = c->list ? "list" : c->drop ? "drop" : "stage";
	s.files = json_array();
	find_mounts(&mounts);
	if (c->list)
		ret = do_list(&s, &mounts, &err);
	else if (c->drop)
		ret = do_drop(&s, ops, &err);
	else
		ret = do_stage(&s, &mounts, ops, &err);
	free_mounts(&mounts);
	return finish(&s, ret, &err);
}

const struct pw_command pw_cmd_stage = {
	.name = "stage",
	.summary = "put files on huge pages, where send takes them in place",
	.operands = "FILE...",
	.opts = options,
	.n_opts = PW_ARRAY_LEN(options),
	.config_size = sizeof(struct stage_config),
	.defaults = &defaults,
	.run = run,
	.examples = "pagewire stage disk.img\n"
		    "pagewire stage --to /mnt/huge --force *.iso\n"
		    "pagewire stage --list\n"
		    "pagewire stage --drop /mnt/huge/disk.img\n",
};
