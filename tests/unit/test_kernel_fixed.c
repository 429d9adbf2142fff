/* SPDX-License-Identifier: BSD-3-Clause */
/* Checks uring_sendmsg_zc from registered memory: datagrams, trains, and what it does where it cannot register. */
#include "kernel_udp_util.h"

struct warnings {
	unsigned int n;
	char last[256];
};

static void count_warning(void *ctx, enum pw_log_level level, const char *line)
{
	struct warnings *w = ctx;

	(void)level;
	if (!strstr(line, "pins its own pages"))
		return;
	w->n++;
	snprintf(w->last, sizeof(w->last), "%s", line);
}

/* The object is in a file in memory already: this window says so. */
static void map_object(struct object *ob)
{
	uint64_t map_bytes = pw_align_up(ob->win.len_bytes, 4096);

	ob->win.pages = PW_PAGES_PAGECACHE;
	ob->win.map_bytes = map_bytes;
}

static bool send_object(uint64_t len, uint32_t symbol_len, bool v6, struct warnings *w)
{
	const struct pw_log log = {.level = PW_LOG_WARN, .sink = count_warning, .ctx = w};
	const struct pw_way *way = find_way("uring_sendmsg_zc");
	const struct pw_flow flow = make_flow(v6);
	struct pw_way_config cfg = make_config(&flow);
	const struct pw_tx_counters *c;
	struct object ob;
	void *path;
	int fd;

	object_make(&ob, &flow, len, symbol_len, (uint64_t[2]){len / 3, len / 2});
	map_object(&ob);
	cfg.win = &ob.win;
	cfg.log = &log;
	path = open_way(way, &cfg);
	fd = open_sink(&flow);
	deliver(way, path, fd, &ob, 0);
	c = way->packets->counters(path);
	assert_int_equal(c->payload_bytes, len);
	assert_int_equal(c->cpu_copied_bytes, 0);
	assert_int_equal(c->zc_copied, c->zc_done); /* loopback copies */
	assert_true(c->zc_done > 0);
	/* trains: fewer calls than packets */
	assert_true(ob.o.blocks.n_symbols < 100 || c->zc_done < ob.o.blocks.n_symbols / 2);
	pw_way_close(path);
	close(fd);
	object_drop(&ob);
	return w->n == 0;
}

static void registered_objects_of_any_size_arrive(void **state)
{
	static const uint64_t sizes[] = {1, 1407, 1408, 1409, 4096, 900 * 1408 + 13};
	struct warnings w = {0};
	size_t i;

	(void)state;
	need_net();
	for (i = 0; i < PW_ARRAY_LEN(sizes); i++)
		if (!send_object(sizes[i], 1408, i % 2 == 1, &w)) {
			print_message("# skipped: %s\n", w.last);
			skip();
		}
	/* a datagram of more pieces than an skb has: sent with a copy */
	send_object(20 * 65000 + 1, 65000, false, &w);
}

static void a_file_on_a_disk_is_sent_without_registering_it(void **state)
{
	char name[] = "/var/tmp/pagewire-test-XXXXXX";
	const struct pw_flow flow = make_flow(false);
	const struct pw_way *way = find_way("uring_sendmsg_zc");
	struct pw_way_config cfg = make_config(&flow);
	struct warnings w = {0};
	const struct pw_log log = {.level = PW_LOG_WARN, .sink = count_warning, .ctx = &w};
	struct object ob;
	void *path;
	int disk = mkstemp(name), fd;

	(void)state;
	need_net();
	assert_true(disk >= 0);
	unlink(name);
	object_make(&ob, &flow, 50 * 1408, 1408, (uint64_t[2]){1, 2});
	map_object(&ob);
	assert_int_equal(pwrite(disk, ob.data, ob.win.len_bytes, 0), ob.win.len_bytes);
	dup2(disk, ob.win.fd);
	close(disk);
	cfg.win = &ob.win;
	cfg.log = &log;
	path = open_way(way, &cfg);
	assert_int_equal(w.n, 1);
	fd = open_sink(&flow);
	deliver(way, path, fd, &ob, 0);
	pw_way_close(path);
	close(fd);
	object_drop(&ob);
}

static void another_file_is_refused(void **state)
{
	const struct pw_flow flow = make_flow(false);
	const struct pw_way *way = find_way("uring_sendmsg_zc");
	struct pw_way_config cfg = make_config(&flow);
	struct warnings w = {0};
	const struct pw_log log = {.level = PW_LOG_WARN, .sink = count_warning, .ctx = &w};
	struct object ob, other;
	struct pw_err err = {0};
	void *path;
	int r;

	(void)state;
	need_net();
	object_make(&ob, &flow, 5 * 1408, 1408, (uint64_t[2]){1, 2});
	object_make(&other, &flow, 5 * 1408, 1408, (uint64_t[2]){1, 2});
	map_object(&ob);
	cfg.win = &ob.win;
	cfg.log = &log;
	path = open_way(way, &cfg);
	r = way->packets->attach(path, &other.o, &err);
	assert_int_equal(r, w.n ? 0 : -EOPNOTSUPP); /* not registered: any file */
	if (r)
		assert_non_null(strstr(err.msg, "one file only"));
	pw_way_close(path);
	object_drop(&ob);
	object_drop(&other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(registered_objects_of_any_size_arrive),
		cmocka_unit_test(a_file_on_a_disk_is_sent_without_registering_it),
		cmocka_unit_test(another_file_is_refused),
	};

	return cmocka_run_group_tests_name("kernel_fixed", tests, NULL, NULL);
}
