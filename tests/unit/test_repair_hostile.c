/* SPDX-License-Identifier: BSD-3-Clause */
/* Anyone may send to the sender's server: garbage, other tokens, too much, too slowly. */
#include "repair_util.h"

#include <netinet/tcp.h>

static char *path_of(char *path, const struct pw_repair_server *s, const char *rest)
{
	const struct pw_repair_url url = url_of(s);

	snprintf(path, 256, "/%s/%s", url.token, rest);
	return path;
}

#define GAPS_PATH "gaps?receiver=0123456789abcdef&round=0"

static void another_path_or_token_is_not_found(void **state)
{
	static const char *const others[] = {"/", "/x", "//",
		"/0123456789abcdef0123456789abcdef/report",
		"/0123456789abcdef0123456789abcdef/" GAPS_PATH, "/../../etc/passwd"};
	struct pw_repair_server *s = start_server();
	char path[256];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_int_equal(request(s, "POST", others[i], "{}", 2), 404);
	assert_int_equal(request(s, "POST", path_of(path, s, ""), "{}", 2), 404);
	assert_int_equal(request(s, "POST", path_of(path, s, "report/"), "{}", 2), 404);
	assert_int_equal(request(s, "GET", path_of(path, s, "report"), NULL, 0), 405);
	assert_int_equal(request(s, "PUT", path_of(path, s, "report"), "{}", 2), 405);
	assert_int_equal(pw_repair_server_receivers(s, NULL, 0), 0);
	assert_int_equal(pw_repair_server_refused(s), i + 4);
	pw_repair_server_stop(s);
}

static void a_bad_message_changes_nothing(void **state)
{
	static const char *const queries[] = {"gaps", "gaps?receiver=1&round=0",
		"gaps?receiver=0123456789abcdef", "gaps?receiver=0123456789abcdef&round=-1",
		"gaps?receiver=0123456789abcdef&round=", "gaps?receiver=0123456789abcdef&round=1x",
		"gaps?receiver=0123456789abcdef&round=99999999999999999999"};
	struct pw_repair_server *s = start_server();
	char path[256];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(queries) / sizeof(queries[0]); i++)
		assert_int_equal(request(s, "POST", path_of(path, s, queries[i]), "{}", 2), 400);
	assert_int_equal(request(s, "POST", path_of(path, s, GAPS_PATH), "not gzip", 8), 400);
	assert_int_equal(request(s, "POST", path_of(path, s, GAPS_PATH), NULL, 0), 400);
	assert_int_equal(request(s, "POST", path_of(path, s, "report"), NULL, 0), 400);
	assert_int_equal(request(s, "POST", path_of(path, s, "complete"), "{}", 2), 400);
	assert_int_equal(post_gaps(s, 1, 0, "{\"schema\": \"pagewire.gaps/1\"}"), 400);
	assert_int_equal(post_gaps(s, 1, 0, MANIFEST("[5, 2]")), 400);
	assert_int_equal(post_gaps(s, 1, 0, MANIFEST("[0, 1000001]")), 400);
	/* another session's */
	assert_int_equal(post_gaps(s, 1, 0,
				 "{\"schema\": \"pagewire.gaps/1\", \"tsi\": 7, \"files\": "
				 "[{\"name\": \"b\", \"bytes\": 1, \"missing\": [[0, 1]]}]}"),
		409);
	assert_int_equal(pw_repair_server_receivers(s, NULL, 0), 0);
	assert_int_equal(status_of(s).n_asked, 0);
	pw_repair_server_stop(s);
}

static void a_bomb_and_a_large_body_are_refused(void **state)
{
	struct pw_repair_server *s = start_server();
	const size_t n = PW_REPAIR_TEXT_MAX;
	char *zeroes = calloc(1, n), path[256];
	void *packed, *two;
	size_t len;

	(void)state;
	assert_non_null(zeroes);
	assert_int_equal(pw_repair_pack(zeroes, n, &packed, &len, NULL), 0);
	two = malloc(2 * len);
	assert_non_null(two);
	memcpy(two, packed, len);
	memcpy((char *)two + len, packed, len);
	assert_int_equal(request(s, "POST", path_of(path, s, GAPS_PATH), two, 2 * len), 400);
	/* too long, by its header: the body is not read */
	assert_int_equal(
		request(s, "POST", path_of(path, s, GAPS_PATH), zeroes, PW_REPAIR_PACKED_MAX + 1),
		413);
	assert_int_equal(
		request(s, "POST", path_of(path, s, "report"), zeroes, PW_REPAIR_JSON_MAX + 1),
		413);
	assert_int_equal(post_gaps(s, 1, 0, MANIFEST("[0, 10]")), 200);
	free(packed);
	free(two);
	free(zeroes);
	pw_repair_server_stop(s);
}

/* A body without a length, which does not end. */
static void an_endless_body_is_cut_off(void **state)
{
	struct pw_repair_server *s = start_server();
	char head[512], path[256], chunk[4096 + 16];
	int fd = connect_to(s), i, n;
	ssize_t sent = 1;

	(void)state;
	n = snprintf(head, sizeof(head),
		"POST %s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
		path_of(path, s, GAPS_PATH));
	assert_int_equal(send(fd, head, (size_t)n, MSG_NOSIGNAL), n);
	memset(chunk, 'x', sizeof(chunk));
	memcpy(chunk, "1000\r\n", 6);
	memcpy(chunk + 6 + 4096, "\r\n", 2);
	for (i = 0; sent > 0 && i < 1 << 14; i++)
		sent = send(fd, chunk, 6 + 4096 + 2, MSG_NOSIGNAL);
	assert_true(i < 1 << 14); /* 64 MiB were not taken */
	close(fd);
	assert_int_equal(post_gaps(s, 1, 0, MANIFEST("[0, 10]")), 200);
	pw_repair_server_stop(s);
}

/* They hold connections and send nothing, or half of a request; others are served meanwhile. */
static void slow_clients_do_not_stop_others(void **state)
{
	struct pw_repair_server *s = start_server();
	int fds[200];
	char path[256], head[512];
	uint64_t start;
	unsigned int i;
	int n;

	(void)state;
	n = snprintf(head, sizeof(head),
		"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nxx",
		path_of(path, s, GAPS_PATH));
	for (i = 0; i < 200; i++) {
		fds[i] = connect_to(s);
		if (i % 2)
			assert_int_equal(send(fds[i], head, (size_t)n, MSG_NOSIGNAL), n);
	}
	start = pw_clock_ns();
	for (i = 0; i < 20; i++)
		assert_int_equal(post_gaps(s, i, 0, MANIFEST("[0, 10]")), 200);
	assert_true(pw_clock_ns() - start < 5 * PW_NS_PER_S);
	for (i = 0; i < 200; i++)
		close(fds[i]);
	pw_repair_server_stop(s);
}

static void a_flood_of_names_from_one_host_leaves_room_for_others(void **state)
{
	struct pw_repair_table t = {.session_bytes = A_BYTES};
	struct pw_repair_report report = {0};
	struct pw_host_key a = {{1, 1}}, b = {{2, 2}};
	size_t index;
	uint64_t i;

	(void)state;
	for (i = 0; i < PW_REPAIR_MAX_OF_HOST; i++) {
		report.id = i;
		assert_int_equal(
			pw_repair_table_report(&t, a, &report, PW_REPAIR_REPORT, i, &index),
			PW_REPAIR_TAKEN);
	}
	report.id = i;
	assert_int_equal(pw_repair_table_report(&t, a, &report, PW_REPAIR_REPORT, i, &index),
		PW_REPAIR_FULL);
	assert_int_equal(pw_repair_table_report(&t, b, &report, PW_REPAIR_REPORT, i, &index),
		PW_REPAIR_TAKEN);
	pw_repair_table_finish(&t);
}

/* Receivers are told to report less often when there are many: no live one may look silent. */
static void many_receivers_are_not_silent_between_two_reports(void **state)
{
	const uint64_t s = 1000000000;
	struct pw_repair_table t = {.n = 10};

	(void)state;
	assert_int_equal(pw_repair_table_least_ms(&t), 10);
	assert_int_equal(pw_repair_table_silent_ns(&t, 10 * s), 10 * s);
	t.n = PW_REPAIR_MAX_RECEIVERS;
	assert_int_equal(pw_repair_table_least_ms(&t), 16384);
	assert_true(pw_repair_table_silent_ns(&t, 10 * s) > 2 * 16384 * s / 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(another_path_or_token_is_not_found),
		cmocka_unit_test(a_bad_message_changes_nothing),
		cmocka_unit_test(a_bomb_and_a_large_body_are_refused),
		cmocka_unit_test(an_endless_body_is_cut_off),
		cmocka_unit_test(slow_clients_do_not_stop_others),
		cmocka_unit_test(a_flood_of_names_from_one_host_leaves_room_for_others),
		cmocka_unit_test(many_receivers_are_not_silent_between_two_reports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
