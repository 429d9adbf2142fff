/* SPDX-License-Identifier: BSD-3-Clause */
/* Receivers report to a sender, miss bytes, and are complete: server and client over loopback. */
#include "repair_util.h"

#include <pthread.h>
#include <stdatomic.h>

#include "repair/client.h"

struct simulated {
	struct pw_range missing;
	atomic_uint n_asked;
	bool fails;
};

static int report(void *ctx, struct pw_repair_report *report, struct pw_err *err)
{
	(void)ctx, (void)err;
	report->files = 1;
	report->bytes = A_BYTES;
	return 0;
}

static int gaps(void *ctx, struct pw_gaps *g, struct pw_err *err)
{
	struct simulated *sim = ctx;

	atomic_fetch_add(&sim->n_asked, 1);
	if (sim->fails)
		return pw_err_set(err, ENOMEM, "cannot list the gaps: a test");
	g->files = calloc(1, sizeof(*g->files));
	assert_non_null(g->files);
	g->n_files = 1;
	g->files[0] =
		(struct pw_gap_file){.name = strdup("a"), .len_bytes = A_BYTES, .n_missing = 1};
	g->files[0].missing = malloc(sizeof(struct pw_range));
	assert_non_null(g->files[0].missing);
	g->files[0].missing[0] = sim->missing;
	return 0;
}

static struct pw_repair_client *start_client(struct simulated *sim, const char *url)
{
	struct pw_repair_client_config cfg = {
		.backoff_ns = 2000000, .n_tries = 4, .report = report, .gaps = gaps, .ctx = sim};
	struct pw_repair_client *c;

	assert_int_equal(pw_repair_client_start(&c, &cfg, NULL), 0);
	if (url)
		assert_int_equal(pw_repair_client_set_url(c, url, NULL), 0);
	return c;
}

static void a_receiver_reports_asks_and_is_complete(void **state)
{
	struct pw_repair_server *s = start_server();
	struct simulated sim = {.missing = {1440, 2880}};
	struct pw_repair_client *c = start_client(&sim, NULL);
	struct pw_repair_client_status st;
	struct pw_repair_receiver r;
	struct pw_gaps g = {0};

	(void)state;
	/* Without an address it waits. */
	pw_repair_client_want(c, PW_REPAIR_REPORT, 0);
	usleep(20000);
	pw_repair_client_status(c, &st);
	assert_true(st.is_pending[PW_REPAIR_REPORT]);
	assert_int_equal(status_of(s).n_receivers, 0);
	assert_int_equal(pw_repair_client_set_url(c, pw_repair_server_url(s), NULL), 0);
	assert_true(pw_repair_client_wait(c, 10 * PW_NS_PER_S));
	assert_int_equal(status_of(s).n_receivers, 1);
	assert_int_equal(status_of(s).n_awaited, 1);

	pw_repair_client_want(c, PW_REPAIR_GAPS, 0);
	assert_true(pw_repair_client_wait(c, 10 * PW_NS_PER_S));
	assert_int_equal(status_of(s).n_asked, 1);
	assert_int_equal(status_of(s).n_awaited, 0);
	pw_repair_server_take(s, &g);
	assert_int_equal(g.n_files, 1);
	assert_int_equal(g.files[0].n_missing, 1);
	assert_int_equal(g.files[0].missing[0].from, 1440);
	assert_int_equal(g.files[0].missing[0].to, 2880);
	pw_gaps_finish(&g);
	assert_int_equal(status_of(s).n_awaited, 1);

	pw_repair_client_want(c, PW_REPAIR_COMPLETE, 0);
	assert_true(pw_repair_client_wait(c, 10 * PW_NS_PER_S));
	assert_int_equal(status_of(s).n_complete, 1);
	pw_repair_client_status(c, &st);
	assert_int_equal(st.round, 1);
	assert_int_equal(st.n_given_up, 0);
	assert_int_equal(pw_repair_server_receivers(s, &r, 1), 1);
	assert_true(r.is_complete && r.complete_ns);
	assert_int_equal(r.rounds, 1);
	assert_int_equal(r.asked_bytes, 1440);
	assert_int_equal(r.missing_bytes, 0);
	assert_int_equal(r.report.bytes, A_BYTES);
	assert_true(strlen(r.report.name) > 0);
	pw_repair_client_stop(c);
	pw_repair_server_stop(s);
}

static void a_manifest_of_an_earlier_round_is_refused_and_the_round_named(void **state)
{
	struct pw_repair_server *s = start_server();
	struct simulated sim = {.missing = {0, 10}};
	struct pw_repair_client *c = start_client(&sim, pw_repair_server_url(s));
	struct pw_repair_client_status st;
	struct pw_gaps g = {0};

	(void)state;
	pw_repair_server_take(s, &g);
	/* not even of this round: it is still being sent */
	assert_int_equal(post_gaps(s, 5, 1, MANIFEST("[0, 10]")), 409);
	pw_repair_server_listen(s);
	pw_repair_client_want(c, PW_REPAIR_GAPS, 0);
	assert_true(pw_repair_client_wait(c, 10 * PW_NS_PER_S));
	pw_repair_client_status(c, &st);
	assert_int_equal(st.n_taken[PW_REPAIR_GAPS], 0);
	assert_int_equal(st.round, 1);
	assert_int_equal(status_of(s).n_asked, 0);
	pw_repair_client_want(c, PW_REPAIR_GAPS, st.round);
	assert_true(pw_repair_client_wait(c, 10 * PW_NS_PER_S));
	assert_int_equal(status_of(s).n_asked, 1);
	pw_repair_client_stop(c);
	pw_repair_server_stop(s);
}

/* A lone receiver need not wait as if there were a thousand. */
static void the_back_off_is_as_long_as_the_known_receivers_need(void **state)
{
	struct pw_repair_server *s = start_server();
	struct simulated sim = {.missing = {0, 10}};
	struct pw_repair_client_config cfg = {.backoff_ns = 2 * PW_NS_PER_S,
		.backoff_each_ns = 1000,
		.n_tries = 4,
		.report = report,
		.gaps = gaps,
		.ctx = &sim};
	struct pw_repair_client_status st;
	struct pw_repair_client *c;
	uint64_t start_ns;
	int i;

	(void)state;
	assert_int_equal(pw_repair_client_start(&c, &cfg, NULL), 0);
	assert_int_equal(pw_repair_client_set_url(c, pw_repair_server_url(s), NULL), 0);
	pw_repair_client_want(c, PW_REPAIR_REPORT, 0);
	assert_true(pw_repair_client_wait(c, 10 * PW_NS_PER_S));
	pw_repair_client_status(c, &st);
	assert_int_equal(st.n_receivers, 1);
	assert_true(status_of(s).new_ns > 0);
	start_ns = pw_clock_ns();
	for (i = 0; i < 4; i++) {
		pw_repair_client_want(c, PW_REPAIR_REPORT, 0);
		assert_true(pw_repair_client_wait(c, 10 * PW_NS_PER_S));
	}
	assert_true(pw_clock_ns() - start_ns < PW_NS_PER_S);
	pw_repair_client_stop(c);
	pw_repair_server_stop(s);
}

static void who_leaves_is_not_waited_for(void **state)
{
	struct pw_repair_server *s = start_server();
	struct simulated sim = {.missing = {0, 10}};
	struct pw_repair_client *c = start_client(&sim, pw_repair_server_url(s));
	struct pw_repair_receiver r;

	(void)state;
	pw_repair_client_want(c, PW_REPAIR_REPORT, 0);
	assert_true(pw_repair_client_wait(c, 10 * PW_NS_PER_S));
	assert_int_equal(status_of(s).n_open, 1);
	pw_repair_client_want(c, PW_REPAIR_LEAVE, 0);
	assert_true(pw_repair_client_wait(c, 10 * PW_NS_PER_S));
	assert_int_equal(status_of(s).n_open, 0);
	assert_int_equal(status_of(s).n_complete, 0);
	assert_int_equal(pw_repair_server_receivers(s, &r, 1), 1);
	assert_true(r.has_left);
	pw_repair_client_stop(c);
	pw_repair_server_stop(s);
}

static void a_sender_that_is_gone_is_tried_again_and_then_given_up(void **state)
{
	struct pw_repair_server *s = start_server();
	struct simulated sim = {.missing = {0, 10}};
	struct pw_repair_client *c = start_client(&sim, pw_repair_server_url(s));
	struct pw_repair_client_status st;

	(void)state;
	pw_repair_server_stop(s);
	pw_repair_client_want(c, PW_REPAIR_GAPS, 0);
	assert_true(pw_repair_client_wait(c, 10 * PW_NS_PER_S));
	pw_repair_client_status(c, &st);
	assert_int_equal(st.n_given_up, 1);
	assert_int_equal(atomic_load(&sim.n_asked), 4); /* a fresh manifest each time */
	pw_repair_client_stop(c);
}

static void what_cannot_be_listed_is_given_up_at_once(void **state)
{
	struct pw_repair_server *s = start_server();
	struct simulated sim = {.fails = true};
	struct pw_repair_client *c = start_client(&sim, pw_repair_server_url(s));
	struct pw_repair_client_status st;

	(void)state;
	pw_repair_client_want(c, PW_REPAIR_GAPS, 0);
	assert_true(pw_repair_client_wait(c, 10 * PW_NS_PER_S));
	pw_repair_client_status(c, &st);
	assert_int_equal(st.n_given_up, 1);
	assert_int_equal(atomic_load(&sim.n_asked), 1);
	assert_int_equal(pw_repair_server_receivers(s, NULL, 0), 0);
	pw_repair_client_stop(c);
	pw_repair_server_stop(s);
}

static void a_receiver_gets_no_more_than_its_share(void **state)
{
	struct pw_repair_server *s = start_server();
	struct pw_gaps g = {0};
	unsigned int round;

	(void)state;
	for (round = 0; round < PW_REPAIR_MAX_SHARE; round++) {
		assert_int_equal(post_gaps(s, 5, round, MANIFEST("[0, 1000000]")), 200);
		/* the answer was lost, and it asks again: this counts once */
		assert_int_equal(post_gaps(s, 5, round, MANIFEST("[0, 1000000]")), 200);
		pw_repair_server_take(s, &g);
		pw_gaps_finish(&g);
		pw_repair_server_listen(s);
	}
	assert_int_equal(post_gaps(s, 5, round, MANIFEST("[0, 1]")), 429);
	assert_int_equal(post_gaps(s, 6, round, MANIFEST("[0, 1]")), 200);
	/* who asks for nothing starts no round */
	assert_int_equal(status_of(s).n_asked, 1);
	assert_int_equal(post_gaps(s, 7, round, MANIFEST("")), 200);
	assert_int_equal(status_of(s).n_asked, 1);
	pw_repair_server_stop(s);
}

#define N_POSTERS   16
#define N_RECEIVERS 1000

struct poster {
	struct pw_repair_server *s;
	unsigned int first, n_taken;
};

static void *post_many(void *arg)
{
	struct poster *p = arg;
	unsigned int i;

	for (i = p->first; i < N_RECEIVERS; i += N_POSTERS) {
		char text[256];

		snprintf(text, sizeof(text), MANIFEST("[%u, %u]"), i * 100, i * 100 + 60);
		p->n_taken += post_gaps(p->s, 1000 + i, 0, text) == 200;
	}
	return NULL;
}

static void a_thousand_receivers_ask_at_once(void **state)
{
	struct pw_repair_server *s = start_server();
	struct poster posters[N_POSTERS];
	pthread_t threads[N_POSTERS];
	struct pw_gaps g = {0};
	unsigned int i, n = 0;

	(void)state;
	for (i = 0; i < N_POSTERS; i++) {
		posters[i] = (struct poster){.s = s, .first = i};
		assert_int_equal(pthread_create(&threads[i], NULL, post_many, &posters[i]), 0);
	}
	for (i = 0; i < N_POSTERS; i++) {
		pthread_join(threads[i], NULL);
		n += posters[i].n_taken;
	}
	assert_int_equal(n, N_RECEIVERS);
	assert_int_equal(status_of(s).n_receivers, N_RECEIVERS);
	assert_int_equal(status_of(s).n_asked, N_RECEIVERS);
	pw_repair_server_take(s, &g);
	assert_int_equal(g.files[0].n_missing, N_RECEIVERS);
	for (i = 0; i < N_RECEIVERS; i++) {
		assert_int_equal(g.files[0].missing[i].from, i * 100);
		assert_int_equal(g.files[0].missing[i].to, i * 100 + 60);
	}
	pw_gaps_finish(&g);
	pw_repair_server_stop(s);
}

struct heard {
	atomic_uint n;
	size_t index;
};

static void count_report(void *ctx, size_t index, const struct pw_repair_receiver *r)
{
	struct heard *h = ctx;

	h->index = index;
	assert_int_equal(r->report.bytes, A_BYTES);
	atomic_fetch_add(&h->n, 1);
}

/* In half a second, while the usual time between two reports is two. */
static void a_receiver_reports_as_often_as_the_sender_asks(void **state)
{
	struct heard heard = {0};
	struct pw_repair_server *s = start_server_with((struct pw_repair_server_config){
		.heard = count_report, .ctx = &heard, .report_ms = 30});
	struct simulated sim = {.missing = {0, 10}};
	struct pw_repair_client *c = start_client(&sim, pw_repair_server_url(s));
	unsigned int n;
	int i;

	(void)state;
	pw_repair_client_want(c, PW_REPAIR_REPORT, 0);
	for (i = 0; i < 200 && atomic_load(&heard.n) < 5; i++)
		usleep(10000);
	assert_true(atomic_load(&heard.n) >= 5);
	assert_int_equal(heard.index, 0);
	/* a report that repeats is nothing that one waits for */
	assert_true(pw_repair_client_wait(c, 10 * PW_NS_PER_S));
	pw_repair_client_want(c, PW_REPAIR_COMPLETE, 0);
	assert_true(pw_repair_client_wait(c, 10 * PW_NS_PER_S));
	n = atomic_load(&heard.n);
	usleep(200000);
	assert_int_equal(atomic_load(&heard.n), n);
	pw_repair_client_stop(c);
	pw_repair_server_stop(s);
}

/* 1,000 reports a second are enough, whoever sends them. */
static void many_receivers_are_told_to_report_less_often(void **state)
{
	struct pw_repair_server *s =
		start_server_with((struct pw_repair_server_config){.report_ms = 100});
	const struct pw_repair_url url = url_of(s);
	char path[128], body[128], answer[ANSWER_MAX];
	unsigned int i;

	(void)state;
	snprintf(path, sizeof(path), "/%s/report", url.token);
	for (i = 0; i < 300; i++) {
		const int n = snprintf(body, sizeof(body), "{\"receiver\": \"%016x\"}", i);

		assert_int_equal(request_answer(s, "POST", path, body, (size_t)n, answer), 200);
		if (i == 0)
			assert_non_null(strstr(answer, "\"report_ms\": 100}"));
	}
	assert_non_null(strstr(answer, "\"report_ms\": 300}"));
	pw_repair_server_stop(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_receiver_reports_asks_and_is_complete),
		cmocka_unit_test(a_receiver_reports_as_often_as_the_sender_asks),
		cmocka_unit_test(many_receivers_are_told_to_report_less_often),
		cmocka_unit_test(a_manifest_of_an_earlier_round_is_refused_and_the_round_named),
		cmocka_unit_test(the_back_off_is_as_long_as_the_known_receivers_need),
		cmocka_unit_test(who_leaves_is_not_waited_for),
		cmocka_unit_test(a_sender_that_is_gone_is_tried_again_and_then_given_up),
		cmocka_unit_test(what_cannot_be_listed_is_given_up_at_once),
		cmocka_unit_test(a_receiver_gets_no_more_than_its_share),
		cmocka_unit_test(a_thousand_receivers_ask_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
