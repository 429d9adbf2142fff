/* SPDX-License-Identifier: BSD-3-Clause */
#include "api/jobfec.h"

#include <errno.h>
#include <unistd.h>

/* Parity needs all of a block, and its symbols are sent in turns: a file that passes through a ring has
 * neither. */
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
	if (o->pages == PW_PAGES_STREAM)
		return pw_err_set(err, EINVAL,
			"cannot use --fec with --pages stream: parity needs the whole block in "
			"memory; use --pages stage, or auto");
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
