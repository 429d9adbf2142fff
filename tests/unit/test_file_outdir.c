/* SPDX-License-Identifier: BSD-3-Clause */
/* Names and paths in the output directory, with openat2(2) and without. */
#include "file/outdir_private.h"
#include "outdir_util.h"

static struct outdir_test t;

static int setup(bool walk_only)
{
	if (outdir_start(&t, (struct pw_outdir_config){0}) < 0)
		return -1;
	if (walk_only)
		t.d->root.walk_only = true;
	return 0;
}

static int setup_openat2(void **state)
{
	(void)state;
	return setup(false);
}

/* As on a kernel before 5.6, or in a sandbox that forbids openat2(2). */
static int setup_walk(void **state)
{
	(void)state;
	return setup(true);
}

static int teardown(void **state)
{
	(void)state;
	outdir_end(&t);
	return 0;
}

static void a_part_is_made_and_published(void **state)
{
	struct pw_outfile *f = make_part(&t, "a/b/c", 5, 0);
	struct pw_outfile_id id = f->id;
	struct stat st;

	(void)state;
	assert_int_equal(f->part, 0);
	assert_int_equal(stat(in_out(&t, "a/b/c.part"), &st), 0);
	assert_int_equal(st.st_size, 5);
	assert_int_equal(st.st_ino, id.ino);
	put_text(f, "hello");
	assert_int_equal(pw_outfile_sync(f, NULL), 0);
	pw_outfile_close(f);
	assert_int_equal(pw_outdir_publish(t.d, "a/b/c", 0, &id, false, NULL, NULL), 0);
	assert_false(is_there(in_out(&t, "a/b/c.part")));
	assert_text(in_out(&t, "a/b/c"), "hello");
	assert_int_equal(pw_outdir_sync_names(t.d, &(const char *){"a/b/c"}, 1, NULL), 0);
	assert_int_equal(pw_outdir_open_target(t.d, "a/b/c", 5, &f, NULL), 0);
	assert_memory_equal(f->base, "hello", 5);
	pw_outfile_close(f);
	assert_int_equal(pw_outdir_open_target(t.d, "a/b/c", 6, &f, NULL), -ESTALE);
}

static void an_empty_file_has_no_mapping(void **state)
{
	struct pw_outfile *f = make_part(&t, "empty", 0, 0);
	struct pw_outfile_id id = f->id;

	(void)state;
	assert_null(f->base);
	assert_null(f->direct);
	assert_int_equal(pw_outfile_sync(f, NULL), 0);
	assert_int_equal(pw_outfile_failed(f), 0);
	pw_outfile_close(f);
	assert_int_equal(pw_outdir_publish(t.d, "empty", 0, &id, false, NULL, NULL), 0);
	assert_text(in_out(&t, "empty"), "");
}

static void no_symbolic_link_is_walked(void **state)
{
	const char *const names[] = {"in/up/f", "in/up/deep/f", "within/f"};
	char path[128];
	struct pw_outfile_id id = {1, 1};
	enum pw_outdir_kind kind;
	struct pw_outfile *f;
	uint64_t len;
	size_t i;

	(void)state;
	mkdir(path_in(path, sizeof(path), t.top, "away"), 0755);
	mkdir(path_in(path, sizeof(path), t.top, "away/deep"), 0755);
	mkdir(in_out(&t, "in"), 0755);
	assert_int_equal(symlink("../../away", in_out(&t, "in/up")), 0);
	assert_int_equal(symlink("in", in_out(&t, "within")), 0);
	for (i = 0; i < 3; i++) {
		assert_true(pw_outdir_create(t.d, names[i], 5, 1440, 0, &f, NULL) < 0);
		assert_null(f);
		assert_true(pw_outdir_create(t.d, names[i], 0, 1440, 0, &f, NULL) < 0);
		assert_true(pw_outdir_look(t.d, names[i], 0, &kind, &len) < 0);
		assert_true(pw_outdir_publish(t.d, names[i], 0, &id, true, NULL, NULL) < 0);
	}
	assert_false(is_there(path_in(path, sizeof(path), t.top, "away/f.part")));
	assert_false(is_there(path_in(path, sizeof(path), t.top, "away/deep/f.part")));
	assert_false(is_there(in_out(&t, "in/f.part")));
	assert_int_equal(pw_outdir_look(t.d, "in/up", PW_OUTDIR_TARGET, &kind, &len), 0);
	assert_int_equal(kind, PW_OUTDIR_OTHER);
}

/* The link itself is removed; what it points to is not opened. */
static void a_link_in_the_parts_place_is_not_followed(void **state)
{
	char path[128];
	struct pw_outfile *f;

	(void)state;
	write_text(path_in(path, sizeof(path), t.top, "victim"), "precious");
	assert_int_equal(symlink("../victim", in_out(&t, "f.part")), 0);
	f = make_part(&t, "f", 5, 0);
	put_text(f, "hello");
	pw_outfile_close(f);
	assert_text(path, "precious");
	assert_text(in_out(&t, "f.part"), "hello");
}

static void parts_are_numbered(void **state)
{
	struct pw_outfile *f[4];
	struct stat st;

	(void)state;
	write_text(in_out(&t, "n.part"), "old");
	f[0] = make_part(&t, "n", 5, 0);
	assert_int_equal(f[0]->part, 0); /* a stale one is replaced */
	f[1] = make_part(&t, "n", 6, 0);
	assert_int_equal(f[1]->part, 1); /* one that is open is not */
	mkdir(in_out(&t, "n.2.part"), 0755);
	f[2] = make_part(&t, "n", 7, 0);
	assert_int_equal(f[2]->part, 3);
	write_text(in_out(&t, "n.4.part"), "kept");
	f[3] = make_part(&t, "n", 8, 1u << 4);
	assert_int_equal(f[3]->part, 5);
	assert_text(in_out(&t, "n.4.part"), "kept");
	assert_int_equal(stat(in_out(&t, "n.3.part"), &st), 0);
	assert_int_equal(st.st_size, 7);
	for (int i = 0; i < 4; i++)
		pw_outfile_close(f[i]);
	f[0] = make_part(&t, "n", 9, 0);
	assert_int_equal(f[0]->part, 0);
	pw_outfile_close(f[0]);
}

static void a_part_that_somebody_has_locked_is_left_alone(void **state)
{
	struct pw_outfile *f;
	int fd;

	(void)state;
	write_text(in_out(&t, "l.part"), "theirs");
	fd = open(in_out(&t, "l.part"), O_RDWR | O_CLOEXEC);
	assert_int_equal(flock(fd, LOCK_SH), 0);
	f = make_part(&t, "l", 5, 0);
	assert_int_equal(f->part, 1);
	assert_text(in_out(&t, "l.part"), "theirs");
	pw_outfile_close(f);
	close(fd);
}

static void when_all_numbers_are_taken_it_is_refused(void **state)
{
	struct pw_outfile *f;
	struct pw_err err = {0};

	(void)state;
	assert_int_equal(pw_outdir_create(t.d, "full", 5, 1440, 0xffff, &f, &err), -EISDIR);
	assert_true(pw_outdir_is_refusal(err.code));
	assert_non_null(strstr(err.msg, "full"));
}

static void only_the_file_that_it_was_is_opened_again(void **state)
{
	struct pw_outfile *f = make_part(&t, "f", 5, 0);
	struct pw_outfile_id id = f->id;
	struct pw_err err = {0};

	(void)state;
	put_text(f, "hello");
	pw_outfile_close(f);
	assert_int_equal(pw_outdir_reopen(t.d, "f", 0, 5, &id, &f, NULL), 0);
	assert_memory_equal(f->base, "hello", 5);
	assert_false(f->fresh);
	pw_outfile_close(f);
	assert_int_equal(pw_outdir_reopen(t.d, "f", 1, 5, &id, &f, NULL), -ESTALE);
	assert_int_equal(link(in_out(&t, "f.part"), in_out(&t, "second")), 0);
	assert_int_equal(pw_outdir_reopen(t.d, "f", 0, 5, &id, &f, NULL), -ESTALE);
	unlink(in_out(&t, "second"));
	assert_int_equal(truncate(in_out(&t, "f.part"), 4), 0);
	assert_int_equal(pw_outdir_reopen(t.d, "f", 0, 5, &id, &f, &err), -ESTALE);
	assert_int_equal(rename(in_out(&t, "f.part"), in_out(&t, "g")), 0);
	write_text(in_out(&t, "f.part"), "world");
	assert_int_equal(pw_outdir_reopen(t.d, "f", 0, 5, &id, &f, &err), -ESTALE);
	assert_non_null(strstr(err.msg, "f"));
	assert_int_equal(pw_outdir_reopen(t.d, "f", 0, 5, NULL, &f, &err), 0);
	pw_outfile_close(f);
	assert_int_equal(unlink(in_out(&t, "f.part")), 0);
	assert_int_equal(symlink("g", in_out(&t, "f.part")), 0);
	assert_true(pw_outdir_reopen(t.d, "f", 0, 4, NULL, &f, &err) < 0);
	assert_int_equal(unlink(in_out(&t, "f.part")), 0);
	assert_int_equal(mkfifo(in_out(&t, "f.part"), 0600), 0);
	assert_true(pw_outdir_reopen(t.d, "f", 0, 4, NULL, &f, &err) < 0);
}

static void publishing_replaces_only_by_force(void **state)
{
	struct pw_outfile *f = make_part(&t, "x", 5, 1);
	struct pw_outfile_id id = f->id, other = {id.dev, id.ino + 1};
	struct pw_err err = {0};

	(void)state;
	put_text(f, "hello");
	pw_outfile_close(f);
	write_text(in_out(&t, "x"), "old");
	assert_int_equal(pw_outdir_publish(t.d, "x", 1, &id, false, NULL, &err), -EEXIST);
	assert_non_null(strstr(err.msg, "--force"));
	assert_text(in_out(&t, "x"), "old");
	assert_int_equal(pw_outdir_publish(t.d, "x", 1, &other, true, NULL, &err), -ESTALE);
	assert_int_equal(pw_outdir_publish(t.d, "x", 0, &id, true, NULL, &err), -ESTALE);
	assert_text(in_out(&t, "x"), "old");
	assert_int_equal(pw_outdir_publish(t.d, "x", 1, &id, true, NULL, NULL), 0);
	assert_text(in_out(&t, "x"), "hello");
	assert_false(is_there(in_out(&t, "x.1.part")));
}

static void a_directory_is_never_replaced(void **state)
{
	struct pw_outfile *f = make_part(&t, "dir", 5, 0);
	struct pw_outfile_id id = f->id;
	struct pw_err err = {0};

	(void)state;
	pw_outfile_close(f);
	mkdir(in_out(&t, "dir"), 0755);
	assert_int_equal(pw_outdir_publish(t.d, "dir", 0, &id, true, NULL, &err), -EISDIR);
	assert_true(pw_outdir_is_refusal(err.code));
}

static void a_part_that_was_replaced_is_not_published(void **state)
{
	struct pw_outfile *f = make_part(&t, "s", 5, 0);
	struct pw_outfile_id id = f->id;

	(void)state;
	pw_outfile_close(f);
	assert_int_equal(rename(in_out(&t, "s.part"), in_out(&t, "gone")), 0);
	assert_int_equal(symlink("gone", in_out(&t, "s.part")), 0);
	assert_int_equal(pw_outdir_publish(t.d, "s", 0, &id, true, NULL, NULL), -ESTALE);
	pw_outdir_remove_part(t.d, "s", 0, &id); /* not that file either */
	assert_true(is_there(in_out(&t, "s.part")));
	assert_false(is_there(in_out(&t, "s")));
	pw_outdir_remove_part(t.d, "s", 0, NULL);
	assert_false(is_there(in_out(&t, "s.part")));
}

static void modes_and_times_are_set_within_bounds(void **state)
{
	static const uint32_t modes[][2] = {
		{07777, 0755}, {04711, 0711}, {0, 0600}, {0444, 0644}, {0100640, 0640}};
	struct pw_outfile_attr attr = {.has_mode = true, .has_mtime = true};
	struct stat st;
	size_t i;

	(void)state;
	for (i = 0; i < 5; i++) {
		struct pw_outfile *f = make_part(&t, "m", 5, 0);
		struct pw_outfile_id id = f->id;

		put_text(f, "hello");
		pw_outfile_close(f);
		attr.mode = modes[i][0];
		attr.mtime_ns = i == 0 ? -1500000000 : 1234567890123456789;
		assert_int_equal(pw_outdir_publish(t.d, "m", 0, &id, true, &attr, NULL), 0);
		assert_int_equal(stat(in_out(&t, "m"), &st), 0);
		assert_int_equal(st.st_mode & 07777, modes[i][1]);
		assert_int_equal(st.st_mtim.tv_sec, i == 0 ? -2 : 1234567890);
		assert_int_equal(st.st_mtim.tv_nsec, i == 0 ? 500000000 : 123456789);
	}
}

static void what_is_there_is_told_apart(void **state)
{
	enum pw_outdir_kind kind;
	uint64_t len;

	(void)state;
	assert_int_equal(pw_outdir_look(t.d, "no/such", PW_OUTDIR_TARGET, &kind, &len), 0);
	assert_int_equal(kind, PW_OUTDIR_ABSENT);
	mkdir(in_out(&t, "d"), 0755);
	assert_int_equal(pw_outdir_look(t.d, "d", PW_OUTDIR_TARGET, &kind, &len), 0);
	assert_int_equal(kind, PW_OUTDIR_DIR);
	write_text(in_out(&t, "d/f.7.part"), "1234");
	assert_int_equal(pw_outdir_look(t.d, "d/f", 7, &kind, &len), 0);
	assert_int_equal(kind, PW_OUTDIR_FILE);
	assert_int_equal(len, 4);
	assert_int_equal(link(in_out(&t, "d/f.7.part"), in_out(&t, "second")), 0);
	assert_int_equal(pw_outdir_look(t.d, "d/f", 7, &kind, &len), 0);
	assert_int_equal(kind, PW_OUTDIR_OTHER);
	assert_true(pw_outdir_look(t.d, "second/x", PW_OUTDIR_TARGET, &kind, &len) < 0);
}

static void many_directories_are_synced(void **state)
{
	char names[40][32];
	const char *v[40];
	size_t i;

	(void)state;
	for (i = 0; i < 40; i++) {
		snprintf(names[i], sizeof(names[i]), "d%zu/e/f", i);
		v[i] = names[i];
		pw_outfile_close(make_part(&t, names[i], 1, 0));
	}
	assert_int_equal(pw_outdir_sync_names(t.d, v, 5, NULL), 0);
	assert_int_equal(pw_outdir_sync_names(t.d, v, 40, NULL), 0);
	assert_int_equal(pw_outdir_sync_all(t.d, NULL), 0);
	v[0] = "no/such/dir";
	assert_int_equal(pw_outdir_sync_names(t.d, v, 1, NULL), -ENOENT);
}

static void the_directory_is_locked(void **state)
{
	struct pw_outdir_config cfg = {.path = t.dir};
	struct pw_outdir *second;
	struct pw_err err = {0};

	(void)state;
	assert_int_equal(pw_outdir_open(&second, &cfg, &err), -EBUSY);
	assert_non_null(strstr(err.msg, "another pagewire recv writes to"));
	pw_outdir_close(t.d);
	assert_int_equal(pw_outdir_open(&t.d, &cfg, NULL), 0);
}

static void no_more_is_made_than_allowed(void **state)
{
	struct pw_outdir_config cfg = {.path = t.dir, .max_made = 4};
	struct pw_outfile *f;
	struct pw_err err = {0};

	(void)state;
	pw_outdir_close(t.d);
	assert_int_equal(pw_outdir_open(&t.d, &cfg, NULL), 0);
	pw_outfile_close(make_part(&t, "a/b/c", 1, 0));
	pw_outfile_close(make_part(&t, "a/b/d", 1, 0));
	assert_int_equal(pw_outdir_create(t.d, "a/b/e", 1, 1440, 0, &f, &err), -EDQUOT);
	assert_non_null(strstr(err.msg, "4 files and directories"));
	assert_int_equal(pw_outdir_create(t.d, "b/e", 1, 1440, 0, &f, &err), -EDQUOT);
	assert_false(is_there(in_out(&t, "b")));
	assert_true(pw_outdir_is_refusal(EDQUOT));
}

static void unsafe_names_are_refused(void **state)
{
	static const char *const bad[] = {"", "/a", "a/", "a//b", ".", "..", "a/../b", "a/.",
		"a\nb", "a\x7f", "a\xc2\x9b", "a.part", "d/x.part"};
	static const char *const good[] = {"a", "a.b/c", "..a", "a..", ".part", "x.part/y"};
	char longer[260];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_non_null(pw_outname_fault(bad[i]));
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_null(pw_outname_fault(good[i]));
	memset(longer, 'x', sizeof(longer));
	longer[250] = '\0';
	assert_null(pw_outname_fault(longer));
	pw_outfile_close(make_part(&t, longer, 1, 0));
	longer[250] = 'x';
	longer[251] = '\0';
	assert_non_null(pw_outname_fault(longer));
}

static void assert_manifest(const char *manifest, const char *below)
{
	struct pw_outdir_config cfg = {.path = t.dir, .manifest_path = manifest};

	pw_outdir_close(t.d);
	assert_int_equal(pw_outdir_open(&t.d, &cfg, NULL), 0);
	if (below)
		assert_string_equal(t.d->manifest_below, below);
	else
		assert_null(t.d->manifest_below);
}

static void the_manifest_is_found_however_it_is_spelled(void **state)
{
	char path[160], *cwd = getcwd(NULL, 0);

	(void)state;
	assert_manifest(in_out(&t, "g.json"), "g.json");
	assert_manifest(in_out(&t, "not/there/../yet/./g.json"), "not/yet/g.json");
	assert_manifest(in_out(&t, "../out/g.json"), "g.json");
	assert_manifest(in_out(&t, "../g.json"), NULL);
	assert_manifest(in_out(&t, "no/../../g.json"), NULL);
	assert_manifest(path_in(path, sizeof(path), t.top, "outer/g.json"), NULL);
	assert_int_equal(symlink("out", path_in(path, sizeof(path), t.top, "link")), 0);
	assert_manifest(path_in(path, sizeof(path), t.top, "link/a/g.json"), "a/g.json");
	/* it will be replaced, not followed */
	assert_int_equal(symlink("/nowhere", in_out(&t, "s.json")), 0);
	assert_manifest(in_out(&t, "s.json"), "s.json");
	assert_int_equal(chdir(t.dir), 0);
	assert_manifest("g.json", "g.json");
	assert_manifest("./x/../g.json", "g.json");
	assert_int_equal(chdir(cwd), 0);
	free(cwd);
}

static void names_in_the_manifests_way_are_reserved(void **state)
{
	(void)state;
	assert_manifest(in_out(&t, "a/g.json"), "a/g.json");
	assert_non_null(pw_outdir_reserved(t.d, "a/g.json"));
	assert_non_null(pw_outdir_reserved(t.d, "a/g.json.part/x"));
	assert_non_null(pw_outdir_reserved(t.d, "a/g.json/x"));
	assert_non_null(pw_outdir_reserved(t.d, "a"));
	assert_null(pw_outdir_reserved(t.d, "a/g.jso"));
	assert_null(pw_outdir_reserved(t.d, "a/g"));
	assert_null(pw_outdir_reserved(t.d, "g.json"));
	assert_null(pw_outdir_reserved(t.d, "ab"));
	/* a part of it would be the manifest, or what is renamed to it */
	assert_manifest(in_out(&t, "g.3.part"), "g.3.part");
	assert_non_null(pw_outdir_reserved(t.d, "g"));
	assert_non_null(pw_outdir_reserved(t.d, "g.3"));
	assert_null(pw_outdir_reserved(t.d, "g.4"));
	assert_manifest(in_out(&t, "g.3"), "g.3");
	assert_non_null(pw_outdir_reserved(t.d, "g"));
	assert_manifest(in_out(&t, "d.part/g"), "d.part/g");
	assert_non_null(pw_outdir_reserved(t.d, "d"));
}

static void the_manifest_is_not_replaced_under_another_name(void **state)
{
	char path[160];
	struct pw_outfile *f;
	struct pw_outfile_id id;
	struct pw_err err = {0};

	(void)state;
	write_text(path_in(path, sizeof(path), t.top, "g.json"), "{}");
	assert_manifest(path, NULL);
	assert_int_equal(link(path, in_out(&t, "same")), 0);
	f = make_part(&t, "same", 5, 0);
	id = f->id;
	pw_outfile_close(f);
	assert_int_equal(pw_outdir_publish(t.d, "same", 0, &id, true, NULL, &err), -EEXIST);
	assert_non_null(strstr(err.msg, "gap manifest"));
	assert_text(path, "{}");
}

static void errors_of_one_file_are_told_from_those_of_all(void **state)
{
	static const int one[] = {ENOSPC, EDQUOT, EFBIG, EIO, EROFS, ELOOP, EEXIST, ESTALE, EISDIR,
		ENAMETOOLONG, EACCES};
	static const int all[] = {ENOMEM, EMFILE, ENFILE, EBADF, ENODEV};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(one) / sizeof(one[0]); i++)
		assert_true(pw_outdir_is_refusal(one[i]));
	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		assert_false(pw_outdir_is_refusal(all[i]));
}

#define test(f)                                                      \
	cmocka_unit_test_setup_teardown(f, setup_openat2, teardown), \
	{                                                            \
#f "_by_walking", f, setup_walk, teardown, NULL      \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(a_part_is_made_and_published),
		test(an_empty_file_has_no_mapping),
		test(no_symbolic_link_is_walked),
		test(a_link_in_the_parts_place_is_not_followed),
		test(parts_are_numbered),
		test(a_part_that_somebody_has_locked_is_left_alone),
		test(when_all_numbers_are_taken_it_is_refused),
		test(only_the_file_that_it_was_is_opened_again),
		test(publishing_replaces_only_by_force),
		test(a_directory_is_never_replaced),
		test(a_part_that_was_replaced_is_not_published),
		test(modes_and_times_are_set_within_bounds),
		test(what_is_there_is_told_apart),
		test(many_directories_are_synced),
		test(the_directory_is_locked),
		test(no_more_is_made_than_allowed),
		test(unsafe_names_are_refused),
		test(the_manifest_is_found_however_it_is_spelled),
		test(names_in_the_manifests_way_are_reserved),
		test(the_manifest_is_not_replaced_under_another_name),
		test(errors_of_one_file_are_told_from_those_of_all),
	};

	umask(022);
	return cmocka_run_group_tests_name("page_outdir", tests, NULL, NULL);
}
