/* SPDX-License-Identifier: BSD-3-Clause */
#include "recv/state.h"

#include "base/bytes.h"

const char *pw_recv_file_state_name(enum pw_recv_file_state s)
{
	static const char *const names[] = {
		[PW_RECV_KNOWN] = "known",
		[PW_RECV_PARTIAL] = "partial",
		[PW_RECV_VERIFYING] = "verifying",
		[PW_RECV_MISMATCH] = "mismatch",
		[PW_RECV_COMPLETE] = "complete",
		[PW_RECV_UNVERIFIED] = "unverified",
		[PW_RECV_REFUSED] = "refused",
		[PW_RECV_SUPERSEDED] = "superseded",
	};

	return (unsigned int)s < PW_ARRAY_LEN(names) ? names[s] : "?";
}

bool pw_recv_state_is_good(enum pw_recv_file_state s)
{
	return s == PW_RECV_COMPLETE || s == PW_RECV_UNVERIFIED;
}

bool pw_recv_state_is_open(enum pw_recv_file_state s)
{
	return s == PW_RECV_KNOWN || s == PW_RECV_PARTIAL || s == PW_RECV_MISMATCH;
}
