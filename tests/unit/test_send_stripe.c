/* SPDX-License-Identifier: BSD-3-Clause */
/* Stripes: which symbols each sends, what its tables say, and how a process learns which one it is. */
#include "send_path.h"

#include "base/bytes.h"
#include "send/stripe.h"

static uint8_t seen[3 * PW_STRIPE_RUN * 7 + 5];

/* Marks what the stripe sends of [from, end), as a sender walks through it. */
static void mark(
	const struct pw_stripe *s, uint64_t turn, uint64_t n_symbols, uint64_t from, uint64_t end)
{
	uint64_t to = end;

	while (pw_stripe_clip(s, turn, n_symbols, &from, &to)) {
		assert_true(to <= end && to <= n_symbols);
		for (; from < to; from++)
			seen[from]++;
		to = end;
	}
}

static void check_cover(uint32_t n, uint64_t n_symbols, uint64_t from, uint64_t end)
{
	uint64_t turn, i;
	uint32_t index;

	for (turn = 0; turn < 2 * (uint64_t)n; turn++) {
		memset(seen, 0, sizeof(seen));
		for (index = 0; index < n; index++)
			mark(&(struct pw_stripe){index, n}, turn, n_symbols, from, end);
		for (i = 0; i < n_symbols; i++)
			assert_int_equal(seen[i], i >= from && i < end);
	}
}

static void stripes_are_disjoint_and_complete_for_odd_sizes_and_ranges(void **state)
{
	static const uint64_t sizes[] = {0, 1, PW_STRIPE_RUN - 1, PW_STRIPE_RUN, PW_STRIPE_RUN + 1,
		3 * PW_STRIPE_RUN * 7 + 5};
	size_t i;
	uint32_t n;

	(void)state;
	for (n = 1; n <= 7; n++)
		for (i = 0; i < PW_ARRAY_LEN(sizes); i++) {
			check_cover(n, sizes[i], 0, sizes[i]);
			check_cover(n, sizes[i], sizes[i] / 3, sizes[i] - sizes[i] / 5);
		}
}

static void after_n_passes_each_stripe_has_sent_everything(void **state)
{
	const uint64_t n_symbols = 5 * PW_STRIPE_RUN + 17;
	const uint32_t n = 3;
	uint32_t index;
	uint64_t i;

	(void)state;
	for (index = 0; index < n; index++) {
		memset(seen, 0, sizeof(seen));
		for (i = 0; i < n; i++)
			mark(&(struct pw_stripe){index, n}, 4 + i, n_symbols, 0, n_symbols);
		for (i = 0; i < n_symbols; i++)
			assert_int_equal(seen[i], 1);
	}
}

static void runs_are_whole_bursts_and_few(void **state)
{
	static const uint64_t sizes[] = {1, PW_STRIPE_RUN * (uint64_t)PW_STRIPE_RUNS,
		PW_STRIPE_RUN * (uint64_t)PW_STRIPE_RUNS + 1, 1ull << 32};
	size_t i;

	(void)state;
	for (i = 0; i < PW_ARRAY_LEN(sizes); i++) {
		const uint64_t run = pw_stripe_run(sizes[i]);

		assert_int_equal(run % PW_BURST, 0);
		assert_true(run >= PW_STRIPE_RUN && sizes[i] <= run * PW_STRIPE_RUNS);
		assert_true(run == PW_STRIPE_RUN || sizes[i] > run / 2 * PW_STRIPE_RUNS);
	}
}

/* The sender, with a file in memory and a streamed one, large enough that their digests come late. */
static void check_session(uint32_t index, uint32_t n, uint64_t *sent, char *fdts, size_t fdts_len)
{
	static const char *const names[] = {"m0", "s1", "m2"};
	static const uint64_t sizes[] = {6000001, 7000000, 5};
	enum { N = PW_ARRAY_LEN(sizes) };
	struct source sources[N];
	struct pw_files files = {0};
	struct pw_send_config cfg = config(&files);
	struct pw_send_result res;
	struct pw_err err = {0};
	char text[PW_DIGEST_TEXT_MAX];
	unsigned int i;

	for (i = 0; i < 2; i++)
		paths[i] = (struct path){.sources = sources};
	for (i = 0; i < N; i++) {
		sources[i] = source_make(i + 1, names[i], sizes[i], SYMBOL, PW_DIGEST_XXH3_128);
		add_file(&files, &sources[i], names[i]);
	}
	cfg.open_window = open_mapped_or_streamed;
	cfg.n_paths = 2;
	cfg.digest_first_bytes = 100;
	cfg.stream.n_slots = 27;
	cfg.stripe = (struct pw_stripe){index, n};
	assert_int_equal(run(&cfg, &res, &err), 0);
	*sent = paths[0].c.payload_bytes + paths[1].c.payload_bytes;
	snprintf(fdts, fdts_len, "%s", paths[0].fdts);
	for (i = 0; i < N; i++) {
		pw_digest_format(text, sizeof(text), &sources[i].f.digest);
		assert_int_equal(strstr(fdts, text) != NULL, index == 0);
		source_drop(&sources[i]);
	}
	assert_true(index == 0 || strstr(fdts, "pw:Digest=\"later\""));
	pw_files_finish(&files);
}

static void each_stripe_sends_its_share_and_stripe_0_has_the_digests(void **state)
{
	static char fdts[1 << 20];
	uint64_t sent, sum = 0;
	uint32_t index;

	(void)state;
	for (index = 0; index < 3; index++) {
		char want[32];

		check_session(index, 3, &sent, fdts, sizeof(fdts));
		assert_true(sent > 0 && sent < 13000006 / 2);
		snprintf(want, sizeof(want), "pw:Stripe=\"%u/3\"", index);
		assert_non_null(strstr(fdts, want));
		sum += sent;
	}
	assert_int_equal(sum, 13000006);
}

static const char *const *variables; /* name, value, ..., NULL */

static const char *env(const char *name)
{
	const char *const *v;

	for (v = variables; *v; v += 2)
		if (!strcmp(v[0], name))
			return v[1];
	return NULL;
}

static int choose(const char *const *vars, struct pw_stripe *s, uint32_t *tsi)
{
	struct pw_err err = {0};

	variables = vars;
	return pw_stripe_choose("auto", env, s, tsi, &err);
}

static void auto_takes_the_innermost_launcher_and_a_tsi_of_the_job(void **state)
{
	static const char *const mpi[][11] = {
		{"SLURM_PROCID", "0", "SLURM_NTASKS", "9", "OMPI_COMM_WORLD_RANK", "2",
			"OMPI_COMM_WORLD_SIZE", "3", "PMIX_NAMESPACE", "77", NULL},
		{"OMPI_COMM_WORLD_RANK", "1", "OMPI_COMM_WORLD_SIZE", "3", "PMIX_NAMESPACE", "77",
			NULL},
		{"OMPI_COMM_WORLD_RANK", "1", "OMPI_COMM_WORLD_SIZE", "3", "PMIX_NAMESPACE", "78",
			NULL}};
	static const char *const slurm[] = {"SLURM_PROCID", "7", "SLURM_NTASKS", "8",
		"SLURM_JOB_ID", "123", "SLURM_STEP_ID", "0", NULL};
	static const char *const pmi[] = {"PMI_RANK", "0", "PMI_SIZE", "1", NULL};
	static const char *const none[] = {"HOME", "/", NULL};
	static const char *const wrong[] = {"PMI_RANK", "3", "PMI_SIZE", "3", NULL};
	struct pw_stripe s;
	uint32_t tsi[3];
	size_t i;

	(void)state;
	for (i = 0; i < 3; i++) {
		assert_int_equal(choose(mpi[i], &s, &tsi[i]), 0);
		assert_int_equal(s.index, i ? 1 : 2);
		assert_int_equal(s.count, 3);
		assert_true(tsi[i] >= 1 && tsi[i] <= UINT16_MAX);
	}
	assert_int_equal(tsi[0], tsi[1]);
	assert_int_not_equal(tsi[1], tsi[2]);
	assert_int_equal(choose(slurm, &s, &tsi[0]), 0);
	assert_int_equal(s.index, 7);
	assert_int_not_equal(tsi[0], 0);
	assert_int_equal(choose(pmi, &s, &tsi[0]), 0); /* it does not name its job */
	assert_int_equal(tsi[0], 0);
	assert_int_equal(choose(none, &s, &tsi[0]), -EINVAL);
	assert_int_equal(choose(wrong, &s, &tsi[0]), -EINVAL);
}

static void only_i_of_n_is_a_stripe(void **state)
{
	static const char *const bad[] = {"", "/", "1", "1/", "/2", "2/2", "3/2", "-1/2", "0/0",
		"0/65", "0x0/2", "0 /2", "0/2/3", "4294967296/4294967297", "1/18446744073709551617",
		"AUTO"};
	struct pw_stripe s = {5, 6};
	struct pw_err err = {0};
	uint32_t tsi;
	size_t i;

	(void)state;
	for (i = 0; i < PW_ARRAY_LEN(bad); i++) {
		assert_int_equal(pw_stripe_choose(bad[i], env, &s, &tsi, &err), -EINVAL);
		assert_int_equal(s.count, 6);
	}
	assert_int_equal(pw_stripe_choose("63/64", env, &s, &tsi, &err), 0);
	assert_int_equal(s.index, 63);
	assert_int_equal(s.count, 64);
	assert_int_equal(tsi, 0);
	assert_int_equal(pw_stripe_choose("0/1", env, &s, &tsi, &err), 0);
	assert_false(pw_stripe_is_shared(&s));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stripes_are_disjoint_and_complete_for_odd_sizes_and_ranges),
		cmocka_unit_test(after_n_passes_each_stripe_has_sent_everything),
		cmocka_unit_test(runs_are_whole_bursts_and_few),
		cmocka_unit_test(each_stripe_sends_its_share_and_stripe_0_has_the_digests),
		cmocka_unit_test(auto_takes_the_innermost_launcher_and_a_tsi_of_the_job),
		cmocka_unit_test(only_i_of_n_is_a_stripe),
	};
	int failed;

	dir_make(dir, sizeof(dir));
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	dir_drop(dir);
	return failed;
}
