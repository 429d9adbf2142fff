/* SPDX-License-Identifier: BSD-3-Clause */
/* Warnings at the end of `pagewire recv`: each cause of a loss once, in a sentence with its fix. */
#include <inttypes.h>

#include "app/cmd_recv.h"
#include "base/bytes.h"

static void hint_sessions(const struct pw_recv_run *run)
{
	struct pw_recv_ignored list[16];
	const size_t n = pw_recv_ignored(run->recv, list, PW_ARRAY_LEN(list));
	char from[64];

	for (size_t i = 0; i < n && i < 5; i++)
		pw_warn(&run->ctx->log,
			"%" PRIu64 " packets of TSI %" PRIu64 " from %s were ignored: %s",
			list[i].packets, list[i].tsi,
			pw_host_key_format(from, sizeof(from), list[i].from),
			run->opt->set.tsi_given || run->opt->udp.source.family
				? "--tsi or --source names another session"
			: run->opt->trust
				? "no file table (FDT) of this session came that a key of --trust "
				  "signed"
				: "no file table (FDT) of this session came; was its sender "
				  "started earlier, and does it repeat its tables "
				  "(--fdt-interval)?");
	if (n > 5)
		pw_warn(&run->ctx->log, "packets of %zu more sessions were ignored", n - 5);
}

/* Packets that the port or the socket dropped, and the rate that this receiver can take. */
static void hint_missed(const struct pw_recv_run *run, uint64_t missed)
{
	struct pw_recv_counters c;
	char rate[32];
	double seconds = (double)(run->t.last_ns - run->t.first_ns) / 1e9;

	pw_recv_counters(run->recv, &c);
	if (seconds <= 0.0)
		return;
	pw_units_bitrate(rate, sizeof(rate), (double)c.payload_bytes * 8.0 / seconds);
	pw_warn(&run->ctx->log,
		"%" PRIu64 " packets were dropped because %s was full: this receiver took %s; send "
		"with a --rate below that, or raise %s",
		missed, run->opt->port.port ? "the port's receive ring" : "the socket's buffer",
		rate, run->opt->port.port ? "--queue-size" : "--rcvbuf");
}

static void hint_frames(const struct pw_recv_run *run, const struct pw_rx_counters *c)
{
	const struct pw_log *log = &run->ctx->log;

	if (c->too_long)
		pw_warn(log, "%" PRIu64 " frames were longer than %" PRIu32 " bytes: raise --mtu%s",
			c->too_long, run->opt->port.mtu,
			run->opt->port.port ? "" : " at the sender's path");
	if (c->partial_checksum)
		pw_info(log,
			"%" PRIu64
			" frames had a partial UDP checksum, as a local interface leaves it to "
			"a NIC: they were taken, and only the files' digests protect their content",
			c->partial_checksum);
	if (c->bad_checksum)
		pw_warn(log,
			"%" PRIu64
			" frames had a wrong checksum and were dropped: they were damaged "
			"on the path",
			c->bad_checksum);
	if (c->missed)
		hint_missed(run, c->missed);
}

static void hint_packets(const struct pw_recv_run *run)
{
	const struct pw_log *log = &run->ctx->log;
	struct pw_recv_counters c;

	pw_recv_counters(run->recv, &c);
	if (c.malformed)
		pw_warn(log,
			"%" PRIu64 " packets were not FLUTE: does another program send to this "
			"address and port?",
			c.malformed);
	if (c.out_of_object)
		pw_warn(log, "%" PRIu64 " packets contradict the file table and were dropped",
			c.out_of_object);
	if (c.wait_dropped || c.fdt_dropped)
		pw_warn(log,
			"%" PRIu64
			" packets were dropped because opening files took too long: send "
			"with a lower --rate, or receive into a faster directory",
			c.wait_dropped + c.fdt_dropped);
}

/* Hosts that sent together, and not all of them to the end. */
static void hint_stripes(const struct pw_recv_run *run)
{
	struct pw_recv_status st;

	pw_recv_status(run->recv, &st);
	if (st.n_stripes_closed < st.n_stripes && st.n_good < st.n_files)
		pw_warn(&run->ctx->log,
			"%" PRIu64 " of %" PRIu64
			" stripes did not end: a host was not started, or has died; send what is "
			"missing from any host that has the files (send --gaps), or give all "
			"--repair",
			st.n_stripes - st.n_stripes_closed, st.n_stripes);
}

static void hint_digests(const struct pw_recv_run *run)
{
	struct pw_recv_status st;

	pw_recv_status(run->recv, &st);
	if (run->opt->set.require_digest && !run->opt->set.discard && st.n_unverified)
		pw_warn(&run->ctx->log,
			"%" PRIu64 " files are unverified, which --require-digest does not accept: "
			"their sender named no digest",
			st.n_unverified);
}

/* Nothing was received: the most likely reason. */
static void hint_nothing(const struct pw_recv_run *run, const struct pw_rx_counters *c)
{
	const char *to = run->opt->listen ? run->opt->listen : "this host";
	const struct pw_log *log = &run->ctx->log;
	struct pw_recv_ignored ignored;
	struct pw_recv_counters rc;
	struct pw_recv_status st;

	pw_recv_counters(run->recv, &rc);
	pw_recv_status(run->recv, &st);
	if (rc.payload_bytes || st.n_good || c->too_long || c->bad_checksum || rc.malformed ||
		pw_recv_ignored(run->recv, &ignored, 1))
		return; /* the cause was reported */
	if (c->packets == 0)
		pw_warn(log, "no packet came: is the sender's --to %s, and is the link up?", to);
	else if (c->foreign == c->packets)
		pw_warn(log,
			"%" PRIu64 " packets came, none for %s: compare --listen with the sender's "
			"--to",
			c->packets, to);
}

void pw_recv_hints(const struct pw_recv_run *run)
{
	const struct pw_rx_counters *c;

	hint_digests(run);
	if (!run->path.ops) /* no packets were waited for */
		return;
	c = run->path.ops->counters(run->path.path);
	hint_frames(run, c);
	hint_packets(run);
	hint_sessions(run);
	hint_stripes(run);
	hint_nothing(run, c);
}
