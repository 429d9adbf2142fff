/* SPDX-License-Identifier: BSD-3-Clause */
/* Internal to lib/bench: runs gnuplot as a child process and returns the SVG. */
#ifndef PW_BENCH_GNUPLOT_H
#define PW_BENCH_GNUPLOT_H

#include <stddef.h>

#include "base/err.h"

#define PW_GNUPLOT_WAIT_MS 30000 /* it draws a figure in a tenth of a second */

/* Runs gnuplot with the script; *svg: what it wrote, to be freed. Its files are in memory only. The
 * SVG's identifiers begin with id, so that many fit in one page, and its fonts are the page's.
 * -ENOENT: gnuplot is not there. */
int pw_gnuplot_run(const char *script, size_t len, const char *id, char **svg, struct pw_err *err);

#endif
