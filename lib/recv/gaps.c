/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads a gap manifest, and finds names in it. */
#include "recv/gaps.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "recv/gapscan.h"
#include "wire/blocks.h"

/* A manifest that is being read. */
struct reading {
	struct pw_gapscan s;
	const char *path; /* for messages; NULL: none */
	size_t room;      /* allocated entries of g->files */
	size_t name_room; /* allocated entries of g->named */
	size_t n_ranges;  /* of all files so far */
	struct pw_gaps *g;
	struct pw_err *err;
};

static int bad(const struct reading *rd, const char *why)
{
	return pw_err_set(rd->err, EBADMSG,
		"cannot read the gap manifest%s%s: line %u: %s; take the file that `pagewire recv` "
		"wrote",
		rd->path ? " " : "", rd->path ? rd->path : "", pw_gapscan_line(&rd->s), why);
}

static int no_memory(const struct reading *rd)
{
	return pw_err_set(rd->err, ENOMEM, "cannot read the gap manifest: out of memory");
}

/* In place. */
static bool percent_decode(char *text)
{
	const char *in = text;
	char *out = text;

	for (; *in; in++, out++) {
		int high, low;

		*out = *in;
		if (*in < ' ' || *in > '~')
			return false;
		if (*in != '%')
			continue;
		high = pw_hex_value(in[1]);
		low = high < 0 ? -1 : pw_hex_value(in[2]);
		if (low < 0 || (high == 0 && low == 0))
			return false;
		*out = (char)(high << 4 | low);
		in += 2;
	}
	*out = '\0';
	return true;
}

static int read_name(struct reading *rd, char **name, bool percent)
{
	*name = pw_gapscan_string(&rd->s);
	if (!*name)
		return bad(rd, "a file's name is not a string");
	if (percent && !percent_decode(*name))
		return bad(rd, "a file's name is not percent-encoded text");
	if (!**name || strlen(*name) > PW_NAME_MAX)
		return bad(rd, "a file's name is empty or too long");
	return 0;
}

static int read_digest(struct reading *rd, struct pw_gap_file *f)
{
	char *text = pw_gapscan_string(&rd->s);
	const bool ok = text && pw_digest_parse(text, &f->digest);

	free(text);
	return ok ? 0 : bad(rd, "a digest is malformed");
}

static int read_part(struct reading *rd, struct pw_gap_file *f)
{
	uint64_t part;

	if (!pw_gapscan_u64(&rd->s, PW_GAPS_MAX_PART, &part) || part == 0)
		return bad(rd, "a file's \"part\" is not 1 to 15");
	f->part = (unsigned int)part;
	return 0;
}

static bool read_range(struct pw_gapscan *s, struct pw_range *r)
{
	return pw_gapscan_take(s, '[') && pw_gapscan_u64(s, PW_MAX_TRANSFER_LEN, &r->from) &&
	       pw_gapscan_take(s, ',') && pw_gapscan_u64(s, PW_MAX_TRANSFER_LEN, &r->to) &&
	       pw_gapscan_take(s, ']');
}

static int add_range(struct reading *rd, struct pw_gap_file *f, size_t *room, struct pw_range r)
{
	const uint64_t end = f->n_missing ? f->missing[f->n_missing - 1].to : 0;

	if (r.from >= r.to || r.from < end)
		return bad(rd, "ranges are empty, overlap or are out of order");
	if (rd->n_ranges++ == PW_GAPS_MAX_RANGES)
		return bad(rd, "it has too many ranges");
	if (f->n_missing == *room) {
		const size_t more = *room ? 2 * *room : 1;
		struct pw_range *grown = reallocarray(f->missing, more, sizeof(*grown));

		if (!grown)
			return no_memory(rd);
		f->missing = grown;
		*room = more;
	}
	f->missing[f->n_missing++] = r;
	return 0;
}

static int read_ranges(struct reading *rd, struct pw_gap_file *f)
{
	enum pw_gapscan_item item;
	size_t room = 0;
	int ret = 0;

	if (!pw_gapscan_take(&rd->s, '['))
		return bad(rd, "\"missing\" is not a list");
	while (ret == 0 &&
		(item = pw_gapscan_next(&rd->s, ']', f->n_missing == 0)) != PW_GAPSCAN_END) {
		struct pw_range r = {0};

		if (item == PW_GAPSCAN_BAD || !read_range(&rd->s, &r))
			return bad(rd, "a range is not [from, to) inside its file");
		ret = add_range(rd, f, &room, r);
	}
	return ret;
}

enum file_key { NAME, NAME_BYTES, BYTES, DIGEST, PART, MISSING, N_FILE_KEYS };

static int read_file_value(struct reading *rd, struct pw_gap_file *f, size_t key)
{
	switch (key) {
	case NAME:
	case NAME_BYTES:
		if (f->name)
			return bad(rd, "a file has two names");
		return read_name(rd, &f->name, key == NAME_BYTES);
	case BYTES:
		if (pw_gapscan_u64(&rd->s, PW_MAX_TRANSFER_LEN, &f->len_bytes))
			return 0;
		return bad(rd, "a file's \"bytes\" is out of range");
	case DIGEST:
		return read_digest(rd, f);
	case PART:
		return read_part(rd, f);
	case MISSING:
		return read_ranges(rd, f);
	default:
		return pw_gapscan_skip(&rd->s) ? 0 : bad(rd, "it is no JSON, or a value too large");
	}
}

/* Which of the n names it is, n: none. */
static size_t find_key(const char *const *names, size_t n, const char *key)
{
	size_t i;

	for (i = 0; i < n && strcmp(names[i], key) != 0; i++)
		;
	return i;
}

/* The next key of an object: 1 with *key, 0 at its end. *seen collects what was there. */
static int next_key(struct reading *rd, const char *const *names, size_t n, unsigned int *seen,
	bool first, size_t *key)
{
	enum pw_gapscan_item item = pw_gapscan_next(&rd->s, '}', first);
	char text[PW_GAPSCAN_KEY_MAX];

	if (item == PW_GAPSCAN_END)
		return 0;
	if (item == PW_GAPSCAN_BAD || !pw_gapscan_key(&rd->s, text))
		return bad(rd, "it is no JSON: a key, a comma or a bracket is missing");
	*key = find_key(names, n, text);
	if (*key == n)
		return 1;
	if (*seen & 1u << *key)
		return bad(rd, "a key stands twice in one object");
	*seen |= 1u << *key;
	return 1;
}

static int read_file(struct reading *rd, struct pw_gap_file *f)
{
	static const char *const names[N_FILE_KEYS] = {
		"name", "name_bytes", "bytes", "digest", "part", "missing"};
	unsigned int seen = 0;
	bool first = true;
	size_t key = 0;
	int ret;

	if (!pw_gapscan_take(&rd->s, '{'))
		return bad(rd, "a file is no object");
	while ((ret = next_key(rd, names, N_FILE_KEYS, &seen, first, &key)) > 0) {
		ret = read_file_value(rd, f, key);
		if (ret < 0)
			break;
		first = false;
	}
	if (ret < 0)
		return ret;
	if (!f->name)
		return bad(rd, "a file has no name");
	if (!(seen & 1u << BYTES) || !(seen & 1u << MISSING))
		return bad(rd, "a file has no \"bytes\" or no \"missing\"");
	if (f->n_missing && f->missing[f->n_missing - 1].to > f->len_bytes)
		return bad(rd, "a range is not [from, to) inside its file");
	return 0;
}

/* A new file, zeroed. */
static struct pw_gap_file *add_file(struct reading *rd)
{
	struct pw_gaps *g = rd->g;

	if (g->n_files == rd->room) {
		const size_t more = rd->room ? 2 * rd->room : 16;
		struct pw_gap_file *grown = reallocarray(g->files, more, sizeof(*grown));

		if (!grown)
			return NULL;
		g->files = grown;
		rd->room = more;
	}
	g->files[g->n_files] = (struct pw_gap_file){0};
	return &g->files[g->n_files++];
}

static int read_files(struct reading *rd)
{
	enum pw_gapscan_item item;
	int ret = 0;

	if (!pw_gapscan_take(&rd->s, '['))
		return bad(rd, "\"files\" is not a list");
	while (ret == 0 &&
		(item = pw_gapscan_next(&rd->s, ']', rd->g->n_files == 0)) != PW_GAPSCAN_END) {
		struct pw_gap_file *f;

		if (item == PW_GAPSCAN_BAD)
			return bad(rd, "it is no JSON: a comma or a bracket is missing");
		if (rd->g->n_files == PW_GAPS_MAX_FILES)
			return bad(rd, "it has too many files");
		f = add_file(rd);
		ret = f ? read_file(rd, f) : no_memory(rd);
	}
	return ret;
}

static int add_name(struct reading *rd, bool percent)
{
	struct pw_gaps *g = rd->g;

	if (g->n_named == PW_GAPS_MAX_FILES)
		return bad(rd, "it names too many files");
	if (g->n_named == rd->name_room) {
		const size_t more = rd->name_room ? 2 * rd->name_room : 16;
		char **grown = reallocarray(g->named, more, sizeof(*grown));

		if (!grown)
			return no_memory(rd);
		g->named = grown;
		rd->name_room = more;
	}
	/* Counted first, so that pw_gaps_finish() frees it. */
	return read_name(rd, &g->named[g->n_named++], percent);
}

static int read_named(struct reading *rd, bool percent)
{
	enum pw_gapscan_item item;
	bool first = true;
	int ret = 0;

	if (!pw_gapscan_take(&rd->s, '['))
		return bad(rd, "\"named\" is not a list");
	while (ret == 0 && (item = pw_gapscan_next(&rd->s, ']', first)) != PW_GAPSCAN_END) {
		if (item == PW_GAPSCAN_BAD)
			return bad(rd, "it is no JSON: a comma or a bracket is missing");
		ret = add_name(rd, percent);
		first = false;
	}
	return ret;
}

static int read_schema(struct reading *rd)
{
	char *schema = pw_gapscan_string(&rd->s);
	const bool ok = schema && !strcmp(schema, PW_GAPS_SCHEMA);

	free(schema);
	return ok ? 0 : bad(rd, "its \"schema\" is not " PW_GAPS_SCHEMA);
}

enum root_key { SCHEMA, TSI, FILES, UNNAMED, NAMED, NAMED_BYTES, N_ROOT_KEYS };

#define NEEDED_ROOT_KEYS (1u << SCHEMA | 1u << TSI | 1u << FILES)

static int read_root_value(struct reading *rd, size_t key)
{
	switch (key) {
	case SCHEMA:
		return read_schema(rd);
	case TSI:
		if (pw_gapscan_u64(&rd->s, INT64_MAX, &rd->g->tsi))
			return 0;
		return bad(rd, "\"tsi\" is out of range");
	case FILES:
		return read_files(rd);
	case UNNAMED:
		if (pw_gapscan_u64(&rd->s, INT64_MAX, &rd->g->n_unnamed))
			return 0;
		return bad(rd, "\"unnamed\" is out of range");
	case NAMED:
	case NAMED_BYTES:
		return read_named(rd, key == NAMED_BYTES);
	default:
		return pw_gapscan_skip(&rd->s) ? 0 : bad(rd, "it is no JSON, or a value too large");
	}
}

static int read_root(struct reading *rd)
{
	static const char *const names[N_ROOT_KEYS] = {
		"schema", "tsi", "files", "unnamed", "named", "named_bytes"};
	unsigned int seen = 0;
	bool first = true;
	size_t key = 0;
	int ret;

	if (!pw_gapscan_take(&rd->s, '{'))
		return bad(rd, "it is no JSON object");
	while ((ret = next_key(rd, names, N_ROOT_KEYS, &seen, first, &key)) > 0) {
		ret = read_root_value(rd, key);
		if (ret < 0)
			break;
		first = false;
	}
	if (ret < 0)
		return ret;
	if ((seen & NEEDED_ROOT_KEYS) != NEEDED_ROOT_KEYS)
		return bad(rd, "\"schema\", \"tsi\" or \"files\" is missing");
	return pw_gapscan_at_end(&rd->s) ? 0 : bad(rd, "something follows its end");
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct pw_gap_file *)a)->name, ((const struct pw_gap_file *)b)->name);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int sort(struct reading *rd)
{
	struct pw_gaps *g = rd->g;
	size_t i;

	if (g->n_files)
		qsort(g->files, g->n_files, sizeof(*g->files), by_name);
	if (g->n_named)
		qsort(g->named, g->n_named, sizeof(*g->named), by_text);
	g->sorted = true;
	for (i = 1; i < g->n_files; i++)
		if (!strcmp(g->files[i - 1].name, g->files[i].name))
			return bad(rd, "a file is named twice");
	for (i = 0; i < g->n_named; i++)
		if ((i && !strcmp(g->named[i - 1], g->named[i])) || pw_gaps_find(g, g->named[i]))
			return bad(rd, "a file is named twice");
	return 0;
}

static int parse(
	const char *path, const char *text, size_t len, struct pw_gaps *g, struct pw_err *err)
{
	struct reading rd = {.s = {.text = text, .len = len}, .path = path, .g = g, .err = err};
	int ret;

	*g = (struct pw_gaps){0};
	ret = len > PW_GAPS_MAX_BYTES ? bad(&rd, "it is too large") : read_root(&rd);
	if (ret == 0)
		ret = sort(&rd);
	if (ret == 0 && path && !(g->paths = strdup(path)))
		ret = no_memory(&rd);
	if (ret < 0)
		pw_gaps_finish(g);
	return ret;
}

int pw_gaps_parse(const char *text, size_t len, struct pw_gaps *g, struct pw_err *err)
{
	return parse(NULL, text, len, g, err);
}

static int read_all(int fd, char *text, size_t len)
{
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = read(fd, text + done, len - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		done += (size_t)n;
	}
	return 0;
}

int pw_gaps_load(const char *path, struct pw_gaps *g, struct pw_err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	char *text = NULL;
	struct pw_gaps more = {0};
	int ret;

	if (fd < 0 && errno == ENOENT)
		return pw_err_set(err, ENOENT,
			"cannot read the gap manifest %s: it does not exist; name the file that "
			"`pagewire recv` wrote, or leave out --resume and --gaps",
			path);
	if (fd < 0)
		return pw_err_sys(err, errno, "cannot read the gap manifest %s", path);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		ret = pw_err_set(err, EINVAL,
			"cannot read the gap manifest %s: not a regular file; name the file that "
			"`pagewire recv` wrote",
			path);
		goto close_fd;
	}
	if ((uint64_t)st.st_size > PW_GAPS_MAX_BYTES) {
		ret = pw_err_set(err, EFBIG,
			"cannot read the gap manifest %s: larger than %u bytes; take the file that "
			"`pagewire recv` wrote",
			path, PW_GAPS_MAX_BYTES);
		goto close_fd;
	}
	text = malloc((size_t)st.st_size + 1);
	ret = text ? read_all(fd, text, (size_t)st.st_size) : -ENOMEM;
	if (ret < 0)
		pw_err_sys(err, -ret, "cannot read the gap manifest %s", path);
	else
		ret = parse(path, text, (size_t)st.st_size, &more, err);
	free(text);
	if (ret == 0)
		ret = pw_gaps_merge(g, &more, err);
	pw_gaps_finish(&more);

close_fd:
	close(fd);
	return ret;
}

const struct pw_gap_file *pw_gaps_find(const struct pw_gaps *g, const char *name)
{
	size_t lo = 0, hi = g->n_files, i;

	for (i = 0; !g->sorted && i < g->n_files; i++)
		if (!strcmp(g->files[i].name, name))
			return &g->files[i];
	while (g->sorted && lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = strcmp(name, g->files[mid].name);

		if (c == 0)
			return &g->files[mid];
		if (c < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return NULL;
}

bool pw_gaps_has_named(const struct pw_gaps *g, const char *name)
{
	return g->n_named && bsearch(&name, g->named, g->n_named, sizeof(*g->named), by_text);
}

void pw_gaps_finish(struct pw_gaps *g)
{
	size_t i;

	for (i = 0; i < g->n_files; i++) {
		free(g->files[i].name);
		free(g->files[i].missing);
	}
	for (i = 0; i < g->n_named; i++)
		free(g->named[i]);
	free(g->files);
	free(g->named);
	free(g->paths);
	*g = (struct pw_gaps){0};
}
