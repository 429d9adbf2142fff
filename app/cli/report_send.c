/* SPDX-License-Identifier: BSD-3-Clause */
/* Prints the plan and the result of `pagewire send`, as text and as JSON. */
#include <inttypes.h>
#include <stdio.h>

#include "app/cli/cli.h"
#include "app/cli/report_send.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/json_text.h"

/* With virtual addresses a file has one map; with physical ones, one for each contiguous part. */
static void print_dma_maps(const struct pw_job *job)
{
	if (job->traits->reach != PW_REACH_DMA)
		return;
	if (!job->info.dma_maps || job->n_in_place == 0)
		printf(", no DMA map");
	else if (job->info.iova_va)
		printf(", %zu DMA map%s", job->n_in_place, job->n_in_place == 1 ? "" : "s");
	else
		printf(", DMA maps by page");
}

static void print_provider(const struct pw_job *job)
{
	char size[32];

	printf("pages: %s%s, ", pw_pages_name(job->first_pages),
		job->mixed_pages ? " and others" : "");
	switch (job->first_pages) {
	case PW_PAGES_STAGE:
		/* whether the CPU copies depends on O_DIRECT: the result reports it */
		printf("copied into EAL memory");
		break;
	case PW_PAGES_STREAM:
		printf("%s ring, %s",
			pw_units_size(size, sizeof(size), pw_stream_plan_bytes(&job->stream)),
			job->stream_direct ? "O_DIRECT, 0 copies"
					   : "no O_DIRECT on its file system, 1 copy");
		break;
	default:
		printf("in place, 0 copies");
	}
}

static void print_pages(const struct pw_job *job)
{
	print_provider(job);
	if (job->tx) {
		printf(", IOVA %s", job->info.iova_va ? "VA" : "PA");
		print_dma_maps(job);
		printf(", EAL memory on %s", job->info.huge ? "hugepages" : "ordinary pages");
	}
	putchar('\n');
}

/* What the ring makes of --interleave, where it takes less than the user or the code wants. */
static void print_bands(const struct pw_job *job)
{
	char size[32];

	if (job->bands.least_bytes)
		printf("interleave: the ring takes bands of %s, which survive a loss of %" PRIu64
		       " packets in a row; --stream-memory %" PRIu64 "MiB takes larger ones\n",
			pw_units_size(size, sizeof(size), job->bands.least_bytes), job->bands.burst,
			pw_div_ceil(job->bands.memory_bytes, 1u << 20));
}

void pw_send_report_plan(const struct pw_job *job)
{
	const bool is_open = job->tx || job->sock;
	char to[64], from[64], size[32];

	if (is_open)
		printf("port: %s (%s, %s, MTU %" PRIu32 ")\n", job->opt->port.port,
			job->info.driver,
			job->info.multi_segment ? "multi-segment TX" : "linear packets",
			job->opt->port.mtu);
	print_pages(job);
	printf("wire: FLUTE v%" PRIu32 ", %s", job->opt->set.flute_version,
		pw_addr_format(to, sizeof(to), &job->flow.dst));
	if (is_open)
		printf(" from %s", pw_addr_format(from, sizeof(from), &job->flow.src));
	printf(", TSI %u, symbol %u bytes, digest %s", job->tsi, job->symbol_len,
		pw_digest_name(job->opt->set.digest));
	if (pw_stripe_is_shared(&job->stripe))
		printf(", stripe %" PRIu32 "/%" PRIu32, job->stripe.index, job->stripe.count);
	if (job->fec.k)
		printf(", parity %" PRIu32 "+%" PRIu32 " %s", job->fec.k, job->fec.r,
			pw_rs_points_name(job->fec.points));
	putchar('\n');
	print_bands(job);
	if (job->signer)
		printf("signed by key %s\n", pw_signer_id(job->signer));
	printf("files: %zu, %s%s\n", job->files.n,
		pw_units_size(size, sizeof(size), job->files.total_bytes),
		job->opt->gaps.n ? " (what the gap manifest lists)" : "");
	fflush(stdout);
}

static double per_byte(uint64_t part, uint64_t whole)
{
	return whole ? (double)part / (double)whole : 0.0;
}

static double busy_per_packet(const struct pw_job *job, const struct pw_tx_counters *c)
{
	const uint64_t packets = c->packets - job->result.repair_packets;

	return packets ? (double)job->result.busy_cycles / (double)packets : 0.0;
}

/* The part of the time in which the sender waited for the disk. */
static double read_wait(const struct pw_job *job)
{
	const struct pw_send_result *res = &job->result;

	return per_byte(res->read_cycles,
		res->busy_cycles + res->stall_cycles + res->pace_cycles + res->read_cycles);
}

void pw_send_report_human(const struct pw_job *job, const struct pw_tx_counters *c)
{
	double s = (double)job->result.data_ns / 1e9;
	double copies =
		job->result.page_in_copies + per_byte(c->cpu_copied_bytes, c->payload_bytes);
	const uint64_t parity = job->result.parity_packets * job->symbol_len;
	const uint64_t payload = c->payload_bytes - job->result.repair_bytes - parity;
	const uint64_t packets = c->packets - job->result.repair_packets;
	char size[32], rate[32], pps[32];

	if (job->result.interrupted)
		printf("interrupted in pass %" PRIu64 "\n", job->result.passes + 1);
	printf("sent %s of %zu file%s in %" PRIu64 " pass%s, %" PRIu64
	       " packets, %.3f s: goodput %s, %s\n",
		pw_units_size(size, sizeof(size), payload), job->files.n,
		job->files.n == 1 ? "" : "s", job->result.passes,
		job->result.passes == 1 ? "" : "es", packets, s,
		pw_units_bitrate(rate, sizeof(rate), s > 0 ? (double)payload * 8 / s : 0),
		pw_units_pps(pps, sizeof(pps), s > 0 ? (double)packets / s : 0));
	if (job->fec.k)
		printf("parity: %" PRIu64 " of the packets, %s\n", job->result.parity_packets,
			pw_units_size(size, sizeof(size), parity));
	pw_send_rate_human(job, c);
	printf("cpu: %.0f busy cycles/packet, send buffer full %" PRIu64 " polls\n",
		busy_per_packet(job, c), c->full_polls);
	printf("copies: %g CPU copies per byte on the sender%s%s%s\n", copies,
		job->traits->copies        ? "; the port: "
		: job->traits->copy_why[0] ? "; "
					   : "",
		job->traits->copy_why, job->result.page_in_copies ? "; read without O_DIRECT" : "");
	if (job->stream.n_slots && job->result.data_ns)
		printf("disk: the sender waited for it %.1f %% of the time\n",
			100 * read_wait(job));
	if (c->cpu_read_bytes)
		printf("reads: %g CPU reads per byte for UDP checksums\n",
			per_byte(c->cpu_read_bytes, c->payload_bytes));
}

static json_t *warnings_json(const struct pw_job *job)
{
	const struct pw_filenotes *notes = &job->files.notes;
	json_t *list = json_array();
	size_t i, n = pw_filenotes_kept(notes);

	for (i = 0; i < n; i++)
		json_array_append_new(list, pw_json_text(notes->text[i]));
	return json_pack("{s:o, s:I}", "warnings", list, "n_warnings", (json_int_t)notes->n);
}

void pw_send_report_json(
	const struct pw_job *job, const struct pw_tx_counters *c, json_t *repair, int code)
{
	const struct pw_send_result *res = &job->result;
	const double s = (double)res->data_ns / 1e9;
	const uint64_t parity = res->parity_packets * job->symbol_len;
	json_t *o = json_pack("{s:s, s:s, s:i, s:b}", "schema", "pagewire.send/1", "version",
		PW_VERSION, "exit_code", code, "interrupted", res->interrupted);
	json_t *counts = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "files",
		(json_int_t)job->files.n, "bytes", (json_int_t)job->files.total_bytes, "passes",
		(json_int_t)res->passes, "packets", (json_int_t)c->packets, "payload_bytes",
		(json_int_t)(c->payload_bytes - parity), "wire_bytes", (json_int_t)c->wire_bytes,
		"full_polls", (json_int_t)c->full_polls, "split_packets",
		(json_int_t)c->split_packets);
	json_t *times = json_pack("{s:f, s:f, s:f, s:f}", "seconds", s, "goodput_bps",
		s > 0 ? (double)(c->payload_bytes - res->repair_bytes - parity) * 8 / s : 0.0,
		"packets_per_s", s > 0 ? (double)(c->packets - res->repair_packets) / s : 0.0,
		"busy_cycles_per_packet", busy_per_packet(job, c));
	json_t *how = json_pack("{s:s, s:s, s:s, s:b, s:i, s:f, s:f, s:i, s:b, s:s, s:I, s:I, s:b}",
		"port", job->opt->port.port, "driver", job->info.driver, "pages",
		pw_pages_name(res->pages), "in_place", !pw_pages_borrowed(res->pages),
		"page_in_copies", res->page_in_copies, "cpu_copies_per_byte",
		res->page_in_copies + per_byte(c->cpu_copied_bytes, c->payload_bytes),
		"cpu_reads_per_byte", per_byte(c->cpu_read_bytes, c->payload_bytes),
		"port_copies_per_byte", job->traits->copies, "multi_segment",
		job->info.multi_segment, "iova_mode", job->info.iova_va ? "va" : "pa", "dma_maps",
		job->tx ? (json_int_t)pw_dpdk_tx_n_dma_maps(job->tx) : 0, "iova_runs",
		job->tx ? (json_int_t)pw_dpdk_tx_n_iova_extents(job->tx) : 0, "huge",
		job->info.huge);
	json_t *wire = json_pack("{s:s, s:I, s:i, s:I}", "digest",
		pw_digest_name(job->opt->set.digest), "tsi", (json_int_t)job->tsi, "symbol_bytes",
		(int)job->symbol_len, "mtu", (json_int_t)job->opt->port.mtu);

	json_object_set_new(
		wire, "key", job->signer ? json_string(pw_signer_id(job->signer)) : json_null());
	json_object_set_new(wire, "flute_version", json_integer(job->opt->set.flute_version));
	if (job->stream.n_slots)
		json_object_update_new(how, json_pack("{s:I, s:f}", "ring_bytes",
						    (json_int_t)pw_stream_plan_bytes(&job->stream),
						    "disk_wait", read_wait(job)));
	if (pw_stripe_is_shared(&job->stripe))
		json_object_update_new(
			wire, json_pack("{s:I, s:I}", "stripe_index", (json_int_t)job->stripe.index,
				      "stripe_count", (json_int_t)job->stripe.count));
	if (job->fec.k)
		json_object_update_new(wire,
			json_pack("{s:i, s:i, s:s, s:I}", "fec_k", (int)job->fec.k, "fec_r",
				(int)job->fec.r, "fec_code", pw_rs_points_name(job->fec.points),
				"parity_packets", (json_int_t)res->parity_packets));
	if (job->bands.least_bytes)
		json_object_update_new(wire,
			json_pack("{s:I, s:I}", "band_bytes", (json_int_t)job->bands.least_bytes,
				"band_burst", (json_int_t)job->bands.burst));
	json_object_update_new(o, counts);
	json_object_update_new(o, times);
	json_object_update_new(o, pw_send_rate_json(job, c));
	json_object_update_new(o, how);
	json_object_update_new(o, wire);
	json_object_update_new(o, warnings_json(job));
	if (repair)
		json_object_set_new(o, "repair", repair);
	pw_cli_print_json(o);
}
