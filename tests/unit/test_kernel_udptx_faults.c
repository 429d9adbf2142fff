/* SPDX-License-Identifier: BSD-3-Clause */
/* The datagram ways' faults and errors: caused by the receiver, the host, or the file. */
#include "kernel_udp_util.h"

#include <sys/resource.h>
#include <sys/wait.h>

static const uint64_t whole[2] = {UINT64_MAX, UINT64_MAX};

/* Sends until the path has a fault, a few seconds at most. */
static const char *send_until_fault(const struct pw_way *way, void *path, struct object *ob)
{
	uint64_t start = pw_clock_ns();
	uint32_t i;

	for (i = 0; !way->packets->fault(path) && pw_clock_ns() - start < 5 * PW_NS_PER_S; i++) {
		struct pw_tx_burst b = burst_at(ob, i % ob->o.blocks.n_symbols, PW_BURST);
		uint64_t called = pw_clock_ns();

		way->packets->send(path, &b);
		assert_true(pw_clock_ns() - called < PW_NS_PER_S);
	}
	return way->packets->fault(path);
}

/* With a fault, sends return 0 at once, and the kernel keeps no page. */
static void assert_broken(const struct pw_way *way, void *path, struct object *ob, const char *why)
{
	const char *fault = send_until_fault(way, path, ob);
	uint64_t polls, start = pw_clock_ns();
	struct pw_tx_burst b = burst_at(ob, 0, 5);

	if (!fault || !strstr(fault, why))
		fail_msg("%s, not \"%s\"", fault ? fault : "no fault", why);
	assert_false(way->packets->alive(path));
	polls = way->packets->counters(path)->full_polls;
	assert_int_equal(way->packets->send(path, &b), 0);
	assert_int_equal(way->packets->send_copy(path, &ob->o.tmpl, "", 0), 0);
	assert_int_equal(way->packets->counters(path)->full_polls, polls + 2);
	assert_ptr_equal(way->packets->fault(path), fault);
	detach(way, path, ob);
	pw_way_close(path);
	assert_true(pw_clock_ns() - start < PW_NS_PER_S);
}

static void a_receiver_that_closes_is_a_fault(void **state)
{
	const struct pw_way *way = find_way(*state);
	int v6;

	for (v6 = 0; v6 < 2; v6++) {
		struct pw_flow flow = make_flow(v6);
		struct pw_way_config cfg = make_config(&flow);
		struct object ob;
		void *path;
		int fd;

		need_net();
		path = open_way(way, &cfg);
		fd = open_sink(&flow);
		object_make(&ob, &flow, 300 * 1440, 1440, whole);
		deliver(way, path, fd, &ob, 0);
		assert_true(way->packets->alive(path));
		close(fd);
		assert_broken(way, path, &ob, "no process listens");
		object_drop(&ob);
	}
}

/* A receiver that has all its files ends before the last packets; another one restarts. */
static void a_receiver_that_is_away_for_a_moment_is_none(void **state)
{
	const struct pw_way *way = find_way(*state);
	struct pw_flow flow = make_flow(false);
	struct pw_way_config cfg = make_config(&flow);
	struct object ob;
	uint64_t start;
	void *path;
	int fd, i;

	need_net();
	path = open_way(way, &cfg);
	object_make(&ob, &flow, 300 * 1440, 1440, whole);
	attach(way, path, &ob);
	start = pw_clock_ns();
	for (i = 0; pw_clock_ns() - start < PW_NS_PER_S / 3; i++) {
		struct pw_tx_burst b = burst_at(&ob, i % 300u, 3);

		way->packets->send(path, &b);
		way->packets->send_copy(path, &ob.o.tmpl, "", 0);
		assert_null(way->packets->fault(path));
	}
	fd = open_sink(&flow);
	let_go(way, path);
	/* a refusal may still wait in the socket */
	way->packets->send_copy(path, &ob.o.tmpl, "", 0);
	way->packets->send_copy(path, &ob.o.tmpl, "", 0);
	usleep(10000);
	while (recv(fd, &i, sizeof(i), MSG_DONTWAIT) >= 0)
		;
	deliver(way, path, fd, &ob, 0);
	pw_way_close(path);
	object_drop(&ob);
	close(fd);
}

static void a_smaller_mtu_is_a_fault(void **state)
{
	const struct pw_way *way = find_way(*state);
	struct pw_flow flow = make_flow(false);
	struct pw_way_config cfg = make_config(&flow);
	struct object ob;
	void *path;
	int fd;

	need_net();
	path = open_way(way, &cfg);
	fd = open_sink(&flow);
	object_make(&ob, &flow, 300 * 1440, 1440, whole);
	deliver(way, path, fd, &ob, 0);
	set_lo_mtu(1300);
	assert_broken(way, path, &ob, "MTU of 1300");
	object_drop(&ob);
	close(fd);
}

static void packets_longer_than_the_mtu_are_refused(void **state)
{
	const struct pw_way *way = find_way(*state);
	struct pw_flow flow = make_flow(false);
	struct pw_way_config cfg = make_config(&flow);
	struct pw_err err = {0};
	struct object ob;
	void *path;

	need_net();
	set_lo_mtu(1500);
	path = open_way(way, &cfg);
	/* 20 of IPv4, 8 of UDP, 16 of ALC */
	object_make(&ob, &flow, 30000, 1456, whole);
	attach(way, path, &ob);
	detach(way, path, &ob);
	object_drop(&ob);
	object_make(&ob, &flow, 30000, 1457, whole);
	assert_int_equal(way->packets->attach(path, &ob.o, &err), -EMSGSIZE);
	assert_non_null(strstr(err.msg, "--mtu"));
	object_drop(&ob);
	pw_way_close(path);
}

/* When the kernel reads the page, this process gets no SIGBUS: the call fails instead. */
static void a_truncated_file_is_a_fault(void **state)
{
	const struct pw_way *way = find_way(*state);
	struct pw_flow flow = make_flow(false);
	struct pw_way_config cfg = make_config(&flow);
	struct object ob;
	const uint8_t *was;
	void *path, *map;
	int fd;

	need_net();
	path = open_way(way, &cfg);
	fd = open_sink(&flow);
	object_make(&ob, &flow, 200000, 1440, whole);
	map = mmap(NULL, 200000, PROT_READ, MAP_SHARED, ob.win.fd, 0);
	assert_true(map != MAP_FAILED);
	was = ob.extents[0].va;
	ob.extents[0].va = map;
	attach(way, path, &ob);
	assert_int_equal(ftruncate(ob.win.fd, 8192), 0);
	assert_broken(way, path, &ob, "truncated");
	ob.extents[0].va = was;
	munmap(map, 200000);
	object_drop(&ob);
	close(fd);
}

static void errors_name_their_fix(void **state)
{
	const struct pw_way *way = find_way(*state);
	struct pw_flow flow = make_flow(false);
	struct pw_way_config cfg = make_config(&flow);
	struct pw_err err = {0};
	void *path;

	need_net();
	cfg.interface = "nosuch0";
	assert_int_equal(pw_way_open(way, &path, &cfg, &err), -ENODEV);
	assert_null(path);
	assert_non_null(strstr(err.msg, "ip -br link"));
	cfg.interface = NULL;
	assert_int_equal(pw_addr_parse("dst", "192.0.2.1", PORT, &cfg.flow.dst, NULL), 0);
	assert_int_equal(pw_way_open(way, &path, &cfg, &err), -ENETUNREACH);
	assert_non_null(strstr(err.msg, "ip route get"));
	cfg = make_config(&flow);
	assert_int_equal(pw_addr_parse("src", "192.0.2.1", PORT, &cfg.flow.src, NULL), 0);
	assert_int_equal(pw_way_open(way, &path, &cfg, &err), -EADDRNOTAVAIL);
	assert_non_null(strstr(err.msg, "ip -br addr"));
	cfg.flow.dst.port = 0;
	assert_int_equal(pw_way_open(way, &path, &cfg, &err), -EINVAL);
	assert_null(path);
	pw_way_close(NULL);
}

/* A veth pair into a namespace without a receiver: the interface's queue holds what is sent. */
static void slow_down_pwtx(void)
{
	if (system("ip link add pwtx type veth peer name pwrx 2>/dev/null && "
		   "ip link set pwrx up && ip link set pwtx up && "
		   "ip addr add 10.9.0.1/24 dev pwtx && "
		   "ip neigh add 10.9.0.2 lladdr 02:00:00:00:00:02 dev pwtx && "
		   "tc qdisc add dev pwtx root tbf rate 8kbit burst 20kb limit 100mb "
		   "2>/dev/null") != 0) {
		print_message("# skipped: no veth, or no tc with tbf\n");
		skip();
	}
}

/* The socket's buffer fills up: calls sleep, 100 ms at most, and return 0. Meanwhile the kernel keeps the
 * pages, and the file cannot be detached. */
static void a_full_queue_is_waited_for(void **state)
{
	const struct pw_way *way = find_way(*state);
	struct pw_flow flow = make_flow(false);
	struct pw_way_config cfg;
	uint64_t start, called, polls = 0, n = 0;
	struct object ob;
	void *path;

	need_net();
	slow_down_pwtx();
	assert_int_equal(pw_addr_parse("dst", "10.9.0.2", PORT, &flow.dst, NULL), 0);
	flow.src = (struct pw_addr){0};
	cfg = make_config(&flow);
	path = open_way(way, &cfg);
	object_make(&ob, &flow, 3000 * 1440, 1440, whole);
	attach(way, path, &ob);
	start = pw_clock_ns();
	while (polls < 3 && pw_clock_ns() - start < 10 * PW_NS_PER_S) {
		struct pw_tx_burst b = burst_at(&ob, n % 2900, PW_BURST);

		called = pw_clock_ns();
		n += way->packets->send(path, &b);
		assert_true(pw_clock_ns() - called < PW_NS_PER_S);
		polls = way->packets->counters(path)->full_polls;
	}
	assert_int_equal(polls, 3);
	assert_int_equal(way->packets->counters(path)->packets, n);
	assert_null(way->packets->fault(path));
	assert_true(way->packets->alive(path));
	if (way->zerocopy) {
		assert_true(way->packets->outstanding(path) > 0);
		assert_int_equal(way->packets->outstanding(path), ob.win.n_out);
		assert_int_equal(way->packets->detach(path, &ob.o), -EBUSY);
		/* delete the interface, and so its queue */
		sh("ip link del pwtx");
		let_go(way, path);
		/* veth copies; packets that were dropped unsent were not copied */
		assert_true(way->packets->counters(path)->zc_copied <
			    way->packets->counters(path)->zc_done);
	}
	detach(way, path, &ob);
	start = pw_clock_ns();
	pw_way_close(path);
	assert_true(pw_clock_ns() - start < 2 * PW_NS_PER_S);
	object_drop(&ob);
}

/* Closing while the kernel still has pages takes a bounded time, and may unmap the headers. */
static void closing_with_pages_out_is_bounded(void **state)
{
	const struct pw_way *way = find_way(*state);
	struct pw_flow flow = make_flow(false);
	struct pw_way_config cfg;
	struct pw_tx_burst b;
	struct object ob;
	uint64_t start;
	uint16_t n;
	void *path;

	need_net();
	slow_down_pwtx();
	assert_int_equal(pw_addr_parse("dst", "10.9.0.2", PORT, &flow.dst, NULL), 0);
	flow.src = (struct pw_addr){0};
	cfg = make_config(&flow);
	path = open_way(way, &cfg);
	object_make(&ob, &flow, 60 * 1440, 1440, whole);
	attach(way, path, &ob);
	for (n = 0; n < 60; n = (uint16_t)(n + way->packets->send(path, &b)))
		b = burst_at(&ob, n, PW_BURST);
	start = pw_clock_ns();
	pw_way_close(path);
	assert_true(pw_clock_ns() - start < 3 * PW_NS_PER_S / 2);
	object_drop(&ob);
}

/* As user nobody, with a limit of one locked page. */
static int without_memory(const struct pw_way *way)
{
	const struct rlimit one_page = {4096, 4096};
	struct pw_flow flow = make_flow(false);
	struct pw_way_config cfg = make_config(&flow);
	struct pw_err err = {0};
	const char *fault;
	struct object ob;
	void *path;

	if (setrlimit(RLIMIT_MEMLOCK, &one_page) < 0 || setresgid(65534, 65534, 65534) < 0 ||
		setresuid(65534, 65534, 65534) < 0)
		return 77;
	if (pw_way_open(way, &path, &cfg, &err) < 0)
		return strstr(err.msg, "memlock") ? 0 : 1;
	object_make(&ob, &flow, 100 * 1440, 1440, whole);
	fault = send_until_fault(way, path, &ob);
	return fault && strstr(fault, "memlock") ? 0 : 2;
}

static void no_memory_to_lock_is_a_fault_that_names_its_fix(void **state)
{
	const struct pw_way *way = find_way(*state);
	struct pw_flow flow = make_flow(false);
	int status, fd;
	pid_t pid;

	need_net();
	fd = open_sink(&flow);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(without_memory(way));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(fd);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH_WAY(a_receiver_that_closes_is_a_fault),
		EACH_WAY(a_receiver_that_is_away_for_a_moment_is_none),
		EACH_WAY(a_smaller_mtu_is_a_fault),
		EACH_WAY(packets_longer_than_the_mtu_are_refused),
		EACH_WAY(a_truncated_file_is_a_fault),
		EACH_WAY(errors_name_their_fix),
		EACH_WAY(a_full_queue_is_waited_for),
		EACH_ZEROCOPY_WAY(closing_with_pages_out_is_bounded),
		EACH_ZEROCOPY_WAY(no_memory_to_lock_is_a_fault_that_names_its_fix),
	};

	return cmocka_run_group_tests_name("kernel_udptx_faults", tests, NULL, NULL);
}
