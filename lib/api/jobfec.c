/* SPDX-License-Identifier: BSD-3-Clause */
#include "api/jobfec.h"

#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/units.h"

int pw_job_fec_plan(const struct pw_job_options *o, struct pw_send_fec *fec, struct pw_err *err)
{
	if (!o->fec && o->set.fec.interleave_bytes)
		return pw_err_set(err, EINVAL,
			"cannot use --interleave without --fec: only files with parity are sent "
			"so; "
			"give --fec K+R");
	if (!o->fec && o->set.fec.points != PW_RS_N_POINTS)
		return pw_err_set(err, EINVAL,
			"cannot use --fec-code without --fec: there is no parity whose code it "
			"chooses; give --fec K+R");
	if (!o->fec)
		return 0;
	*fec = o->set.fec;
	return pw_send_fec_parse(o->fec, fec, err);
}

int pw_job_fec_add(const struct pw_send_fec *fec, const struct pw_file *file, bool in_place,
	uint32_t symbol_len, uint64_t *staged_bytes, struct pw_err *err)
{
	struct pw_blocks source;
	char side[PATH_MAX];
	int r = pw_send_fec_cut(&source, fec, file->len_bytes, symbol_len, err);

	if (r == 0)
		r = pw_send_parity_path(side, file->path, err);
	if (r == 0 && in_place && access(side, F_OK) == 0)
		return 0; /* it is staged */
	if (r == 0 && source.n_symbols)
		*staged_bytes +=
			pw_dpdk_stage_file_bytes(pw_send_fec_parity(fec, &source).transfer_len);
	return r;
}

/* Bytes of a file's blocks in the ring, parity included. */
static uint64_t ring_bytes(
	const struct pw_send_fec *fec, const struct pw_blocks *source, uint64_t n_blocks)
{
	const uint64_t each = source->a_large + pw_send_fec_parity(fec, source).a_large;

	return n_blocks * each * source->symbol_len;
}

static int refuse(const struct pw_send_fec *fec, const struct pw_blocks *source,
	const struct pw_file *file, uint64_t memory_bytes, uint64_t max_blocks, struct pw_err *err)
{
	const uint64_t block_bytes = (uint64_t)fec->k * source->symbol_len;
	const uint64_t memory_mib = pw_div_ceil(memory_bytes, 1u << 20);
	char asked[32], size[32];

	pw_units_size(size, sizeof(size), block_bytes);
	if (max_blocks == 0)
		return pw_err_set(err, ENOMEM,
			"cannot stream %s with parity: two blocks of %s do not fit the ring; raise "
			"--stream-memory to %" PRIu64 "MiB, or lower K of --fec",
			file->path, size, memory_mib);
	pw_units_size(asked, sizeof(asked), fec->interleave_bytes);
	pw_units_size(size, sizeof(size), max_blocks * block_bytes);
	return pw_err_set(err, ENOMEM,
		"cannot stream %s with --interleave %s: the ring takes two bands of %s at most; "
		"raise --stream-memory to %" PRIu64 "MiB, or lower --interleave",
		file->path, asked, size, memory_mib);
}

int pw_job_fec_stream(struct pw_job_bands *sum, const struct pw_send_fec *fec,
	const struct pw_file *file, const struct pw_stripe *stripe,
	const struct pw_stream_need *need, struct pw_err *err)
{
	struct pw_stream_need largest = *need;
	struct pw_send_turns turns;
	struct pw_stream_plan ring;
	struct pw_blocks source;
	uint64_t wanted, least, memory;
	uint32_t fit;
	int r = pw_send_fec_cut(&source, fec, file->len_bytes, need->symbol_len, err);

	largest.file_bytes = UINT64_MAX;
	r = r ? r : pw_stream_plan(&ring, &largest, err);
	if (r || source.n_symbols == 0)
		return r;
	fit = pw_send_fec_fit(fec, &source, &ring);
	turns = pw_send_fec_turns(fec, &source, stripe, 0, (uint32_t)pw_max_u64(fit, 1));
	wanted = pw_min_u64(pw_send_fec_wanted(fec, need->symbol_len), turns.n_blocks);
	least = turns.n_blocks / turns.n_bands;
	/* where a band may have twice as many blocks but one, none has fewer */
	memory = pw_stream_band_memory(
		need, ring_bytes(fec, &source, pw_min_u64(2 * wanted - 1, turns.n_blocks)));
	if (fit == 0 || (least < wanted && fec->interleave_bytes))
		return refuse(fec, &source, file, memory, fit ? least : 0, err);
	sum->parity_bytes += pw_send_fec_parity(fec, &source).transfer_len;
	sum->n_parts += 2ull * turns.n_bands;
	if (least >= wanted)
		return 0;
	sum->memory_bytes = pw_max_u64(sum->memory_bytes, memory);
	if (sum->least_bytes == 0 || least * fec->k * need->symbol_len < sum->least_bytes) {
		sum->least_bytes = least * fec->k * need->symbol_len;
		sum->burst = least * turns.run;
	}
	return 0;
}
