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

/* Puts the key's newest session into the state. */
static int note(struct pw_trust *t, size_t key, struct pw_err *err)
{
	const struct pw_trust_session *s = &t->newest[key];
	json_t *entry;

	if (!t->dir)
		return 0;
	entry = json_pack("{s:I, s:b}", "sequence", (json_int_t)s->sequence, "whole", s->whole);
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

static bool read_session(const json_t *entry, struct pw_trust_session *s)
{
	const json_t *sequence = json_object_get(entry, "sequence");
	const json_t *whole = json_object_get(entry, "whole");

	if (!json_is_integer(sequence) || json_integer_value(sequence) < 0 ||
		!json_is_boolean(whole))
		return false;
	s->sequence = (uint64_t)json_integer_value(sequence);
	s->whole = json_is_true(whole);
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
		if (entry && !read_session(entry, &t->newest[i]))
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

enum pw_trust_verdict pw_trust_admit(struct pw_trust *t, size_t key, const struct pw_fdt *fdt,
	struct pw_host_key from, uint64_t tsi, uint64_t unix_s, struct pw_err *err)
{
	struct pw_trust_session *s = &t->newest[key];
	const bool is_newer = fdt->sequence > s->sequence;

	if (fdt->expires_ntp > UINT64_MAX - t->skew_s || !is_in_time(t, fdt, unix_s))
		return PW_TRUST_EXPIRED;
	if (fdt->sequence == 0 || fdt->sequence < s->sequence)
		return PW_TRUST_STALE;
	if (!is_newer && s->is_bound)
		return s->tsi == tsi && pw_host_key_equal(s->from, from) ? PW_TRUST_GOOD
									 : PW_TRUST_STALE;
	if (!is_newer && s->whole)
		return PW_TRUST_STALE;
	*s = (struct pw_trust_session){
		.sequence = fdt->sequence, .is_bound = true, .from = from, .tsi = tsi};
	if (is_newer && note(t, key, err) == 0)
		save(t, err);
	return PW_TRUST_GOOD;
}

bool pw_trust_takes_digest(enum pw_digest_kind kind)
{
	return kind == PW_DIGEST_SHA256 || kind == PW_DIGEST_SHA256_TREE;
}

int pw_trust_end_sessions(struct pw_trust *t, struct pw_err *err)
{
	bool any = false;
	size_t i;
	int r = 0;

	for (i = 0; t->keys && r == 0 && i < pw_keys_n(t->keys); i++) {
		if (!t->newest[i].is_bound)
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
	free(t->dir);
	*t = (struct pw_trust){0};
}
