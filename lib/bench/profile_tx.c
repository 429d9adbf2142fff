/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * --profile tx-cost: compares the sender's cycles per packet with those of DPDK's own packet generator, which
 * sends the same two segments repeatedly. There is no wire: the null port frees what it gets.
 *
 *   send, file on hugetlbfs   -> net_null   header mbuf + page of 1440 bytes
 *   testpmd txonly            -> net_null   mbufs of 62 and 1440 bytes
 *
 * Cycles of the TSC, both as the programs themselves count them. testpmd's are those inside its
 * forwarding function; ours are those of the whole loop, the choice of the symbols included.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "bench/profiles.h"
#include "bench/prog.h"
#include "bench/store.h"

#define FILE_BYTES (1ull << 30)
#define EAL_BYTES  (320ull << 20)
#define LIMIT_NS   (30 * PW_NS_PER_S)
#define RUN_MS     400 /* about what a pass over the file takes */

struct tx_profile {
	const struct pw_profile_options *opt;
	struct pw_store store;
};

static int measure_send(void *arg, double *value, struct pw_err *err)
{
	const struct tx_profile *t = arg;
	struct pw_prog p = {0};
	char self[256], core[16];
	const char *const argv[] = {pw_prog_self(self, sizeof(self)), "send",
		t->store.files[0].huge, "--port", "null", "--to", "239.77.0.1", "--symbol", "1440",
		"--core", core, "--digest", "none", "--lead", "0ms", "--loop", "20", "--json",
		"--quiet", NULL};
	int r;

	if (!t->store.huge)
		return pw_err_set(err, ENOMEM, "%s", t->store.huge_why);
	snprintf(core, sizeof(core), "%d", t->opt->source_cpu);
	r = pw_prog_run(&p, argv, -1, LIMIT_NS, t->opt->stopped, err);
	*value = pw_prog_number(&p, "busy_cycles_per_packet");
	pw_prog_drop(&p);
	return r;
}

/* Starts testpmd, waits, and stops it: then it reports the cycles per packet. */
static int forward(struct pw_prog *p, struct pw_err *err)
{
	const struct timespec pause = {.tv_nsec = RUN_MS * 1000000l};
	int r = pw_prog_until(p, "testpmd>", LIMIT_NS, err);

	if (r == 0)
		r = pw_prog_say(p, "start\n", err);
	if (r == 0)
		r = pw_prog_until(p, "TX offloads=", LIMIT_NS, err);
	if (r)
		return r;
	nanosleep(&pause, NULL);
	r = pw_prog_say(p, "stop\n", err);
	return r ? r : pw_prog_until(p, "MHz Clock", LIMIT_NS, err);
}

static int measure_testpmd(void *arg, double *value, struct pw_err *err)
{
	static const char key[] = "CPU cycles/packet=";
	const struct tx_profile *t = arg;
	struct pw_prog p = {0};
	const char *at = NULL;
	char lcores[48];
	/* its main core only waits for commands */
	const char *const argv[] = {"stdbuf", "-oL", "dpdk-testpmd", "--no-pci", "--in-memory",
		"-m", "256", "--no-telemetry", "--lcores", lcores, "--vdev", "net_null0", "--",
		"-i", "--forward-mode=txonly", "--txpkts=62,1440", "--record-core-cycles",
		"--total-num-mbufs=8192", NULL};
	int r;

	snprintf(lcores, sizeof(lcores), "0@%d,1@%d", t->opt->sink_cpu, t->opt->source_cpu);
	r = pw_prog_start(&p, argv, -1, t->opt->stopped, err);
	if (r == 0)
		r = forward(&p, err);
	if (r == 0)
		at = p.out.s ? strstr(p.out.s, key) : NULL;
	*value = at ? strtod(at + strlen(key), NULL) : NAN;
	if (r == 0 && !at)
		r = pw_err_set(err, EIO, "cannot read testpmd's output: no cycles per packet");
	pw_prog_drop(&p);
	return r;
}

static int tx_open(struct pw_profile_run *run, struct pw_err *err)
{
	const uint64_t size = FILE_BYTES;
	struct tx_profile *t = calloc(1, sizeof(*t));
	struct pw_contender *who;
	struct pw_contest *c;
	int r;

	if (!t)
		return pw_err_sys(err, ENOMEM, "cannot open profile tx-cost");
	run->state = t;
	t->opt = &run->opt;
	r = pw_store_make(&t->store, &size, 1, NULL, NULL, EAL_BYTES, err);
	if (r)
		return r;
	c = pw_profile_add(run, "null port, two segments: 62 and 1440 bytes", "cycles/packet");
	snprintf(c->note, sizeof(c->note),
		"send reads no byte of the file, testpmd none of its packets. testpmd counts its "
		"forwarding function only, send its whole loop.");
	who = pw_contest_add(c, "pagewire send", measure_send, t);
	snprintf(who->how, sizeof(who->how),
		"pagewire send FILE --port null --to 239.77.0.1 --symbol 1440 --digest none "
		"--lead 0ms --loop 20 --json: busy_cycles_per_packet; FILE of 1 GiB on hugetlbfs");
	who = pw_contest_add(c, "testpmd txonly", measure_testpmd, t);
	snprintf(who->how, sizeof(who->how),
		"dpdk-testpmd --no-pci --vdev net_null0 -- -i --forward-mode=txonly "
		"--txpkts=62,1440 --record-core-cycles; start, stop");
	pw_contest_claim(c, 0, 1, true, 1.0);
	return 0;
}

static void tx_close(struct pw_profile_run *run)
{
	struct tx_profile *t = run->state;

	if (!t)
		return;
	pw_store_remove(&t->store);
	free(t);
}

const struct pw_profile pw_profile_tx = {
	.name = "tx-cost",
	.summary = "cycles a packet of the sender against testpmd's txonly",
	.rounds = 15,
	.open = tx_open,
	.close = tx_close,
};
