/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads a capture once, without a port, and counts what replay would find in it. One thread. */
#ifndef PW_REPLAY_SURVEY_H
#define PW_REPLAY_SURVEY_H

#include "replay/scan.h"
#include "wire/capture_stats.h"

struct pw_survey {
	struct pw_capture_stats stats; /* of the chosen frames */
	uint64_t n_other;              /* of them: frames of a link type that cannot be sent */
	uint16_t other_link;           /* the first one's */
	uint64_t filtered;             /* frames that do not match the filter */
	uint64_t other_time;           /* frames that are not in the span */
	bool file_is_cut;              /* it ends within a record */
	bool interrupted;
};

/* path: as struct pw_replay_input's. Of set: skip, limit, span and filter. Of -errno, what comes before the fault is counted;
 * stopped() may be NULL. */
int pw_survey_run(struct pw_survey *v, const char *path, const struct pw_scan_settings *set,
	bool (*stopped)(void), struct pw_err *err);
void pw_survey_finish(struct pw_survey *v); /* accepts a zeroed one */

#endif
