/* SPDX-License-Identifier: BSD-3-Clause */
/* Checks the frames of xdp_sg, which come from the file's own pages, and the checksums of xdp_copy_csum. */
#include "kernel_raw_util.h"

#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/memfd.h>
#include <linux/sockios.h>
#include <sys/mman.h>

enum { S = 1408, HUGE_PAGE = 2 << 20 };

/* Moves the object's bytes to a file in memory, on pages of 2 MiB if `huge`, and maps it. */
static void object_in_file(struct object *ob, bool huge)
{
	const uint64_t page = huge ? HUGE_PAGE : 4096, len = ob->win.len_bytes;
	const uint64_t map_bytes = pw_align_up(len, page);
	int fd = memfd_create("object", MFD_CLOEXEC | (huge ? MFD_HUGETLB | MFD_HUGE_2MB : 0));
	void *map;

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)(huge ? map_bytes : len)), 0);
	map = mmap(NULL, map_bytes + !map_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(map, MAP_FAILED);
	while (ob->win.n_extents)
		free((void *)(uintptr_t)ob->extents[--ob->win.n_extents].va);
	memcpy(map, ob->data, len);
	ob->extents[0] = (struct pw_extent){.va = map, .iova = PW_IOVA_NONE, .len_bytes = len};
	ob->win.n_extents = len > 0;
	ob->win.pages = huge ? PW_PAGES_HUGEFILE : PW_PAGES_PAGECACHE;
	ob->win.page_bytes = page;
	ob->win.map_bytes = map_bytes;
	ob->win.map = map;
	ob->win.fd = fd;
}

static void file_object_drop(struct object *ob)
{
	munmap(ob->win.map, ob->win.map_bytes + !ob->win.map_bytes);
	close(ob->win.fd);
	free(ob->data);
}

static void file_object(
	struct object *ob, const struct pw_flow *flow, uint64_t len, uint32_t symbol_len, bool huge)
{
	object_make(ob, flow, len, symbol_len, (uint64_t[2]){UINT64_MAX, UINT64_MAX});
	object_in_file(ob, huge);
}

static void send_file(unsigned int kind, uint32_t mtu, uint32_t symbol_len, uint64_t len, bool huge)
{
	const struct pw_way *way = find("xdp_sg");
	const struct pw_flow flow = make_flow(kind);
	struct pw_way_config cfg = make_config(&flow, mtu);
	const struct pw_tx_counters *c;
	struct object ob;
	void *path;
	int fd;

	file_object(&ob, &flow, len, symbol_len, huge);
	cfg.win = &ob.win;
	path = open_way(way, &cfg);
	fd = open_sink();
	deliver(way, path, fd, &ob, 0);
	c = way->packets->counters(path);
	assert_int_equal(c->payload_bytes, len);
	assert_int_equal(c->cpu_copied_bytes, 0);
	assert_int_equal(c->cpu_read_bytes, kind & IPV6 ? len : 0);
	assert_int_equal(ob.win.n_out, 0);
	pw_way_close(path);
	assert_memory_equal(ob.win.map, ob.data, len); /* nothing was written */
	close(fd);
	file_object_drop(&ob);
}

static void frames_from_the_files_pages_arrive(void **state)
{
	static const uint64_t sizes[] = {0, 1, S - 1, S, S + 1, 4096, 700 * S + 13};
	unsigned int kind;
	size_t i;

	(void)state;
	need_link(1500);
	for (kind = 0; kind < 4; kind++)
		for (i = 0; i < PW_ARRAY_LEN(sizes); i++)
			send_file(kind, 1500, S, sizes[i], false);
}

static void jumbo_frames_from_the_files_pages_arrive(void **state)
{
	(void)state;
	need_link(9000);
	send_file(0, 9000, 8928, 700 * 8928 + 1, false);
	send_file(IPV6 | VLAN, 9000, 8900, 20 * 8900 - 1, false);
	need_link(60000);
	send_file(0, 60000, 59956, 20 * 59956 + 1, false);
}

static void frames_from_huge_pages_arrive(void **state)
{
	int fd = memfd_create("huge", MFD_CLOEXEC | MFD_HUGETLB | MFD_HUGE_2MB);
	void *map = mmap(NULL, 3 * HUGE_PAGE, PROT_READ, MAP_SHARED, fd, 0);

	(void)state;
	if (map == MAP_FAILED) {
		print_message("# skipped: no huge pages of 2 MiB are free\n");
		close(fd);
		skip();
	}
	munmap(map, 3 * HUGE_PAGE);
	close(fd);
	need_link(9000);
	send_file(0, 9000, S, 2 * HUGE_PAGE + 13, true);
	send_file(0, 9000, 8928, 2 * HUGE_PAGE + 13, true);
}

static void control_packets_arrive_beside_symbols(void **state)
{
	const struct pw_way *way = find("xdp_sg");
	const struct pw_flow flow = make_flow(0);
	struct pw_way_config cfg = make_config(&flow, 9000);
	uint8_t payload[8000], buf[10000];
	struct object ob, ctl;
	void *path;
	size_t i;
	int fd;

	(void)state;
	need_link(9000);
	memset(payload, 0x5a, sizeof(payload));
	file_object(&ob, &flow, 10 * S, S, false);
	cfg.win = &ob.win;
	path = open_way(way, &cfg);
	fd = open_sink();
	for (i = 0; i < 3; i++) {
		object_make(&ctl, &flow, sizeof(payload), sizeof(payload), (uint64_t[2]){1, 2});
		assert_int_equal(
			way->packets->send_copy(path, &ctl.o.tmpl, payload, sizeof(payload)), 1);
		assert_frame(buf, take_frame(fd, buf, sizeof(buf), 0), &ctl.o.tmpl,
			pw_be32_load(ctl.o.tmpl.bytes + ctl.o.tmpl.len - 4), payload,
			sizeof(payload));
		deliver(way, path, fd, &ob, 0);
		object_drop(&ctl);
	}
	pw_way_close(path);
	close(fd);
	file_object_drop(&ob);
}

static void expect_refusal(const struct pw_way_config *cfg, int code, const char *text)
{
	struct pw_err err = {0};
	void *path;

	assert_int_equal(pw_way_open(find("xdp_sg"), &path, cfg, &err), -code);
	assert_non_null(strstr(err.msg, text));
}

static void what_it_cannot_send_is_refused(void **state)
{
	const struct pw_way *way = find("xdp_sg");
	const struct pw_flow flow = make_flow(0);
	struct pw_way_config cfg = make_config(&flow, 1500);
	struct object ob, other;
	struct pw_err err = {0};
	void *path;

	(void)state;
	need_link(1500);
	expect_refusal(&cfg, EINVAL, "no file is named");
	file_object(&ob, &flow, 3 * S, S, false);
	file_object(&other, &flow, 3 * S, S, false);
	cfg.win = &ob.win;
	path = open_way(way, &cfg);
	assert_int_equal(way->packets->attach(path, &other.o, &err), -EOPNOTSUPP);
	assert_non_null(strstr(err.msg, "one file only"));
	pw_way_close(path);
	cfg.frame_bytes = 65535;
	expect_refusal(&cfg, EOPNOTSUPP, "smaller --mtu");
	cfg.frame_bytes = 1514;
	ob.win.pages = PW_PAGES_STAGE;
	expect_refusal(&cfg, EOPNOTSUPP, "a copy in memory");
	file_object_drop(&ob);
	file_object_drop(&other);
}

/* The kernel pins no pages of a file on a disk for long. */
static void a_file_on_a_disk_is_refused(void **state)
{
	const struct pw_flow flow = make_flow(0);
	struct pw_way_config cfg = make_config(&flow, 1500);
	char name[] = "/var/tmp/pagewire-test-XXXXXX";
	int fd = mkstemp(name);
	struct object ob;

	(void)state;
	need_link(1500);
	assert_true(fd >= 0);
	unlink(name);
	file_object(&ob, &flow, 3 * S, S, false);
	assert_int_equal(ftruncate(fd, 3 * S), 0);
	dup2(fd, ob.win.fd);
	close(fd);
	cfg.win = &ob.win;
	expect_refusal(&cfg, EOPNOTSUPP, "hugetlbfs and tmpfs");
	file_object_drop(&ob);
}

/* Off: the stack computes checksums before the frame leaves. */
static void set_tx_csum(bool on)
{
	struct ethtool_value value = {.cmd = ETHTOOL_STXCSUM, .data = on};
	struct ifreq req = {.ifr_name = TX, .ifr_data = (char *)&value};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_int_equal(ioctl(fd, SIOCETHTOOL, &req), 0);
	close(fd);
}

static void take_with_checksum(int fd, const uint8_t *payload, size_t len, bool partial)
{
	uint8_t buf[4096];
	struct pw_frame_view v;
	ssize_t n = take_frame(fd, buf, sizeof(buf), 0);

	assert_true(n > (ssize_t)len);
	assert_int_equal(pw_frame_parse(buf, (size_t)n, true, &v),
		partial ? PW_FRAME_CHECKSUM : PW_FRAME_OK);
	assert_true(v.checksum_present);
	assert_int_equal(v.checksum_partial, partial);
	assert_memory_equal(buf + (size_t)n - len, payload, len);
}

/* partial: veth claims to compute checksums, so the frame has the pseudo header's sum only. */
static void send_with_checksums(unsigned int kind, bool partial)
{
	const struct pw_way *way = find("xdp_copy_csum");
	const struct pw_flow flow = make_flow(kind);
	const struct pw_way_config cfg = make_config(&flow, 1500);
	struct pw_err err = {0};
	struct pw_tx_burst b;
	struct object ob;
	uint64_t at = 0;
	void *path;
	uint16_t i;
	int fd;

	need_link(1500);
	set_tx_csum(partial);
	object_make(&ob, &flow, 130 * S + 7, S, (uint64_t[2]){5 * S + 1, 9 * S});
	path = open_way(way, &cfg);
	fd = open_sink();
	assert_int_equal(way->packets->attach(path, &ob.o, &err), 0);
	while (at < ob.o.blocks.n_symbols) {
		b = burst_at(&ob, at, 50);
		assert_int_equal(way->packets->send(path, &b), b.n);
		for (i = 0; i < b.n; i++, at++)
			take_with_checksum(fd, ob.data + at * S,
				pw_blocks_symbol_bytes(&ob.o.blocks, at), partial);
	}
	assert_int_equal(way->packets->counters(path)->cpu_read_bytes, 0);
	assert_int_equal(way->packets->send_copy(path, &ob.o.tmpl, ob.data, S), 1);
	take_with_checksum(fd, ob.data, S, partial);
	assert_int_equal(way->packets->detach(path, &ob.o), 0);
	pw_way_close(path);
	close(fd);
	object_drop(&ob);
}

static void requested_checksums_are_right(void **state)
{
	unsigned int kind;

	(void)state;
	for (kind = 0; kind < 4; kind++)
		send_with_checksums(kind, false);
}

static void a_device_is_left_the_checksum(void **state)
{
	(void)state;
	send_with_checksums(0, true);
	send_with_checksums(IPV6, true);
}

static void no_metadata_for_frames_longer_than_a_page(void **state)
{
	const struct pw_flow flow = make_flow(0);
	const struct pw_way_config cfg = make_config(&flow, 9000);
	struct pw_err err = {0};
	void *path;

	(void)state;
	need_link(9000);
	assert_int_equal(pw_way_open(find("xdp_copy_csum"), &path, &cfg, &err), -EOPNOTSUPP);
	assert_non_null(strstr(err.msg, "--mtu of 4000"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_from_the_files_pages_arrive),
		cmocka_unit_test(jumbo_frames_from_the_files_pages_arrive),
		cmocka_unit_test(frames_from_huge_pages_arrive),
		cmocka_unit_test(control_packets_arrive_beside_symbols),
		cmocka_unit_test(what_it_cannot_send_is_refused),
		cmocka_unit_test(a_file_on_a_disk_is_refused),
		cmocka_unit_test(requested_checksums_are_right),
		cmocka_unit_test(a_device_is_left_the_checksum),
		cmocka_unit_test(no_metadata_for_frames_longer_than_a_page),
	};

	make_net();
	return cmocka_run_group_tests_name("kernel_sg", tests, NULL, NULL);
}
