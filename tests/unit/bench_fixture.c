/* SPDX-License-Identifier: BSD-3-Clause */
#include "bench_fixture.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

#define ROUNDS 7

/* An invented way: what it would cost with large files. */
struct model {
	const char *way, *label, *pages;
	double gbps, user_us, system_us, machine_us, softirq_us, calls, faults;
	double copies; /* measured; NaN: not */
	double expected;
	double zc_copied, loss, cycles;
	double setup_s;
	bool stream, bypass;
	const char *skipped;
};

static const struct model loopback[] = {
	{"read_write", "read_write", "hugetlbfs", 24.1, 12, 310, 640, 96, 32, 0, 2.0, 2, NAN, NAN,
		0, 0.004, true, false, NULL},
	{"mmap_write", "mmap_write", "hugetlbfs", 31.8, 9, 236, 551, 91, 16, 0.01, 1.0, 1, NAN, NAN,
		0, 0.004, true, false, NULL},
	{"sendfile", "sendfile", "tmpfs", 41.6, 2, 171, 428, 88, 1.1, 0, 0, 0, NAN, NAN, 0, 0.004,
		true, false, NULL},
	{"splice", "splice", "tmpfs", 36.0, 8, 205, 470, 90, 33, 0, 0, 0, NAN, NAN, 0, 0.004, true,
		false, NULL},
	{"msg_zerocopy", "msg_zerocopy", "hugetlbfs", 22.9, 11, 330, 655, 101, 48, 0, 1.0, 1, 1,
		NAN, 0, 0.004, true, false, NULL},
	{"uring_send_zc", "uring_send_zc", "hugetlbfs", 23.7, 10, 321, 640, 99, 17, 0, 1.0, 1, 1,
		NAN, 0, 0.005, true, false, NULL},
	{"udp_mmap_sendmsg", "udp_mmap_sendmsg", "hugetlbfs", 3.71, 190, 1950, 3890, 940, 695, 0.2,
		1.01, 1, NAN, 0, 0, 0.003, false, false, NULL},
	{"udp_sendmmsg", "udp_sendmmsg", "hugetlbfs", 4.02, 160, 1810, 3610, 930, 10.9, 0.2, 1.01,
		1, NAN, 0, 0, 0.003, false, false, NULL},
	{"udp_gso", "udp_gso", "hugetlbfs", 13.4, 60, 520, 1150, 260, 15.8, 0.2, 1.01, 1, NAN,
		0.0003, 0, 0.003, false, false, NULL},
};

static const struct model veth[] = {
	{"sendfile", "sendfile", "tmpfs", 33.2, 2, 205, 530, 111, 1.1, 0, 0, 0, NAN, NAN, 0, 0.004,
		true, false, NULL},
	{"udp_read_send", "udp_read_send", "hugetlbfs", 3.01, 300, 2360, 4300, 1030, 1390, 0.1,
		2.01, 2, NAN, 0, 0, 0.003, false, false, NULL},
	{"udp_gso", "udp_gso", "hugetlbfs", 12.1, 60, 590, 1310, 310, 15.8, 0.2, 1.01, 1, NAN,
		0.0041, 0, 0.003, false, false, NULL},
	{"udp_zerocopy", "udp_zerocopy", "hugetlbfs", 6.9, 110, 1020, 1900, 420, 31, 0.2, 1.01, 1,
		1, 0, 0, 0.003, false, false, NULL},
	{"packet_send", "packet_send", "hugetlbfs", 3.3, 260, 2120, 3900, 980, 695, 0.2, 1.01, 1,
		NAN, 0, 0, 0.003, false, false, NULL},
	{"packet_tx_ring", "packet_tx_ring", "hugetlbfs", 4.4, 390, 1400, 3300, 880, 10.9, 0.2,
		2.01, 2, NAN, 0.11, 0, 0.009, false, false, NULL},
	{"xdp_zerocopy", "xdp_zerocopy", "hugetlbfs", 0, 0, 0, 0, 0, 0, 0, 0, 1, NAN, 0, 0, 0,
		false, false, "open AF_XDP socket on pwa: veth has no zero-copy driver; use a NIC"},
	{"dpdk_af_packet", "dpdk_af_packet/hugefile", "hugetlbfs", 4.1, 720, 1210, 3400, 890, 10.9,
		0, NAN, 2, NAN, 0.02, 905, 0.61, false, true, NULL},
	{"dpdk_af_xdp", "dpdk_af_xdp/hugefile", "hugetlbfs", 5.2, 610, 920, 2900, 700, 11, 0, NAN,
		2, NAN, 0, 720, 0.72, false, true, NULL},
};

static const struct model vhost[] = {
	{"dpdk_vhost", "dpdk_vhost/hugefile", "hugetlbfs", 75.4, 106, 0.4, 214, 0.2, 0, 0, NAN, 1,
		NAN, 0, 361, 0.84, false, true, NULL},
	{"dpdk_vhost", "dpdk_vhost/pagecache", "tmpfs", 71.0, 112, 0.4, 226, 0.2, 0, 0, NAN, 1, NAN,
		0, 380, 0.79, false, true, NULL},
	{"dpdk_virtio_user", "dpdk_virtio_user/stage", "tmpfs", 66.2, 121, 0.5, 243, 0.2, 0, 0, 0,
		0, NAN, 0, 61, 1.13, false, true, NULL},
};

static const struct model null[] = {
	{"dpdk_null", "dpdk_null/hugefile", "hugetlbfs", 731, 10.9, 0.01, 11.6, 0.02, 0, 0, 0, 0,
		NAN, NAN, 41.2, 0.55, false, true, NULL},
	{"dpdk_null", "dpdk_null/stage", "tmpfs", 744, 10.7, 0.01, 11.5, 0.02, 0, 0, 1, 1, NAN, NAN,
		40.6, 0.81, false, true, NULL},
};

static const struct place {
	enum pw_wire_kind wire;
	const struct model *models;
	size_t n;
	uint64_t file_bytes;
	uint32_t mtu;
	bool cold;
} places[] = {
	{PW_WIRE_LOOPBACK, loopback, PW_ARRAY_LEN(loopback), 4096, 1500, false},
	{PW_WIRE_LOOPBACK, loopback, PW_ARRAY_LEN(loopback), 65536, 1500, false},
	{PW_WIRE_LOOPBACK, loopback, PW_ARRAY_LEN(loopback), 1 << 20, 1500, false},
	{PW_WIRE_LOOPBACK, loopback, PW_ARRAY_LEN(loopback), 64 << 20, 1500, false},
	{PW_WIRE_VETH, veth, PW_ARRAY_LEN(veth), 4096, 1500, false},
	{PW_WIRE_VETH, veth, PW_ARRAY_LEN(veth), 1 << 20, 1500, false},
	{PW_WIRE_VETH, veth, PW_ARRAY_LEN(veth), 64 << 20, 1500, false},
	{PW_WIRE_VETH, veth, PW_ARRAY_LEN(veth), 64 << 20, 9000, false},
	{PW_WIRE_VHOST, vhost, PW_ARRAY_LEN(vhost), 4096, 1500, false},
	{PW_WIRE_VHOST, vhost, PW_ARRAY_LEN(vhost), 1 << 20, 1500, false},
	{PW_WIRE_VHOST, vhost, PW_ARRAY_LEN(vhost), 64 << 20, 1500, false},
	{PW_WIRE_NULL, null, PW_ARRAY_LEN(null), 64 << 20, 1500, false},
};

void bench_fixture_samples(struct pw_row *row, size_t n)
{
	size_t i, m;

	row->samples = calloc(n ? n : 1, sizeof(*row->samples));
	assert(row->samples);
	row->n_samples = n;
	for (i = 0; i < n; i++) {
		row->samples[i].round = (uint32_t)i;
		row->samples[i].proof = PW_PROOF_DIGEST;
		for (m = 0; m < PW_N_METRICS; m++)
			row->samples[i].v[m] = NAN;
	}
}

void bench_fixture_rows(struct pw_bench_result *r, size_t n)
{
	size_t i;

	memset(r, 0, sizeof(*r));
	r->command = "pagewire bench --quick";
	r->profile = "quick";
	r->baseline = "udp_gso";
	r->rounds = 5;
	r->seed = 42;
	r->seconds = 1;
	r->rows = calloc(n ? n : 1, sizeof(*r->rows));
	assert(r->rows);
	r->n_rows = n;
	for (i = 0; i < n; i++) {
		struct pw_row *row = &r->rows[i];

		row->way = row->label = "udp_gso";
		row->pages = "hugetlbfs";
		row->wire = PW_WIRE_VETH;
		row->file_bytes = 64 << 20;
		row->mtu = 1500;
		row->expected = (struct pw_expected){NAN, NAN, "not derived"};
	}
}

static double wobble(struct pw_random *random, double v, double share)
{
	return v * (1 + share * ((double)pw_random_below(random, 2001) / 1000 - 1));
}

static void fill_sample(
	struct pw_sample *s, const struct model *m, const struct place *p, struct pw_random *random)
{
	double speed = wobble(random, m->gbps * (p->mtu > 1500 && !m->stream ? 3.1 : 1), 0.04);
	double small = (double)p->file_bytes / ((double)p->file_bytes + 3e5);
	double cost = wobble(random, m->gbps * small / speed, 0.02),
	       mb = (double)p->file_bytes * 1e-6;

	s->v[PW_M_GOODPUT] = speed * small * 1e9;
	s->v[PW_M_PACKETS] = m->stream ? NAN : s->v[PW_M_GOODPUT] / 8 / (p->mtu - 60);
	s->v[PW_M_CPU_USER] = m->user_us * 1e3 * cost / small;
	s->v[PW_M_CPU_SYSTEM] = m->system_us * 1e3 * cost / small;
	s->v[PW_M_CPU] = s->v[PW_M_CPU_USER] + s->v[PW_M_CPU_SYSTEM];
	s->v[PW_M_MACHINE] = m->machine_us * 1e3 * cost / small;
	s->v[PW_M_SOFTIRQ] = m->softirq_us * 1e3 * cost / small;
	s->v[PW_M_SYSCALLS] = m->calls + (m->bypass ? 0 : 1 / mb);
	s->v[PW_M_USER_FAULTS] = m->faults;
	s->v[PW_M_KERNEL_FAULTS] = m->stream && !m->bypass ? 0.4 : 0;
	s->v[PW_M_SWITCHES] = 2 * (s->v[PW_M_SYSCALLS] + m->faults);
	s->v[PW_M_VOLUNTARY] = m->stream ? 3.1 : 0;
	s->v[PW_M_INVOLUNTARY] = 0.02;
	s->v[PW_M_OWN_COPIES] = 0;
	s->v[PW_M_ZC_COPIED] = m->zc_copied;
	s->v[PW_M_LOSS] = m->loss;
	s->v[PW_M_SETUP] = wobble(random, m->setup_s, 0.1);
	s->v[PW_M_SETUP_GOODPUT] = 8e6 * mb / (8e6 * mb / s->v[PW_M_GOODPUT] + s->v[PW_M_SETUP]);
	if (m->cycles > 0) {
		s->v[PW_M_BUSY_CYCLES] = wobble(random, m->cycles, 0.02);
		s->v[PW_M_IDLE_SHARE] = p->wire == PW_WIRE_VHOST ? 0.11 : 0.004;
	}
}

static void fill_row(
	struct pw_row *row, const struct model *m, const struct place *p, struct pw_random *random)
{
	struct pw_sample *s;
	size_t i;

	*row = (struct pw_row){.way = m->way,
		.label = m->label,
		.pages = m->pages,
		.bypass = m->bypass,
		.stream = m->stream,
		.wire = p->wire,
		.file_bytes = p->file_bytes,
		.mtu = p->mtu,
		.cold = p->cold,
		.expected = {m->expected, p->cold, "ip_generic_getfrag -> _copy_from_iter"}};
	row->not_measured[PW_M_HW_CYCLES] = row->not_measured[PW_M_INSTRUCTIONS] =
		row->not_measured[PW_M_LLC_MISSES] = "perf counts no hardware events in this VM";
	if (isnan(m->copies))
		row->not_measured[PW_M_COPIES] =
			"the driver's rte_memcpy is inlined: no probe sees it";
	if (m->skipped) {
		snprintf(row->skipped, sizeof(row->skipped), "%s", m->skipped);
		return;
	}
	bench_fixture_samples(row, ROUNDS + 2);
	for (i = 0; i < row->n_samples; i++) {
		s = &row->samples[i];
		fill_sample(s, m, p, random);
		s->proof = p->wire == PW_WIRE_NULL ? PW_PROOF_NONE
			   : m->loss > 0           ? PW_PROOF_COMPARED
						   : PW_PROOF_DIGEST;
		s->v[PW_M_COPIES] = i > ROUNDS ? m->copies : m->copies + 100;
		s->evidence = i > ROUNDS;
	}
}

static void fill_env(struct pw_env *env)
{
	static const struct pw_env_item items[] = {
		{"date", "2026-11-23T08:00:00Z"},
		{"kernel", "Linux 6.1.0-28-amd64 (invented)"},
		{"cpu_model", "Example CPU 7452, 2.60 GHz"},
		{"cpus", "2"},
		{"governor", ""},
		{"mitigations", "spectre_v2: Retpolines; meltdown: Not affected; <none>"},
		{"hugepages_2M", "1024, of them 512 free"},
		{"pagewire", "0.1.0 (git 9490b8f)"},
		{"dpdk", "22.11.11"},
	};
	size_t i;

	for (i = 0; i < PW_ARRAY_LEN(items); i++)
		env->items[env->n++] = items[i];
}

void bench_fixture_fill(struct pw_bench_result *r)
{
	struct pw_random random;
	size_t i, k, n = 0;

	for (i = 0; i < PW_ARRAY_LEN(places); i++)
		n += places[i].n;
	bench_fixture_rows(r, n);
	fill_env(&r->env);
	r->rounds = ROUNDS;
	r->command = "pagewire bench --wires loopback,veth,vhost,null --report out";
	r->profile = "full";
	r->seconds = 412;
	pw_random_init(&random, 1);
	for (i = 0, n = 0; i < PW_ARRAY_LEN(places); i++)
		for (k = 0; k < places[i].n; k++)
			fill_row(&r->rows[n++], &places[i].models[k], &places[i], &random);
	/* one row of veth lost a round, another all of them */
	for (i = 0; i < n; i++) {
		struct pw_row *row = &r->rows[i];

		if (row->wire != PW_WIRE_VETH || row->file_bytes < 64 << 20)
			continue;
		for (k = 0; k < row->n_samples; k++)
			if (strcmp(row->way, "packet_send") == 0 ||
				(k == 3 && strcmp(row->way, "udp_gso") == 0))
				snprintf(row->samples[k].void_why, sizeof(row->samples[k].void_why),
					"%s",
					k == 3 ? "the bytes that arrived are not the file's"
					       : "no packet came within 10 s; is the link up?");
	}
	pw_result_summarize(r);
}
