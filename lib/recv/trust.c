/* SPDX-License-Identifier: BSD-3-Clause */
#include "recv/trust.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#define TEMPORARY PW_TRUST_FILE ".part"
#define TEXT_MAX  (1u << 20) /* of a state file */

static int save_failed(const struct pw_trust *t, int code, struct pw_err *err)
{
	return pw_err_sys(err, code, "cannot write %s/%s, which refuses replayed sessions", t->dir,
		PW_TRUST_FILE);
}

static int write_text(int fd, const char *text)
{
	size_t len = strlen(text);
	ssize_t n;

	while (len) {
		n = write(fd, text, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text += n;
		len -= (size_t)n;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

/* Some file systems cannot sync a directory. */
static int sync_directory(int dir_fd)
{
	return fsync(dir_fd) == 0 || errno == EINVAL || errno == ENOTSUP ? 0 : -errno;
}

static int replace(int dir_fd, const char *text)
{
	int fd, r;

	unlinkat(dir_fd, TEMPORARY, 0);
	fd = openat(dir_fd, TEMPORARY, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	r = write_text(fd, text);
	if (close(fd) < 0 && r == 0)
		r = -errno;
	if (r == 0 && renameat(dir_fd, TEMPORARY, dir_fd, PW_TRUST_FILE) < 0)
		r = -errno;
	return r ? r : sync_directory(dir_fd);
}

static int save(const struct pw_trust *t, struct pw_err *err)
{
	int dir_fd, r;
	char *text;

	if (!t->dir)
		return 0;
	text = json_dumps(t->state, JSON_INDENT(1) | JSON_SORT_KEYS);
	dir_fd = open(t->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (!text)
		r = -ENOMEM;
	else
		r = dir_fd < 0 ? -errno : replace(dir_fd, text);
	if (dir_fd >= 0)
		close(dir_fd);
	free(text);
	return r ? save_failed(t, -r, err) : 0;
}

/* NULL: it is no set. */
static json_t *format_set(const struct pw_trust_newest *s)
{
	json_t *sequences;
	uint32_t i;

	if (!s->n_stripes)
		return NULL;
	sequences = json_array();
	for (i = 0; i < s->n_stripes; i++)
		json_array_append_new(sequences, json_integer((json_int_t)s->v[i].sequence));
	return json_pack("{s:I, s:I, s:o}", "tsi", (json_int_t)s->tsi, "before",
		(json_int_t)s->before, "sequences", sequences);
}

/* Puts the key's newest session into the state. */
static int note(struct pw_trust *t, size_t key, struct pw_err *err)
{
	const struct pw_trust_newest *s = &t->newest[key];
	json_t *entry;

	if (!t->dir)
		return 0;
	entry = json_pack("{s:I, s:b, s:o*}", "sequence", (json_int_t)s->sequence, "whole",
		s->whole, "set", format_set(s));
	if (!entry || json_object_set_new(
			      json_object_get(t->state, "keys"), pw_keys_id(t->keys, key), entry))
		return save_failed(t, ENOMEM, err);
	return 0;
}

static int damaged(const char *dir, struct pw_err *err)
{
	return pw_err_set(err, EBADMSG,
		"cannot read %s/%s: it is no %s document; restore it, or remove it and accept that "
		"sessions of the last minutes may be replayed once",
		dir, PW_TRUST_FILE, PW_TRUST_SCHEMA);
}

static bool read_count(const json_t *entry, const char *key, uint64_t *count)
{
	const json_t *value = json_object_get(entry, key);

	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return false;
	*count = (uint64_t)json_integer_value(value);
	return true;
}

static bool read_set(const json_t *set, struct pw_trust_newest *s)
{
	const json_t *sequences = json_object_get(set, "sequences");
	const size_t n = json_array_size(sequences);
	size_t i;

	if (n < 2 || n > PW_STRIPES_MAX || !read_count(set, "tsi", &s->tsi) ||
		!read_count(set, "before", &s->before))
		return false;
	s->n_stripes = (uint32_t)n;
	for (i = 0; i < n; i++) {
		const json_t *sequence = json_array_get(sequences, i);

		if (!json_is_integer(sequence) || json_integer_value(sequence) < 0)
			return false;
		s->v[i].sequence = (uint64_t)json_integer_value(sequence);
	}
	return true;
}

static bool read_newest(const json_t *entry, struct pw_trust_newest *s)
{
	const json_t *whole = json_object_get(entry, "whole"), *set = json_object_get(entry, "set");

	if (!read_count(entry, "sequence", &s->sequence) || !json_is_boolean(whole))
		return false;
	s->whole = json_is_true(whole);
	if (set)
		return read_set(set, s);
	s->v[0].sequence = s->sequence;
	return true;
}

static int load(struct pw_trust *t, int fd, struct pw_err *err)
{
	const json_t *keys, *entry, *schema;
	char *text = malloc(TEXT_MAX);
	ssize_t n = text ? read(fd, text, TEXT_MAX) : -1;
	size_t i;

	t->state = n > 0 ? json_loadb(text, (size_t)n, 0, NULL) : NULL;
	free(text);
	keys = json_object_get(t->state, "keys");
	schema = json_object_get(t->state, "schema");
	if (!json_is_object(keys) || !json_is_string(schema) ||
		strcmp(json_string_value(schema), PW_TRUST_SCHEMA) != 0)
		return damaged(t->dir, err);
	for (i = 0; i < pw_keys_n(t->keys); i++) {
		entry = json_object_get(keys, pw_keys_id(t->keys, i));
		if (entry && !read_newest(entry, &t->newest[i]))
			return damaged(t->dir, err);
	}
	return 0;
}

static int load_or_make(struct pw_trust *t, struct pw_err *err)
{
	char *path;
	int fd, r;

	if (asprintf(&path, "%s/%s", t->dir, PW_TRUST_FILE) < 0)
		return pw_err_sys(err, ENOMEM, "cannot read %s/%s", t->dir, PW_TRUST_FILE);
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	r = fd < 0 ? -errno : 0;
	if (fd >= 0)
		r = load(t, fd, err);
	else if (r != -ENOENT)
		pw_err_sys(err, -r, "cannot read %s", path);
	else
		r = 0;
	if (fd >= 0)
		close(fd);
	free(path);
	if (r == 0 && !t->state)
		t->state = json_pack("{s:s, s:{}}", "schema", PW_TRUST_SCHEMA, "keys");
	return r == 0 && !t->state ? save_failed(t, ENOMEM, err) : r;
}

int pw_trust_open(struct pw_trust *t, const struct pw_keys *keys, uint64_t skew_ns, const char *dir,
	struct pw_err *err)
{
	struct statfs fs;
	int r;

	*t = (struct pw_trust){.keys = keys, .skew_s = skew_ns / 1000000000};
	t->newest = calloc(pw_keys_n(keys), sizeof(*t->newest));
	if (!t->newest)
		return pw_err_sys(
			err, ENOMEM, "cannot note the sessions of %zu keys", pw_keys_n(keys));
	/* A file of hugetlbfs cannot be written to. */
	if (!dir || (statfs(dir, &fs) == 0 && fs.f_type == HUGETLBFS_MAGIC))
		return 0;
	t->dir = strdup(dir);
	if (!t->dir)
		return pw_err_sys(err, ENOMEM, "cannot read %s/%s", dir, PW_TRUST_FILE);
	r = load_or_make(t, err);
	return r ? r : save(t, err); /* that it cannot be written is an error now, not later */
}

enum pw_trust_verdict pw_trust_verify(
	const struct pw_trust *t, const void *text, size_t len, size_t *key)
{
	const int r = pw_keys_verify(t->keys, text, len);

	if (r < 0)
		return r == -ENODATA ? PW_TRUST_UNSIGNED : PW_TRUST_FORGED;
	*key = (size_t)r;
	return PW_TRUST_GOOD;
}

static bool is_in_time(const struct pw_trust *t, const struct pw_fdt *fdt, uint64_t unix_s)
{
	return fdt->expires_ntp + t->skew_s >= pw_fdt_ntp(unix_s) &&
	       fdt->sequence / 1000000 <= unix_s + t->skew_s;
}

/* Where this session of the key stands. NULL: it is another one than the newest, or that is over. */
static struct pw_trust_session *place_of(
	struct pw_trust_newest *s, const struct pw_stripe *stripe, uint64_t tsi)
{
	if (!pw_stripe_is_shared(stripe))
		return s->n_stripes ? NULL : &s->v[0];
	return s->n_stripes == stripe->count && s->tsi == tsi && !s->whole ? &s->v[stripe->index]
									   : NULL;
}

/* A newer session of the key begins. */
static struct pw_trust_session *begin(
	struct pw_trust_newest *s, const struct pw_stripe *stripe, uint64_t tsi)
{
	const bool is_set = pw_stripe_is_shared(stripe);
	const uint64_t before = s->sequence;

	memset(s, 0, sizeof(*s));
	s->before = before;
	s->tsi = tsi;
	s->n_stripes = is_set ? stripe->count : 0;
	return &s->v[is_set ? stripe->index : 0];
}

enum pw_trust_verdict pw_trust_admit(struct pw_trust *t, size_t key, const struct pw_fdt *fdt,
	struct pw_host_key from, uint64_t tsi, uint64_t unix_s, struct pw_err *err)
{
	struct pw_trust_newest *s = &t->newest[key];
	struct pw_trust_session *v = place_of(s, &fdt->stripe, tsi);
	const uint64_t known = !v ? s->sequence : v->sequence ? v->sequence : s->before;
	const bool is_same = v && v->sequence && fdt->sequence == v->sequence;

	if (fdt->expires_ntp > UINT64_MAX - t->skew_s || !is_in_time(t, fdt, unix_s))
		return PW_TRUST_EXPIRED;
	if (fdt->sequence <= known && !is_same)
		return PW_TRUST_STALE;
	if (is_same && v->is_bound)
		return v->tsi == tsi && pw_host_key_equal(v->from, from) ? PW_TRUST_GOOD
									 : PW_TRUST_STALE;
	if (is_same && s->whole)
		return PW_TRUST_STALE;
	if (!v || (!is_same && s->n_stripes == 0))
		v = begin(s, &fdt->stripe, tsi);
	*v = (struct pw_trust_session){
		.sequence = fdt->sequence, .is_bound = true, .from = from, .tsi = tsi};
	if (s->sequence < v->sequence)
		s->sequence = v->sequence;
	if (!is_same && note(t, key, err) == 0)
		save(t, err);
	return PW_TRUST_GOOD;
}

bool pw_trust_takes_digest(enum pw_digest_kind kind)
{
	return kind == PW_DIGEST_SHA256 || kind == PW_DIGEST_SHA256_TREE;
}

/* Whether this run has seen the session, or a stripe of the set. */
static bool has_seen(const struct pw_trust_newest *s)
{
	size_t i;

	for (i = 0; i < PW_STRIPES_MAX; i++)
		if (s->v[i].is_bound)
			return true;
	return false;
}

int pw_trust_end_sessions(struct pw_trust *t, struct pw_err *err)
{
	bool any = false;
	size_t i;
	int r = 0;

	for (i = 0; t->keys && r == 0 && i < pw_keys_n(t->keys); i++) {
		if (!has_seen(&t->newest[i]))
			continue;
		t->newest[i].whole = true;
		any = true;
		r = note(t, i, err);
	}
	return r == 0 && any ? save(t, err) : r;
}

void pw_trust_close(struct pw_trust *t)
{
	json_decref(t->state);
	free(t->newest);
	free(t->dir);
	*t = (struct pw_trust){0};
}
