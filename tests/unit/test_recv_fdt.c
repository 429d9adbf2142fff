/* SPDX-License-Identifier: BSD-3-Clause */
/* Hostile file delivery tables, and how much memory they can take. */
#include <malloc.h>

#include "recv_dir.h"

static struct pw_recv_config config(void)
{
	return (struct pw_recv_config){.out_dir = dir};
}

static uint64_t rss_bytes(void)
{
	unsigned long long size, rss = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%llu %llu", &size, &rss), 2);
	fclose(f);
	return rss * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Sanitizers hold freed memory back, and shadow it. */
static void assert_growth(uint64_t before, unsigned int limit_mib)
{
	uint64_t now = rss_bytes();

	(void)limit_mib;

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	if (now > before + ((uint64_t)limit_mib << 20))
		fail_msg("grew by %llu MiB", (unsigned long long)((now - before) >> 20));
#endif
	print_message("# %lld MiB\n", (long long)(now - before) >> 20);
}

#define INSTANCE "<FDT-Instance xmlns=\"urn:IETF:metadata:2005:FLUTE:FDT\" Expires=\"4000000000\""
#define OTI                                                                       \
	" FEC-OTI-FEC-Encoding-ID=\"0\" FEC-OTI-Encoding-Symbol-Length=\"1440\" " \
	"FEC-OTI-Maximum-Source-Block-Length=\"4096\">"

static void bombs_and_entities_are_bad_tables(void **state)
{
	static const char *const texts[] = {
		"<?xml version=\"1.0\"?><!DOCTYPE b [<!ENTITY a \"aaaaaaaaaaaaaaaa\">"
		"<!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\"><!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;\">"
		"<!ENTITY d \"&c;&c;&c;&c;&c;&c;&c;&c;\"><!ENTITY e \"&d;&d;&d;&d;&d;&d;&d;&d;\">"
		"<!ENTITY f \"&e;&e;&e;&e;&e;&e;&e;&e;\"><!ENTITY g "
		"\"&f;&f;&f;&f;&f;&f;&f;&f;\">]>" INSTANCE OTI
		"<File TOI=\"1\" Content-Location=\"&g;\" Content-Length=\"1\" "
		"Transfer-Length=\"1\"/></FDT-Instance>",
		"<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]>" INSTANCE OTI
		"<File TOI=\"1\" Content-Location=\"&e;\" Content-Length=\"1\" "
		"Transfer-Length=\"1\"/></FDT-Instance>",
		"<!DOCTYPE x SYSTEM \"http://127.0.0.1:1/x.dtd\"><a/>", "<a>", "no XML", "<a/>"};
	enum { N = sizeof(texts) / sizeof(texts[0]) };
	struct pw_recv_config cfg = config();
	struct pw_recv *r = recv_make(&cfg);
	struct packets p = {0};
	uint32_t i;

	(void)state;
	for (i = 0; i < N; i++)
		packets_add_text(&p, TSI, i, texts[i], strlen(texts[i]));
	push(r, &p);
	assert_int_equal(counters(r).fdt_bad, N);
	assert_int_equal(pw_recv_n_files(r), 0);
	assert_int_equal(pw_recv_finish(r, NULL), 1);
	pw_recv_destroy(r);
	packets_drop(&p);
}

/* The newest announcement stands; the older one keeps its symbols until it is made again. */
static void a_contradicting_table_loses_no_symbol(void **state)
{
	struct source s = source_make(1, "first", 3000, 1000, PW_DIGEST_XXH3_128);
	struct source lies[4] = {source_make(1, "second", 3000, 1000, PW_DIGEST_XXH3_128),
		source_make(1, "first", 4000, 1000, PW_DIGEST_XXH3_128),
		source_make(1, "first", 3000, 999, PW_DIGEST_XXH3_128),
		source_make(1, "first", 3000, 1000, PW_DIGEST_XXH3_128)};
	struct pw_recv_config cfg = config();
	struct pw_recv *r = recv_make(&cfg);
	struct packets p = {0};
	uint32_t i;

	(void)state;
	lies[3].f.digest.bytes[0] ^= 1;
	packets_add_fdt(&p, TSI, 0, &s, 1, true, 1);
	push(r, &p);
	for (i = 0; i < 4; i++) {
		packets_drop(&p);
		if (i < 3) /* of the honest one: the last symbol comes in the end */
			packets_add_symbol(&p, TSI, &s, i % 2);
		push(r, &p);
		packets_drop(&p);
		packets_add_fdt(&p, TSI, i + 1, &lies[i], 1, true, 1);
		push(r, &p);
		assert_state(r, 0, PW_RECV_SUPERSEDED);
		assert_non_null(file_info(r, 0).reason);
		assert_int_equal(file_info(r, 0).have_bytes, i == 0 ? 1000 : 2000);
		packets_drop(&p);
		packets_add_fdt(&p, TSI, 0, &s, 1, true, 1);
		push(r, &p);
		assert_state(r, 0, PW_RECV_PARTIAL);
		assert_state(r, i + 1, PW_RECV_SUPERSEDED);
	}
	packets_drop(&p);
	packets_add_symbol(&p, TSI, &s, 2);
	push(r, &p);
	assert_state(r, 0, PW_RECV_COMPLETE);
	assert_int_equal(counters(r).fdt_conflicts, 8);
	assert_int_equal(counters(r).duplicates, 1);
	assert_int_equal(pw_recv_n_files(r), 5);
	assert_done(r);
	assert_int_equal(pw_recv_finish(r, NULL), 1); /* there was a conflict */
	pw_recv_destroy(r);
	assert_content(in_dir(dir, "first"), &s);
	assert_false(is_there(in_dir(dir, "second")));
	assert_false(is_there(in_dir(dir, "first.part")));
	assert_false(is_there(in_dir(dir, "first.1.part")));
	packets_drop(&p);
	source_drop(&s);
	for (i = 0; i < 4; i++)
		source_drop(&lies[i]);
}

/* Without a digest, symbols of the other content would not be noticed. */
static void without_a_digest_a_contradicted_file_starts_again(void **state)
{
	struct source s = source_make(1, "plain", 3000, 1000, PW_DIGEST_NONE);
	struct source other = source_make(1, "plain", 4000, 1000, PW_DIGEST_NONE);
	struct pw_recv_config cfg = config();
	struct pw_recv *r = recv_make(&cfg);
	struct packets p = {0};

	(void)state;
	packets_add_fdt(&p, TSI, 0, &s, 1, true, 1);
	packets_add_symbol(&p, TSI, &s, 0);
	push(r, &p);
	packets_drop(&p);
	packets_add_fdt(&p, TSI, 1, &other, 1, true, 1);
	push(r, &p);
	packets_drop(&p);
	packets_add_symbol(&p, TSI, &other, 3);
	push(r, &p);
	assert_state(r, 1, PW_RECV_PARTIAL);
	packets_drop(&p);
	packets_add_fdt(&p, TSI, 0, &s, 1, true, 1);
	push(r, &p);
	assert_state(r, 0, PW_RECV_KNOWN);
	assert_int_equal(file_info(r, 0).have_bytes, 0);
	assert_int_equal(settle(r).bytes_have, 1000);
	packets_drop(&p);
	packets_add_file(&p, TSI, &s);
	push(r, &p);
	assert_state(r, 0, PW_RECV_UNVERIFIED);
	assert_int_equal(pw_recv_finish(r, NULL), 1);
	pw_recv_destroy(r);
	assert_content(in_dir(dir, "plain"), &s);
	packets_drop(&p);
	source_drop(&s);
	source_drop(&other);
}

/* It was not announced as `later`: the file has ended by then. */
static void a_digest_that_comes_after_the_end_is_checked(void **state)
{
	struct pw_recv_config cfg = config();
	unsigned int wrong;

	(void)state;
	for (wrong = 0; wrong < 2; wrong++) {
		const char *name = wrong ? "bad" : "good";
		struct source s = source_make(1, name, 300000, 1000, PW_DIGEST_NONE);
		struct pw_recv *r = recv_make(&cfg);
		struct packets p = {0};
		struct pw_recv_status st;

		packets_add_fdt(&p, TSI, 1, &s, 1, true, 1);
		packets_add_file(&p, TSI, &s);
		push(r, &p);
		assert_state(r, 0, PW_RECV_UNVERIFIED);
		packets_drop(&p);
		pw_digest_buffer(PW_DIGEST_SHA256, s.data, 300000 - wrong, &s.f.digest, NULL);
		packets_add_fdt(&p, TSI, 2, &s, 1, true, 1);
		push(r, &p);
		assert_state(r, 0, wrong ? PW_RECV_REFUSED : PW_RECV_COMPLETE);
		assert_int_equal(counters(r).fdt_conflicts, 0);
		st = settle(r);
		assert_true(st.done);
		assert_int_equal(st.n_unverified, 0);
		assert_int_equal(st.bytes_have, file_info(r, 0).have_bytes);
		if (wrong)
			assert_non_null(strstr(file_info(r, 0).reason, "digest differs"));
		assert_int_equal(pw_recv_finish(r, NULL), wrong);
		pw_recv_destroy(r);
		packets_drop(&p);
		source_drop(&s);
	}
}

/* Content that is announced under ever new TOIs is one file, and takes bounded memory. */
static void one_file_may_have_many_tois(void **state)
{
	enum { N = 200 };
	struct source s = source_make(1, "many-tois", 300000, 1000, PW_DIGEST_XXH3_128);
	struct pw_recv_config cfg = config();
	struct pw_recv *r;
	struct packets p = {0};
	uint64_t i;

	(void)state;
	cfg.max_files = N / 4;
	r = recv_make(&cfg);
	for (i = 0; i < N; i++) {
		packets_drop(&p);
		s.f.toi = i + 1;
		packets_add_fdt(&p, TSI, (uint32_t)i, &s, 1, false, 0);
		packets_add_symbol(&p, TSI, &s, i);
		push(r, &p);
	}
	assert_int_equal(pw_recv_n_files(r), 1);
	assert_int_equal(file_info(r, 0).have_bytes, N / 2 * 1000);
	assert_int_equal(counters(r).fdt_bad, N / 2);
	assert_int_equal(counters(r).fdt_conflicts, 0);
	pw_recv_destroy(r);
	packets_drop(&p);
	source_drop(&s);
}

/* The ends of a file whose sender reads it only as it goes. */
static void a_whole_file_waits_for_the_digest_that_was_announced(void **state)
{
	static const enum pw_recv_file_state ends[] = {
		PW_RECV_COMPLETE, PW_RECV_MISMATCH, PW_RECV_UNVERIFIED, PW_RECV_COMPLETE};
	static const enum pw_digest_kind kinds[] = {
		PW_DIGEST_XXH3_128, PW_DIGEST_XXH3_128, PW_DIGEST_NONE, PW_DIGEST_SHA256};
	const uint64_t len = 3000000; /* so long that its digest is taken as it comes */
	struct pw_recv_config cfg = config();
	unsigned int i;

	(void)state;
	for (i = 0; i < 4; i++) {
		const char *names[] = {"right", "wrong", "never", "sha"};
		struct source s = source_make(1, names[i], len, 1000, PW_DIGEST_NONE);
		struct pw_recv *r = recv_make(&cfg);
		struct packets p = {0}, last = {0};
		struct pw_recv_status st;

		s.f.digest_later = true;
		packets_add_fdt(&p, TSI, 1, &s, 1, true, 1);
		packets_add_file(&p, TSI, &s);
		packets_add_symbol(&p, TSI, &s, 0);
		push(r, &p);
		pw_recv_status(r, &st);
		assert_false(st.done);
		assert_state(r, 0, PW_RECV_VERIFYING);
		assert_false(is_there(in_dir(dir, names[i])));
		pw_digest_buffer(kinds[i], s.data, i == 1 ? len - 1 : len, &s.f.digest, NULL);
		packets_add_fdt(&last, TSI, 2, &s, 1, true, 1);
		if (i != 2) {
			push(r, &last);
			assert_int_equal(settle(r).done, i != 1); /* the next pass may repair it */
		}
		assert_int_equal(counters(r).fdt_conflicts, 0);
		assert_int_equal(pw_recv_finish(r, NULL), i == 1);
		assert_state(r, 0, ends[i]);
		assert_int_equal(is_there(in_dir(dir, names[i])), i != 1);
		if (i != 1)
			assert_content(in_dir(dir, names[i]), &s);
		pw_recv_destroy(r);
		packets_drop(&p);
		packets_drop(&last);
		source_drop(&s);
	}
}

static void a_damaged_table_is_taken_from_its_next_copy(void **state)
{
	struct source s = source_make(1, "again", 3000, 1000, PW_DIGEST_XXH3_128);
	struct pw_recv_config cfg = config();
	struct pw_recv *r = recv_make(&cfg);
	struct packets p = {0};

	(void)state;
	packets_add_fdt(&p, TSI, 5, &s, 1, true, 1);
	((uint8_t *)(uintptr_t)p.v[0].data)[p.v[0].len - 20] = '<';
	packets_add_fdt(&p, TSI, 5, &s, 1, true, 1);
	packets_add_file(&p, TSI, &s);
	push(r, &p);
	assert_int_equal(counters(r).fdt_bad, 1);
	assert_int_equal(pw_recv_finish(r, NULL), 0);
	pw_recv_destroy(r);
	packets_drop(&p);
	source_drop(&s);
}

static void a_table_in_many_packets_comes_together_in_any_order(void **state)
{
	enum { N = 60 };
	struct source s[N];
	struct pw_recv_config cfg = config();
	struct pw_recv *r = recv_make(&cfg);
	struct packets p = {0};
	char name[64];
	size_t i;

	(void)state;
	for (i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "file with a rather long name %zu", i);
		s[i] = source_make(i + 1, name, 10, 100, PW_DIGEST_SHA256);
	}
	/* Three instances at a time, and every packet twice. */
	for (i = 0; i < 2; i++) {
		packets_add_fdt(&p, TSI, 1, s, N / 3, false, N);
		packets_add_fdt(&p, TSI, 2, s + N / 3, N / 3, false, N);
		packets_add_fdt(&p, TSI, 3, s + 2 * (N / 3), N / 3, true, N);
	}
	assert_true(p.n > 30);
	shuffle(p.v, p.n, 17);
	push(r, &p);
	assert_int_equal(pw_recv_n_files(r), N);
	assert_int_equal(counters(r).fdt_bad, 0);
	assert_int_equal(counters(r).fdt_conflicts, 0);
	assert_int_equal(counters(r).fdt_packets, p.n);
	pw_recv_destroy(r);
	packets_drop(&p);
	for (i = 0; i < N; i++)
		source_drop(&s[i]);
}

static void lies_in_table_packets_are_counted(void **state)
{
	struct pw_alc_hdr hdr = {.tsi = TSI,
		.has_fdt = true,
		.fdt_version = PW_FLUTE_VERSION,
		.has_fti = true,
		.transfer_len = 3000,
		.symbol_len = 1000,
		.max_sbl = 64};
	struct pw_recv_config cfg = config();
	struct pw_recv *r = recv_make(&cfg);
	struct packets p = {0};
	static const uint8_t junk[2000];

	(void)state;
	packets_add(&p, &hdr, false, junk, 999);
	packets_add(&p, &hdr, false, junk, 2000);
	hdr.esi = 3;
	packets_add(&p, &hdr, false, junk, 1000);
	hdr.sbn = 1;
	packets_add(&p, &hdr, false, junk, 1000);
	hdr.sbn = hdr.esi = 0;
	hdr.transfer_len = PW_FDT_MAX_BYTES + 1;
	packets_add(&p, &hdr, false, junk, 1000);
	hdr.transfer_len = 0;
	packets_add(&p, &hdr, false, junk, 1000);
	hdr.transfer_len = 3000;
	hdr.symbol_len = 0;
	packets_add(&p, &hdr, false, junk, 1000);
	hdr.symbol_len = 1000;
	hdr.max_sbl = 0;
	packets_add(&p, &hdr, false, junk, 1000);
	hdr.max_sbl = 64;
	hdr.has_fdt = false;
	packets_add(&p, &hdr, false, junk, 1000);
	push(r, &p);
	assert_int_equal(counters(r).fdt_packets, p.n);
	assert_int_equal(counters(r).fdt_bad, p.n);
	pw_recv_destroy(r);
	packets_drop(&p);
}

/* The beginning of very many large instances: only a few are held. */
static void unfinished_tables_take_bounded_memory(void **state)
{
	struct pw_alc_hdr hdr = {.tsi = TSI,
		.has_fdt = true,
		.fdt_version = PW_FLUTE_VERSION,
		.has_fti = true,
		.transfer_len = PW_FDT_MAX_BYTES,
		.symbol_len = 60000,
		.max_sbl = 64};
	struct pw_recv_config cfg = config();
	struct pw_recv *r = recv_make(&cfg);
	uint64_t before = rss_bytes();
	struct packets p = {0};
	uint8_t *junk = calloc(1, 60000);

	(void)state;
	for (hdr.fdt_instance = 0; hdr.fdt_instance < 300; hdr.fdt_instance++) {
		for (hdr.esi = 0; hdr.esi < 40; hdr.esi++)
			packets_add(&p, &hdr, false, junk, 60000);
		push(r, &p);
		packets_drop(&p);
	}
	assert_growth(before, 80);
	pw_recv_destroy(r);
	free(junk);
}

/* A million TOIs in a thousand tables, each then touched by a packet. */
static void a_million_files_take_bounded_memory(void **state)
{
#ifdef __SANITIZE_THREAD__
	enum { TABLES = 30 }; /* its memmem() looks at all that is left of a table, each time */
#else
	enum { TABLES = 1010 };
#endif
	enum { EACH = 1000, LIMIT = (TABLES - 10) * EACH };
	struct pw_recv_config cfg = {.discard = true, .max_files = LIMIT == 1000000 ? 0 : LIMIT};
	struct pw_recv *r = recv_make(&cfg);
	struct pw_alc_hdr hdr = {.tsi = TSI};
	uint64_t before, toi = 1;
	struct packets p = {0};
	static const uint8_t junk[100];
	struct pw_recv_status st;
	char *xml;
	uint32_t i;
	size_t k, len;
	FILE *f;

	(void)state;
	malloc_trim(0);
	before = rss_bytes();
	for (i = 0; i < TABLES; i++) {
		f = open_memstream(&xml, &len);
		fputs(INSTANCE OTI, f);
		for (k = 0; k < EACH; k++, toi++)
			fprintf(f,
				"<File TOI=\"%llu\" Content-Location=\"some/directory/file%llu\" "
				"Content-Length=\"100000\" Transfer-Length=\"100000\"/>",
				(unsigned long long)toi, (unsigned long long)toi);
		fputs("</FDT-Instance>", f);
		fclose(f);
		packets_add_text(&p, TSI, i, xml, len);
		push(r, &p);
		packets_drop(&p);
		free(xml);
	}
	pw_recv_status(r, &st);
	assert_int_equal(st.n_files, LIMIT);
	assert_int_equal(counters(r).fdt_bad, 10);
	malloc_trim(0);
	assert_growth(before, 320);
	for (toi = 1; toi <= TABLES * EACH; toi += 10) {
		hdr.toi = toi;
		packets_add(&p, &hdr, true, junk, sizeof(junk));
	}
	push(r, &p);
	assert_int_equal(counters(r).out_of_object, LIMIT / 10);
	assert_int_equal(counters(r).unknown_toi, 0);
	assert_int_equal(pw_recv_finish(r, NULL), 1);
	assert_int_equal(counters(r).unknown_toi, 1000);
	packets_drop(&p);
	assert_growth(before, 400);
	pw_recv_destroy(r);
}

/* Bitmaps of 512 MiB each: address space and memory stay within a budget. */
static void vast_files_take_bounded_memory(void **state)
{
	struct pw_recv_config cfg = {.discard = true};
	struct pw_recv *r = recv_make(&cfg);
	struct pw_alc_hdr hdr = {.tsi = TSI};
	struct packets p = {0};
	uint64_t before = rss_bytes();
	char *xml;
	size_t len, i, refused = 0;
	uint32_t k;
	FILE *f = open_memstream(&xml, &len);

	(void)state;
	fputs(INSTANCE " FEC-OTI-FEC-Encoding-ID=\"0\" FEC-OTI-Encoding-Symbol-Length=\"1\" "
		       "FEC-OTI-Maximum-Source-Block-Length=\"65535\">",
		f);
	for (i = 1; i <= 100; i++)
		fprintf(f,
			"<File TOI=\"%zu\" Content-Location=\"%zu\" Content-Length=\"4000000000\""
			" Transfer-Length=\"4000000000\"/>",
			i, i);
	fputs("</FDT-Instance>", f);
	fclose(f);
	packets_add_text(&p, TSI, 0, xml, len);
	push(r, &p);
	packets_drop(&p);
	free(xml);
	assert_int_equal(pw_recv_n_files(r), 100);
	for (hdr.toi = 1; hdr.toi <= 100; hdr.toi++)
		for (k = 0; k < 60000; k += 100) {
			hdr.sbn = (uint16_t)k;
			packets_add(&p, &hdr, false, "x", 1);
		}
	push(r, &p);
	for (i = 0; i < 100; i++)
		refused += file_info(r, i).state == PW_RECV_REFUSED;
	assert_true(refused >= 97);
	assert_true(refused < 100);
	assert_growth(before, 100);
	pw_recv_destroy(r);
	packets_drop(&p);
}

int main(void)
{
	/* meson sets MALLOC_PERTURB_, which writes to every page of what is reserved in name only
	 */
	mallopt(M_PERTURB, 0);
	const struct CMUnitTest tests[] = {
		test(bombs_and_entities_are_bad_tables),
		test(a_contradicting_table_loses_no_symbol),
		test(without_a_digest_a_contradicted_file_starts_again),
		test(a_digest_that_comes_after_the_end_is_checked),
		test(one_file_may_have_many_tois),
		test(a_whole_file_waits_for_the_digest_that_was_announced),
		test(a_damaged_table_is_taken_from_its_next_copy),
		test(a_table_in_many_packets_comes_together_in_any_order),
		test(lies_in_table_packets_are_counted),
		test(unfinished_tables_take_bounded_memory),
		test(a_million_files_take_bounded_memory),
		test(vast_files_take_bounded_memory),
	};

	return cmocka_run_group_tests_name("recv_fdt", tests, NULL, NULL);
}
