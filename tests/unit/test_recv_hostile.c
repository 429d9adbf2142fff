/* SPDX-License-Identifier: BSD-3-Clause */
#include "recv_util.h"

static char top[64]; /* out_dir is below: what escapes from it shows here */
static char dir[80];

static struct pw_recv_config config(void)
{
	return (struct pw_recv_config){.out_dir = dir};
}

static int count_one(const char *path, const struct stat *st, int kind, struct FTW *ftw);
static size_t n_outside;

static int count_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	n_outside += strncmp(path, dir, strlen(dir)) != 0;
	return 0;
}

/* Files and directories below top that are not in out_dir; `top` itself is one. */
static size_t outside(void)
{
	n_outside = 0;
	nftw(top, count_one, 16, FTW_PHYS);
	return n_outside;
}

/* A receiver that was given s[n] in a table and all their symbols. */
static struct pw_recv *received(const struct pw_recv_config *cfg, const struct source *s, size_t n)
{
	struct pw_recv *r = recv_make(cfg);
	struct packets p = {0};
	size_t i;

	packets_add_fdt(&p, TSI, 0, s, n, true, n);
	for (i = 0; i < n; i++)
		packets_add_file(&p, TSI, &s[i]);
	push(r, &p);
	packets_drop(&p);
	settle(r);
	return r;
}

static void truncated_packets_are_counted(void **state)
{
	struct source s = source_make(1, "t", 3000, 1000, PW_DIGEST_XXH3_128);
	struct pw_recv_config cfg = config();
	struct pw_recv *r = recv_make(&cfg);
	struct packets p = {0}, cut = {0};
	struct pw_recv_counters c;
	struct pw_rx_view v;
	uint32_t len;
	uint8_t *copy;
	size_t i;

	(void)state;
	packets_add_fdt(&cut, TSI, 0, &s, 1, true, 1);
	packets_add_symbol(&cut, TSI, &s, 0);
	packets_add_fdt(&p, TSI, 1, &s, 1, true, 1);
	push(r, &p);
	for (i = 0; i < cut.n; i++)
		for (len = 0; len < cut.v[i].len; len++) {
			/* At the end of its own allocation, for ASan to watch over. */
			copy = malloc(len ? len : 1);
			memcpy(copy, cut.v[i].data, len);
			v = (struct pw_rx_view){.data = copy, .len = len};
			pw_recv_burst(r, &v, 1);
			free(copy);
		}
	pw_recv_settle(r);
	c = counters(r);
	assert_true(c.malformed >= 2 * 12);
	assert_true(c.alc_verdicts[PW_ALC_SHORT] + c.alc_verdicts[PW_ALC_HDR_LEN] > 0);
	assert_true(c.out_of_object >= 999);
	assert_int_equal(c.payload_bytes, 0);
	assert_int_equal(file_info(r, 0).have_bytes, 0);
	pw_recv_destroy(r);
	packets_drop(&p);
	packets_drop(&cut);
	source_drop(&s);
}

static void mutated_packets_do_no_harm(void **state)
{
	struct source s = source_make(1, "x/mutant", 30000, 1000, PW_DIGEST_XXH3_128);
	struct pw_recv_config cfg = config();
	struct pw_recv *r;
	struct packets p = {0};
	uint64_t seed = 42;
	size_t i, round, at;

	(void)state;
	packets_add_fdt(&p, TSI, 0, &s, 1, true, 1);
	packets_add_file(&p, TSI, &s);
	cfg.force = true;
	cfg.max_file_bytes = 1u << 20;
	for (round = 0; round < 300; round++) {
		r = recv_make(&cfg);
		for (i = 0; i < p.n; i++) {
			uint8_t *copy = malloc(p.v[i].len);
			struct pw_rx_view v = {.data = copy, .len = p.v[i].len};

			memcpy(copy, p.v[i].data, v.len);
			at = next_random(&seed) % (round % 2 ? 36 : v.len);
			if (at < v.len && i % 3)
				copy[at] = (uint8_t)next_random(&seed);
			pw_recv_burst(r, &v, 1);
			free(copy);
		}
		assert_int_equal(counters(r).packets, p.n);
		pw_recv_destroy(r);
	}
	assert_int_equal(outside(), 1);
	packets_drop(&p);
	source_drop(&s);
}

static void symbols_beyond_the_file_are_not_placed(void **state)
{
	static const struct {
		uint16_t sbn, esi;
		uint32_t len;
	} lies[] = {{0, 4, 1000}, {1, 3, 1000}, {1, 2, 999}, {1, 2, 499}, {1, 2, 501}, {2, 0, 1000},
		{65535, 65535, 1000}, {0, 65535, 1000}, {65535, 0, 1}, {0, 0, 999}, {0, 0, 1001},
		{0, 0, 1}, {0, 0, 60000}, {0, 3, 2000}, {0, 4, 2000}, {1, 1, 1999}};
	struct source s = source_make(1, "beyond", 6500, 1000, PW_DIGEST_XXH3_128);
	struct pw_alc_hdr hdr = {.tsi = TSI, .toi = 1};
	struct pw_recv_config cfg = config();
	struct pw_recv *r = recv_make(&cfg);
	struct packets p = {0};
	uint8_t *junk = calloc(1, 60000);
	size_t i;

	(void)state;
	s.f.max_sbl = 5; /* two blocks: 4 and 3 symbols */
	packets_add_fdt(&p, TSI, 0, &s, 1, true, 1);
	packets_add_symbol(&p, TSI, &s, 0);
	for (i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		hdr.sbn = lies[i].sbn;
		hdr.esi = lies[i].esi;
		packets_add(&p, &hdr, false, junk, lies[i].len);
	}
	push(r, &p);
	assert_int_equal(counters(r).out_of_object, sizeof(lies) / sizeof(lies[0]));
	assert_int_equal(counters(r).payload_bytes, 1000);
	pw_recv_destroy(r);
	free(junk);
	packets_drop(&p);
	source_drop(&s);
}

static void lengths_that_cannot_be_are_refused(void **state)
{
	static const struct {
		uint64_t len;
		uint32_t symbol_len, max_sbl;
	} lies[] = {{1ull << 48, 1440, 64}, {INT64_MAX, 65535, 65535}, {UINT64_MAX, 1440, 64},
		{(1ull << 48) - 1, 65535, 65535}, {1000, 0, 64}, {1000, 65536, 64}, {1000, 100, 0},
		{1ull << 40, 1, 64}, {1000, UINT32_MAX, 64}};
	struct source s = source_make(1, "len", 1000, 1000, PW_DIGEST_XXH3_128);
	struct pw_recv_config cfg = config();
	struct packets p = {0};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		struct pw_recv *r = recv_make(&cfg);
		char xml[1024];

		snprintf(xml, sizeof(xml),
			"<FDT-Instance xmlns=\"urn:IETF:metadata:2005:FLUTE:FDT\" "
			"Expires=\"4000000000\">"
			"<File TOI=\"1\" Content-Location=\"len%zu\" Content-Length=\"%llu\" "
			"Transfer-Length=\"%llu\" FEC-OTI-FEC-Encoding-ID=\"0\" "
			"FEC-OTI-Encoding-Symbol-Length=\"%u\" "
			"FEC-OTI-Maximum-Source-Block-Length=\"%u\"/></FDT-Instance>",
			i, (unsigned long long)lies[i].len, (unsigned long long)lies[i].len,
			lies[i].symbol_len, lies[i].max_sbl);
		packets_add_text(&p, TSI, 0, xml, strlen(xml));
		packets_add_file(&p, TSI, &s);
		push(r, &p);
		if (pw_recv_n_files(r)) {
			assert_state(r, 0, PW_RECV_REFUSED);
			assert_non_null(file_info(r, 0).reason);
		} else {
			assert_int_equal(counters(r).fdt_bad, 1);
		}
		assert_int_equal(pw_recv_finish(r, NULL), 1);
		pw_recv_destroy(r);
		packets_drop(&p);
	}
	source_drop(&s);
}

static void what_we_cannot_undo_is_refused(void **state)
{
	struct source s[3] = {source_make(1, "enc", 1000, 1000, PW_DIGEST_NONE),
		source_make(2, "fec", 1000, 1000, PW_DIGEST_NONE),
		source_make(3, "content", 1000, 1000, PW_DIGEST_NONE)};
	struct pw_recv_config cfg = config();
	static const char xml[] =
		"<FDT-Instance xmlns=\"urn:IETF:metadata:2005:FLUTE:FDT\" Expires=\"4000000000\" "
		"FEC-OTI-FEC-Encoding-ID=\"0\" FEC-OTI-Encoding-Symbol-Length=\"1000\" "
		"FEC-OTI-Maximum-Source-Block-Length=\"64\">"
		"<File TOI=\"1\" Content-Location=\"enc\" Content-Length=\"1000\" "
		"Transfer-Length=\"1000\" Content-Encoding=\"gzip\"/>"
		"<File TOI=\"2\" Content-Location=\"fec\" Content-Length=\"1000\" "
		"Transfer-Length=\"1000\" FEC-OTI-FEC-Encoding-ID=\"1\"/>"
		"<File TOI=\"3\" Content-Location=\"content\" Content-Length=\"5000\" "
		"Transfer-Length=\"1000\"/></FDT-Instance>";
	struct pw_recv *r = recv_make(&cfg);
	struct packets p = {0};
	size_t i;

	(void)state;
	packets_add_text(&p, TSI, 0, xml, strlen(xml));
	for (i = 0; i < 3; i++)
		packets_add_file(&p, TSI, &s[i]);
	push(r, &p);
	assert_int_equal(pw_recv_n_files(r), 3);
	for (i = 0; i < 3; i++) {
		assert_state(r, i, PW_RECV_REFUSED);
		assert_false(is_there(in_dir(dir, s[i].f.location)));
		source_drop(&s[i]);
	}
	assert_int_equal(counters(r).finished_toi, 3);
	pw_recv_destroy(r);
	packets_drop(&p);
}

static void names_cannot_leave_the_directory(void **state)
{
	static const char *const names[] = {"../escape", "../../etc/passwd", "/etc/passwd-pw",
		"/tmp/pagewire-escape", "a/../../escape", "a/..", "..", ".", "./a", "a/./b", "a//b",
		"a/", "/", "//a", "x\ny", "x\tz", "esc\302\23331m", "del\x7f", "a.part",
		"dir/b.part", PW_GAPS_FILE};
	enum { N = sizeof(names) / sizeof(names[0]) };
	struct source s[N + 2];
	struct pw_recv_config cfg = config();
	struct pw_recv *r;
	char component[252], name[400];
	size_t i, j;

	(void)state;
	for (i = 0; i < N; i++)
		s[i] = source_make(i + 1, names[i], 1500, 1000, PW_DIGEST_XXH3_128);
	memset(component, 'c', 251);
	component[251] = '\0';
	snprintf(name, sizeof(name), "d/%s", component);
	s[N] = source_make(N + 1, name, 1500, 1000, PW_DIGEST_XXH3_128);
	component[250] = '\0';
	snprintf(name, sizeof(name), "d/%s", component);
	s[N + 1] = source_make(N + 2, name, 1500, 1000, PW_DIGEST_XXH3_128);
	cfg.force = true;
	r = received(&cfg, s, N + 2);
	assert_int_equal(pw_recv_n_files(r), N + 2);
	for (i = 0; i <= N; i++) {
		struct pw_recv_file_info info = file_info(r, i);

		assert_state(r, i, PW_RECV_REFUSED);
		assert_non_null(info.reason);
		for (j = 0; info.name[j]; j++)
			assert_true((unsigned char)info.name[j] >= 0x20 && info.name[j] != 0x7f &&
				    (unsigned char)info.name[j] != 0x9b);
	}
	assert_state(r, N + 1, PW_RECV_COMPLETE);
	assert_content(in_dir(dir, name), &s[N + 1]);
	assert_int_equal(outside(), 1);
	assert_false(is_there("/etc/passwd-pw"));
	assert_false(is_there("/tmp/pagewire-escape"));
	pw_recv_destroy(r);
	for (i = 0; i < N + 2; i++)
		source_drop(&s[i]);
}

static void symbolic_links_in_the_directory_are_not_followed(void **state)
{
	static const char *const names[] = {
		"link/file", "sub/uplink/file", "part-link", "target-link", "hard"};
	enum { N = sizeof(names) / sizeof(names[0]) };
	struct source s[N];
	struct pw_recv_config cfg = config();
	struct pw_recv *r;
	struct stat st;
	size_t i;

	(void)state;
	mkdir(in_dir(top, "elsewhere"), 0755);
	write_text(in_dir(top, "victim"), "mine");
	mkdir(in_dir(dir, "sub"), 0755);
	assert_int_equal(symlink("../elsewhere", in_dir(dir, "link")), 0);
	assert_int_equal(symlink(in_dir(top, "elsewhere"), in_dir(dir, "sub/uplink")), 0);
	assert_int_equal(symlink("../victim", in_dir(dir, "part-link.part")), 0);
	assert_int_equal(symlink("../victim", in_dir(dir, "target-link")), 0);
	assert_int_equal(link(in_dir(top, "victim"), in_dir(dir, "hard.part")), 0);
	for (i = 0; i < N; i++)
		s[i] = source_make(i + 1, names[i], 1500, 1000, PW_DIGEST_XXH3_128);
	r = received(&cfg, s, N);
	assert_state(r, 0, PW_RECV_REFUSED);
	assert_state(r, 1, PW_RECV_REFUSED);
	assert_non_null(strstr(file_info(r, 1).reason, "symbolic link"));
	assert_state(r, 2, PW_RECV_COMPLETE);
	assert_state(r, 3, PW_RECV_REFUSED);
	assert_state(r, 4, PW_RECV_COMPLETE);
	pw_recv_destroy(r);
	cfg.force = true;
	r = received(&cfg, s, N);
	assert_state(r, 0, PW_RECV_REFUSED);
	assert_state(r, 1, PW_RECV_REFUSED);
	for (i = 2; i < N; i++) {
		assert_state(r, i, PW_RECV_COMPLETE);
		assert_int_equal(lstat(in_dir(dir, names[i]), &st), 0);
		assert_true(S_ISREG(st.st_mode));
		assert_content(in_dir(dir, names[i]), &s[i]);
	}
	pw_recv_destroy(r);
	assert_int_equal(stat(in_dir(top, "victim"), &st), 0);
	assert_int_equal(st.st_size, 4);
	assert_int_equal(outside(), 3);
	for (i = 0; i < N; i++)
		source_drop(&s[i]);
}

static void files_and_directories_of_one_name_do_not_mix(void **state)
{
	struct source s[5] = {source_make(1, "a", 1500, 1000, PW_DIGEST_XXH3_128),
		source_make(2, "a.part/x", 1500, 1000, PW_DIGEST_XXH3_128),
		source_make(3, "d", 1500, 1000, PW_DIGEST_XXH3_128),
		source_make(4, "f/x", 1500, 1000, PW_DIGEST_XXH3_128),
		source_make(5, "a", 1500, 1000, PW_DIGEST_XXH3_128)};
	struct pw_recv_config cfg = config();
	struct pw_recv *r;
	size_t i;

	(void)state;
	mkdir(in_dir(dir, "d"), 0755);
	write_text(in_dir(dir, "f"), "a file");
	cfg.force = true;
	r = received(&cfg, s, 5);
	assert_state(r, 0, PW_RECV_SUPERSEDED); /* the newest stands */
	assert_non_null(strstr(file_info(r, 0).reason, "its name"));
	assert_state(r, 2, PW_RECV_REFUSED);
	assert_state(r, 3, PW_RECV_REFUSED);
	assert_state(r, 4, PW_RECV_COMPLETE);
	assert_content(in_dir(dir, "a"), &s[4]);
	pw_recv_destroy(r);
	for (i = 0; i < 5; i++)
		source_drop(&s[i]);
}

static void limits_on_size_and_number_hold(void **state)
{
	struct source s[3] = {source_make(1, "big", 5000, 1000, PW_DIGEST_XXH3_128),
		source_make(2, "ok", 4000, 1000, PW_DIGEST_XXH3_128),
		source_make(3, "third", 100, 1000, PW_DIGEST_XXH3_128)};
	struct pw_recv_config cfg = config();
	struct pw_recv *r;
	size_t i;

	(void)state;
	cfg.max_file_bytes = 4999;
	cfg.max_files = 2;
	r = received(&cfg, s, 3);
	assert_int_equal(pw_recv_n_files(r), 2);
	assert_state(r, 0, PW_RECV_REFUSED);
	assert_non_null(strstr(file_info(r, 0).reason, "--max-size"));
	assert_state(r, 1, PW_RECV_COMPLETE);
	assert_int_equal(counters(r).fdt_bad, 1);
	assert_int_equal(pw_recv_finish(r, NULL), 1);
	assert_int_equal(counters(r).unknown_toi, 1);
	pw_recv_destroy(r);
	for (i = 0; i < 3; i++)
		source_drop(&s[i]);
}

/* All under one name: what is done for a name is done for few announcements, and not for each pair. */
static void one_name_has_few_contents(void **state)
{
	enum { N = 20000 };
	struct source *s = calloc(N, sizeof(*s));
	struct pw_recv_config cfg = config();
	struct pw_recv *r = recv_make(&cfg);
	struct packets p = {0};
	size_t i;

	(void)state;
	assert_non_null(s);
	s[0] = source_make(1, "one", 1000, 1000, PW_DIGEST_XXH3_128);
	for (i = 1; i < N; i++) {
		s[i] = s[0];
		s[i].f.toi += i;
		s[i].f.content_len = s[i].f.transfer_len += i;
	}
	packets_add_fdt(&p, TSI, 0, s, N, true, N);
	push(r, &p);
	assert_int_equal(pw_recv_n_files(r), 9);
	assert_state(r, 8, PW_RECV_REFUSED);
	/* The first one is announced again: it stands. */
	packets_drop(&p);
	packets_add_fdt(&p, TSI, 1, s, 1, true, N);
	push(r, &p);
	packets_add_file(&p, TSI, &s[0]);
	push(r, &p);
	assert_state(r, 0, PW_RECV_COMPLETE);
	assert_int_equal(pw_recv_finish(r, NULL), 1);
	pw_recv_destroy(r);
	packets_drop(&p);
	source_drop(&s[0]);
	free(s);
}

static int setup(void **state)
{
	(void)state;
	dir_make(top, sizeof(top));
	snprintf(dir, sizeof(dir), "%s/out", top);
	return mkdir(dir, 0755);
}

static int teardown(void **state)
{
	(void)state;
	dir_drop(top);
	return 0;
}

#define test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(truncated_packets_are_counted),
		test(mutated_packets_do_no_harm),
		test(symbols_beyond_the_file_are_not_placed),
		test(lengths_that_cannot_be_are_refused),
		test(what_we_cannot_undo_is_refused),
		test(names_cannot_leave_the_directory),
		test(symbolic_links_in_the_directory_are_not_followed),
		test(files_and_directories_of_one_name_do_not_mix),
		test(limits_on_size_and_number_hold),
		test(one_name_has_few_contents),
	};

	return cmocka_run_group_tests_name("recv_hostile", tests, NULL, NULL);
}
