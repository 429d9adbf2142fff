/* SPDX-License-Identifier: BSD-3-Clause */
#include "xfer/gaps.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "wire/blocks.h"

/* What jansson may make of one manifest: about 100 bytes a value, 400 an object. */
#define MAX_VALUES  (8u << 20)
#define MAX_OBJECTS (1u << 20)

static int bad(struct pw_err *err, const char *why)
{
	return pw_err_set(err, EBADMSG,
		"read gap manifest: %s; take the file that `pagewire recv` wrote", why);
}

/* A few megabytes of brackets would become gigabytes of values. */
static bool is_modest(const char *text, size_t len)
{
	size_t i, values = 0, objects = 0;

	for (i = 0; i < len; i++) {
		values += text[i] == ',' || text[i] == '[';
		objects += text[i] == '{';
	}
	return values <= MAX_VALUES && objects <= MAX_OBJECTS;
}

static bool get_u64(const json_t *j, uint64_t max, uint64_t *out)
{
	if (!json_is_integer(j) || json_integer_value(j) < 0 ||
		(uint64_t)json_integer_value(j) > max)
		return false;
	*out = (uint64_t)json_integer_value(j);
	return true;
}

static int parse_ranges(const json_t *list, struct pw_gap_file *f, struct pw_err *err)
{
	size_t i, n = json_array_size(list);
	uint64_t end = 0;

	if (!json_is_array(list))
		return bad(err, "\"missing\" is not a list");
	f->missing = n ? calloc(n, sizeof(*f->missing)) : NULL;
	if (n && !f->missing)
		return pw_err_sys(err, ENOMEM, "read gap manifest");
	for (i = 0; i < n; i++) {
		const json_t *pair = json_array_get(list, i);
		struct pw_range *r = &f->missing[i];

		if (json_array_size(pair) != 2 ||
			!get_u64(json_array_get(pair, 0), f->len_bytes, &r->from) ||
			!get_u64(json_array_get(pair, 1), f->len_bytes, &r->to))
			return bad(err, "a range is not [from, to) inside its file");
		if (r->from >= r->to || r->from < end)
			return bad(err, "ranges are empty, overlap or are out of order");
		end = r->to;
	}
	f->n_missing = n;
	return 0;
}

static int parse_file(const json_t *j, struct pw_gap_file *f, struct pw_err *err)
{
	const char *name = json_string_value(json_object_get(j, "name"));
	const json_t *digest = json_object_get(j, "digest");

	if (!name || !*name || strlen(name) > PW_NAME_MAX)
		return bad(err, "a file's name is missing or too long");
	if (!get_u64(json_object_get(j, "bytes"), PW_MAX_TRANSFER_LEN, &f->len_bytes))
		return bad(err, "a file's \"bytes\" is missing or out of range");
	if (digest && (!json_is_string(digest) ||
			      !pw_digest_parse(json_string_value(digest), &f->digest)))
		return bad(err, "a digest is malformed");
	f->name = strdup(name);
	if (!f->name)
		return pw_err_sys(err, ENOMEM, "read gap manifest");
	return parse_ranges(json_object_get(j, "missing"), f, err);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct pw_gap_file *)a)->name, ((const struct pw_gap_file *)b)->name);
}

static int parse_root(const json_t *root, struct pw_gaps *g, struct pw_err *err)
{
	const char *schema = json_string_value(json_object_get(root, "schema"));
	const json_t *list = json_object_get(root, "files");
	size_t i, n = json_array_size(list);
	int ret;

	if (!schema || strcmp(schema, PW_GAPS_SCHEMA) != 0)
		return bad(err, "its \"schema\" is not " PW_GAPS_SCHEMA);
	if (!get_u64(json_object_get(root, "tsi"), INT64_MAX, &g->tsi))
		return bad(err, "\"tsi\" is missing or out of range");
	if (!json_is_array(list))
		return bad(err, "\"files\" is not a list");
	g->files = n ? calloc(n, sizeof(*g->files)) : NULL;
	if (n && !g->files)
		return pw_err_sys(err, ENOMEM, "read gap manifest");
	for (i = 0; i < n; i++) {
		g->n_files = i + 1;
		ret = parse_file(json_array_get(list, i), &g->files[i], err);
		if (ret < 0)
			return ret;
	}
	if (n)
		qsort(g->files, n, sizeof(*g->files), by_name);
	g->sorted = true;
	for (i = 1; i < n; i++)
		if (!strcmp(g->files[i - 1].name, g->files[i].name))
			return bad(err, "a file is named twice");
	return 0;
}

int pw_gaps_parse(const char *text, size_t len, struct pw_gaps *g, struct pw_err *err)
{
	json_error_t jerr;
	json_t *root;
	int ret;

	*g = (struct pw_gaps){0};
	if (len > PW_GAPS_MAX_BYTES || !is_modest(text, len))
		return bad(err, "it is too large");
	root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &jerr);
	if (!root)
		return pw_err_set(
			err, EBADMSG, "read gap manifest: line %d: %s", jerr.line, jerr.text);
	ret = parse_root(root, g, err);
	json_decref(root);
	if (ret < 0)
		pw_gaps_finish(g);
	return ret;
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

/* Names the file that pw_gaps_parse() complained about. */
static void name_file(const char *path, struct pw_err *err)
{
	struct pw_err inner;

	if (!err)
		return;
	inner = *err;
	pw_err_set(err, inner.code, "%s: %s", path, inner.msg);
}

int pw_gaps_load(const char *path, struct pw_gaps *g, struct pw_err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	char *text = NULL;
	int ret;

	*g = (struct pw_gaps){0};
	if (fd < 0 && errno == ENOENT)
		return pw_err_set(err, ENOENT,
			"read gap manifest %s: there is none; name what `pagewire recv` wrote, "
			"or leave out --resume and --gaps",
			path);
	if (fd < 0)
		return pw_err_sys(err, errno, "read gap manifest %s", path);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		ret = pw_err_set(err, EINVAL, "read gap manifest %s: not an ordinary file", path);
		goto close_fd;
	}
	if ((uint64_t)st.st_size > PW_GAPS_MAX_BYTES) {
		ret = pw_err_set(err, EFBIG, "read gap manifest %s: larger than %u bytes", path,
			PW_GAPS_MAX_BYTES);
		goto close_fd;
	}
	text = malloc((size_t)st.st_size + 1);
	ret = text ? read_all(fd, text, (size_t)st.st_size) : -ENOMEM;
	if (ret < 0)
		pw_err_sys(err, -ret, "read gap manifest %s", path);
	else if ((ret = pw_gaps_parse(text, (size_t)st.st_size, g, err)) < 0)
		name_file(path, err);
	free(text);

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

void pw_gaps_finish(struct pw_gaps *g)
{
	size_t i;

	for (i = 0; i < g->n_files; i++) {
		free(g->files[i].name);
		free(g->files[i].missing);
	}
	free(g->files);
	*g = (struct pw_gaps){0};
}
