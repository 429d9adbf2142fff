/* SPDX-License-Identifier: BSD-3-Clause */
#include "recv_dir.h"

static struct pw_recv_config config(bool resume)
{
	return (struct pw_recv_config){.out_dir = dir, .resume = resume};
}

static const char *manifest(void)
{
	return in_dir(dir, PW_GAPS_FILE);
}

/* A session in which the symbols that lose() names are lost. */
static int session(const struct pw_recv_config *cfg, uint64_t tsi, struct source *s, size_t n,
	bool (*lose)(const struct source *s, uint64_t index))
{
	struct pw_recv *r = recv_make(cfg);
	struct packets p = {0};
	struct pw_err err = {0};
	uint64_t i;
	size_t k;
	int ret;

	packets_add_fdt(&p, tsi, 0, s, n, true, n);
	for (k = 0; k < n; k++)
		for (i = 0; i < source_symbols(&s[k]); i++)
			if (!lose || !lose(&s[k], i))
				packets_add_symbol(&p, tsi, &s[k], i);
	push(r, &p);
	ret = pw_recv_finish(r, &err);
	if (ret < 0)
		fail_msg("%s", err.msg);
	pw_recv_destroy(r);
	packets_drop(&p);
	return ret;
}

static bool every_third(const struct source *s, uint64_t index)
{
	(void)s;
	return index % 3 == 1;
}

static bool all(const struct source *s, uint64_t index)
{
	(void)s;
	(void)index;
	return true;
}

static bool outside_the_gaps(const struct source *s, uint64_t index)
{
	uint64_t from = index * s->f.symbol_len, to = from + s->f.symbol_len;
	const struct pw_gap_file *f;
	struct pw_gaps g = {0};
	bool lose = true;
	size_t i;

	assert_int_equal(pw_gaps_load(manifest(), &g, NULL), 0);
	f = pw_gaps_find(&g, s->f.location);
	for (i = 0; f && i < f->n_missing; i++)
		if (f->missing[i].from < to && f->missing[i].to > from)
			lose = false;
	pw_gaps_finish(&g);
	return lose;
}

static void lost_symbols_are_ranges_in_the_manifest(void **state)
{
	struct source s = source_make(1, "r/a", 10001, 1000, PW_DIGEST_XXH3_128);
	struct pw_range want[] = {{1000, 2000}, {4000, 5000}, {7000, 8000}, {10000, 10001}};
	struct pw_recv_config cfg = config(false);
	struct pw_gaps g = {0};

	(void)state;
	assert_int_equal(session(&cfg, TSI, &s, 1, every_third), 1);
	assert_int_equal(pw_gaps_load(manifest(), &g, NULL), 0);
	assert_int_equal(g.tsi, TSI);
	assert_int_equal(g.n_files, 1);
	assert_string_equal(g.files[0].name, "r/a");
	assert_int_equal(g.files[0].len_bytes, 10001);
	assert_memory_equal(&g.files[0].digest, &s.f.digest, sizeof(s.f.digest));
	assert_int_equal(g.files[0].n_missing, 4);
	assert_memory_equal(g.files[0].missing, want, sizeof(want));
	pw_gaps_finish(&g);
	assert_false(is_there(in_dir(dir, "r/a")));
	assert_true(is_there(in_dir(dir, "r/a.part")));
	source_drop(&s);
}

static void the_repair_session_completes_the_file(void **state)
{
	struct source s = source_make(1, "a", 10001, 1000, PW_DIGEST_XXH3_128);
	struct pw_recv_config cfg = config(false);

	(void)state;
	assert_int_equal(session(&cfg, TSI, &s, 1, every_third), 1);
	cfg.resume = true;
	assert_int_equal(session(&cfg, TSI, &s, 1, outside_the_gaps), 0);
	assert_content(in_dir(dir, "a"), &s);
	assert_false(is_there(in_dir(dir, "a.part")));
	assert_false(is_there(manifest()));
	source_drop(&s);
}

/* A file with the same name and size but no digest may have other content. */
static void a_file_without_a_digest_does_not_end_a_saved_part(void **state)
{
	struct source s = source_make(1, "saved", 10001, 1000, PW_DIGEST_XXH3_128);
	struct source t = source_make(2, "saved", 10001, 1000, PW_DIGEST_NONE);
	struct pw_recv_config cfg = config(false);

	(void)state;
	assert_int_equal(session(&cfg, TSI, &s, 1, every_third), 1);
	assert_int_equal(session(&cfg, TSI + 1, &t, 1, NULL), 0);
	assert_content(in_dir(dir, "saved"), &t);
	assert_true(is_there(in_dir(dir, "saved.part")));
	cfg.resume = cfg.force = true;
	assert_int_equal(session(&cfg, TSI, &s, 1, outside_the_gaps), 0);
	assert_content(in_dir(dir, "saved"), &s);
	assert_false(is_there(manifest()));
	source_drop(&s);
	source_drop(&t);
}

/* Another symbol length, TOI, session and digest kind: only the bytes count. */
static void the_repair_session_may_be_cut_differently(void **state)
{
	static const uint32_t lens[] = {1, 333, 999, 1001, 4096, 20000};
	struct source s, t;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		struct pw_recv_config cfg = config(false);

		cfg.force = true;
		s = source_make(1, "cut", 10001, 1000, PW_DIGEST_XXH3_128);
		assert_int_equal(session(&cfg, TSI, &s, 1, every_third), 1);
		t = source_make(
			1, "cut", 10001, lens[i], i % 2 ? PW_DIGEST_SHA256 : PW_DIGEST_XXH3_128);
		t.f.toi = 77;
		cfg.resume = true;
		assert_int_equal(session(&cfg, TSI + 1, &t, 1, outside_the_gaps), 0);
		assert_content(in_dir(dir, "cut"), &s);
		assert_false(is_there(manifest()));
		source_drop(&s);
		source_drop(&t);
	}
}

/* A resumed session's own losses are counted by what it had to bring. */
static void a_second_loss_leaves_a_smaller_manifest(void **state)
{
	struct source s = source_make(1, "twice", 9000, 1000, PW_DIGEST_XXH3_128);
	struct pw_recv_config cfg = config(false);
	struct pw_recv *r;
	struct packets p = {0};
	struct pw_recv_status st;
	struct pw_gaps g = {0};

	(void)state;
	assert_int_equal(session(&cfg, TSI, &s, 1, every_third), 1);
	cfg.resume = true;
	r = recv_make(&cfg);
	packets_add_fdt(&p, TSI, 0, &s, 1, true, 1);
	push(r, &p);
	pw_recv_status(r, &st);
	assert_int_equal(st.bytes_have, 6000);
	assert_int_equal(st.symbols_expected, 0);
	assert_state(r, 0, PW_RECV_PARTIAL);
	packets_drop(&p);
	packets_add_symbol(&p, TSI, &s, 0);
	packets_add_symbol(&p, TSI, &s, 7);
	push(r, &p);
	pw_recv_status(r, &st);
	assert_int_equal(st.bytes_have, 7000);
	assert_int_equal(st.symbols_expected, 3);
	assert_int_equal(st.symbols_seen, 1);
	assert_int_equal(counters(r).duplicates, 1);
	assert_int_equal(pw_recv_finish(r, NULL), 1);
	pw_recv_destroy(r);
	assert_int_equal(pw_gaps_load(manifest(), &g, NULL), 0);
	assert_int_equal(g.files[0].n_missing, 2);
	assert_int_equal(g.files[0].missing[1].from, 4000);
	assert_int_equal(g.files[0].missing[1].to, 5000);
	pw_gaps_finish(&g);
	packets_drop(&p);
	source_drop(&s);
}

static void a_file_without_any_symbol_is_wholly_missing(void **state)
{
	struct source s[2] = {source_make(1, "none", 5000, 1000, PW_DIGEST_XXH3_128),
		source_make(2, "full", 5000, 1000, PW_DIGEST_XXH3_128)};
	struct pw_recv_config cfg = config(false);
	struct packets p = {0};
	struct pw_recv *r = recv_make(&cfg);
	struct pw_gaps g = {0};

	(void)state;
	packets_add_fdt(&p, TSI, 0, s, 2, true, 2);
	packets_add_file(&p, TSI, &s[1]);
	push(r, &p);
	assert_int_equal(pw_recv_finish(r, NULL), 1);
	pw_recv_destroy(r);
	assert_int_equal(pw_gaps_load(manifest(), &g, NULL), 0);
	assert_int_equal(g.n_files, 1);
	assert_string_equal(g.files[0].name, "none");
	assert_int_equal(g.files[0].n_missing, 1);
	assert_int_equal(g.files[0].missing[0].to, 5000);
	pw_gaps_finish(&g);
	assert_false(is_there(in_dir(dir, "none.part")));
	cfg.resume = true;
	assert_int_equal(session(&cfg, TSI, s, 2, outside_the_gaps), 0);
	assert_content(in_dir(dir, "none"), &s[0]);
	assert_content(in_dir(dir, "full"), &s[1]);
	packets_drop(&p);
	source_drop(&s[0]);
	source_drop(&s[1]);
}

/* Complete files of the first session are named by the second one again, and verified in place. */
static void files_complete_earlier_count_as_good(void **state)
{
	struct source s[2] = {source_make(1, "one", 5000, 1000, PW_DIGEST_XXH3_128),
		source_make(2, "two", 5000, 1000, PW_DIGEST_XXH3_128)};
	struct pw_recv_config cfg = config(false);
	struct pw_recv *r;
	struct packets p = {0};
	struct stat before, after;

	(void)state;
	packets_add_fdt(&p, TSI, 0, s, 2, true, 2);
	packets_add_file(&p, TSI, &s[0]);
	packets_add_symbol(&p, TSI, &s[1], 0);
	r = recv_make(&cfg);
	push(r, &p);
	assert_int_equal(pw_recv_finish(r, NULL), 1);
	pw_recv_destroy(r);
	stat(in_dir(dir, "one"), &before);
	cfg.resume = true;
	r = recv_make(&cfg);
	push(r, &p);
	settle(r);
	assert_state(r, 0, PW_RECV_COMPLETE);
	assert_state(r, 1, PW_RECV_PARTIAL);
	assert_int_equal(file_info(r, 0).have_bytes, 5000);
	assert_int_equal(pw_recv_finish(r, NULL), 1);
	pw_recv_destroy(r);
	stat(in_dir(dir, "one"), &after);
	assert_int_equal(before.st_ino, after.st_ino);
	packets_drop(&p);
	source_drop(&s[0]);
	source_drop(&s[1]);
}

static void a_different_file_under_the_name_is_not_taken_for_ours(void **state)
{
	struct source s = source_make(1, "same", 5000, 1000, PW_DIGEST_XXH3_128);
	struct source other = source_make(2, "same", 5000, 1000, PW_DIGEST_XXH3_128);
	struct pw_recv_config cfg = config(false);
	struct pw_recv *r;
	struct packets p = {0};

	(void)state;
	assert_int_equal(session(&cfg, TSI, &other, 1, NULL), 0);
	write_text(manifest(), "{\"schema\": \"pagewire.gaps/1\", \"tsi\": 7, \"files\": []}");
	cfg.resume = true;
	r = recv_make(&cfg);
	packets_add_fdt(&p, TSI, 0, &s, 1, true, 1);
	push(r, &p);
	settle(r);
	assert_state(r, 0, PW_RECV_REFUSED);
	assert_non_null(strstr(file_info(r, 0).reason, "--force"));
	assert_int_equal(pw_recv_finish(r, NULL), 1);
	pw_recv_destroy(r);
	assert_content(in_dir(dir, "same"), &other);
	cfg.force = true;
	r = recv_make(&cfg);
	push(r, &p);
	settle(r);
	assert_state(r, 0, PW_RECV_KNOWN);
	packets_drop(&p);
	packets_add_file(&p, TSI, &s);
	push(r, &p);
	assert_int_equal(pw_recv_finish(r, NULL), 0);
	pw_recv_destroy(r);
	assert_content(in_dir(dir, "same"), &s);
	packets_drop(&p);
	source_drop(&s);
	source_drop(&other);
}

/* An entry of the manifest holds only for the content that it was written about. */
static void a_changed_file_is_received_anew(void **state)
{
	struct source s = source_make(1, "new", 6000, 1000, PW_DIGEST_XXH3_128);
	struct source changed = source_make(2, "new", 6000, 1000, PW_DIGEST_XXH3_128);
	struct source longer = source_make(3, "new", 7000, 1000, PW_DIGEST_XXH3_128);
	struct pw_recv_config cfg = config(false);

	(void)state;
	assert_int_equal(session(&cfg, TSI, &s, 1, every_third), 1);
	cfg.resume = true;
	assert_int_equal(session(&cfg, TSI, &changed, 1, every_third), 1);
	assert_int_equal(session(&cfg, TSI, &longer, 1, every_third), 1);
	assert_int_equal(truncate(in_dir(dir, "new.1.part"), 6999), 0);
	assert_int_equal(session(&cfg, TSI, &longer, 1, NULL), 0);
	assert_content(in_dir(dir, "new"), &longer);
	assert_false(is_there(in_dir(dir, "new.part")));
	assert_false(is_there(in_dir(dir, "new.1.part")));
	source_drop(&s);
	source_drop(&changed);
	source_drop(&longer);
}

/* Another sender announces other content under the name, with or without --resume. */
static void a_foreign_announcement_does_not_destroy_a_saved_part(void **state)
{
	struct source s = source_make(1, "saved", 9000, 1000, PW_DIGEST_XXH3_128);
	struct source foreign[2] = {source_make(2, "saved", 9000, 1000, PW_DIGEST_XXH3_128),
		source_make(2, "saved", 4000, 1000, PW_DIGEST_NONE)};
	struct pw_recv_config cfg = config(false);
	struct pw_gaps g = {0};
	unsigned int i;

	(void)state;
	assert_int_equal(session(&cfg, TSI, &s, 1, every_third), 1);
	for (i = 0; i < 4; i++) {
		cfg.resume = i % 2;
		assert_int_equal(session(&cfg, TSI + 1, &foreign[i / 2], 1, every_third), 1);
		assert_int_equal(pw_gaps_load(manifest(), &g, NULL), 0);
		assert_int_equal(g.n_files, 1);
		assert_int_equal(g.files[0].part, 0);
		assert_memory_equal(&g.files[0].digest, &s.f.digest, sizeof(s.f.digest));
		assert_int_equal(g.files[0].n_missing, 3);
		pw_gaps_finish(&g);
	}
	cfg.resume = true;
	assert_int_equal(session(&cfg, TSI, &s, 1, outside_the_gaps), 0);
	assert_content(in_dir(dir, "saved"), &s);
	assert_false(is_there(manifest()));
	source_drop(&s);
	source_drop(&foreign[0]);
	source_drop(&foreign[1]);
}

/* Killed after it had renamed the file and before it wrote the manifest. */
static void a_killed_resume_can_be_resumed(void **state)
{
	struct source s[2] = {source_make(1, "k/a", 9000, 1000, PW_DIGEST_XXH3_128),
		source_make(2, "k/b", 9000, 1000, PW_DIGEST_XXH3_128)};
	struct pw_recv_config cfg = config(false);

	(void)state;
	assert_int_equal(session(&cfg, TSI, s, 2, every_third), 1);
	assert_int_equal(link(manifest(), in_dir(dir, "copy")), 0);
	cfg.resume = true;
	assert_int_equal(session(&cfg, TSI, s, 1, outside_the_gaps), 1); /* only k/a */
	assert_content(in_dir(dir, "k/a"), &s[0]);
	unlink(manifest());
	assert_int_equal(rename(in_dir(dir, "copy"), manifest()), 0);
	assert_int_equal(session(&cfg, TSI, s, 2, outside_the_gaps), 0);
	assert_content(in_dir(dir, "k/a"), &s[0]);
	assert_content(in_dir(dir, "k/b"), &s[1]);
	assert_false(is_there(manifest()));
	source_drop(&s[0]);
	source_drop(&s[1]);
}

static void a_part_that_lacks_nothing_is_finished_at_once(void **state)
{
	struct source s = source_make(1, "whole", 6000, 1000, PW_DIGEST_XXH3_128);
	struct pw_recv_config cfg = config(true);
	FILE *f = fopen(in_dir(dir, "whole.part"), "we");

	(void)state;
	assert_int_equal(fwrite(s.data, 1, 6000, f), 6000);
	fclose(f);
	write_text(manifest(), "{\"schema\": \"pagewire.gaps/1\", \"tsi\": 7, \"files\": ["
			       "{\"name\": \"whole\", \"bytes\": 6000, \"missing\": []}]}");
	assert_int_equal(session(&cfg, TSI, &s, 1, all), 0);
	assert_content(in_dir(dir, "whole"), &s);
	assert_false(is_there(manifest()));
	source_drop(&s);
}

static void files_that_no_table_names_keep_their_entry(void **state)
{
	struct source s = source_make(1, "seen", 6000, 1000, PW_DIGEST_XXH3_128);
	struct source u = source_make(2, "unseen", 6000, 1000, PW_DIGEST_XXH3_128);
	struct pw_recv_config cfg = config(false);
	struct pw_gaps g = {0};
	int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		cfg.resume = i == 1;
		cfg.force = true;
		assert_int_equal(session(&cfg, TSI, &u, 1, every_third), 1);
		/* Only to resume means to want all that the manifest lists. */
		assert_int_equal(session(&cfg, TSI, &s, 1, NULL), i);
		assert_int_equal(pw_gaps_load(manifest(), &g, NULL), 0);
		assert_int_equal(g.n_files, 1);
		assert_string_equal(g.files[0].name, "unseen");
		assert_int_equal(g.files[0].n_missing, 2);
		pw_gaps_finish(&g);
	}
	/* Named again, but no symbol: the entry stays right. */
	assert_int_equal(session(&cfg, TSI, &u, 1, all), 1);
	assert_int_equal(pw_gaps_load(manifest(), &g, NULL), 0);
	assert_int_equal(g.files[0].n_missing, 2);
	pw_gaps_finish(&g);
	assert_int_equal(session(&cfg, TSI, &u, 1, outside_the_gaps), 0);
	assert_content(in_dir(dir, "unseen"), &u);
	assert_false(is_there(manifest()));
	source_drop(&s);
	source_drop(&u);
}

static void the_manifest_may_lie_elsewhere(void **state)
{
	struct source s[2] = {source_make(1, "sub/my-gaps.json", 6000, 1000, PW_DIGEST_XXH3_128),
		source_make(2, "b", 6000, 1000, PW_DIGEST_XXH3_128)};
	struct pw_recv_config cfg = config(false);
	struct pw_recv *r;
	struct packets p = {0};
	char path[128];

	(void)state;
	mkdir(in_dir(dir, "sub"), 0755);
	snprintf(path, sizeof(path), "%s/sub/my-gaps.json", dir);
	cfg.gaps_path = path;
	r = recv_make(&cfg);
	packets_add_fdt(&p, TSI, 0, s, 2, true, 2);
	push(r, &p);
	/* A received file must not take its place. */
	assert_state(r, 0, PW_RECV_REFUSED);
	assert_int_equal(pw_recv_finish(r, NULL), 1);
	assert_string_equal(pw_recv_gaps_written(r), path);
	pw_recv_destroy(r);
	assert_true(is_there(path));
	assert_false(is_there(manifest()));
	packets_drop(&p);
	source_drop(&s[0]);
	source_drop(&s[1]);
}

/* After a run that missed nothing there is none: the same command works again. One that was named must be
 * there, and what is no manifest is refused. */
static void resuming_needs_the_manifest_that_was_named(void **state)
{
	struct pw_recv_config cfg = config(true);
	struct pw_err err = {0};
	struct pw_recv *r;

	(void)state;
	assert_int_equal(pw_recv_create(&r, &cfg, NULL, &err), 0);
	pw_recv_destroy(r);
	cfg.gaps_path = manifest();
	assert_int_equal(pw_recv_create(&r, &cfg, NULL, &err), -ENOENT);
	assert_non_null(strstr(err.msg, PW_GAPS_FILE));
	write_text(manifest(), "no JSON");
	assert_int_equal(pw_recv_create(&r, &cfg, NULL, &err), -EBADMSG);
	assert_null(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(lost_symbols_are_ranges_in_the_manifest),
		test(the_repair_session_completes_the_file),
		test(a_file_without_a_digest_does_not_end_a_saved_part),
		test(the_repair_session_may_be_cut_differently),
		test(a_second_loss_leaves_a_smaller_manifest),
		test(a_file_without_any_symbol_is_wholly_missing),
		test(files_complete_earlier_count_as_good),
		test(a_different_file_under_the_name_is_not_taken_for_ours),
		test(a_changed_file_is_received_anew),
		test(a_foreign_announcement_does_not_destroy_a_saved_part),
		test(a_killed_resume_can_be_resumed),
		test(a_part_that_lacks_nothing_is_finished_at_once),
		test(files_that_no_table_names_keep_their_entry),
		test(the_manifest_may_lie_elsewhere),
		test(resuming_needs_the_manifest_that_was_named),
	};

	return cmocka_run_group_tests_name("recv_resume", tests, NULL, NULL);
}
