/* SPDX-License-Identifier: BSD-3-Clause */
/* Writes the directory of --report: report.html, result.json, samples.csv. */
#include "bench/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/html.h"
#include "bench/plot.h"
#include "bench/prog.h"

static int put_json(FILE *out, const struct pw_bench_result *r, struct pw_err *err)
{
	json_t *doc = pw_result_json(r);
	int ret = 0;

	if (!doc || json_dumpf(doc, out, JSON_INDENT(1) | JSON_REAL_PRECISION(12)))
		ret = pw_err_set(err, ENOMEM, "cannot write the result as JSON: out of memory");
	fputc('\n', out);
	json_decref(doc);
	return ret;
}

static int put_csv(FILE *out, const struct pw_bench_result *r, struct pw_err *err)
{
	(void)err;
	pw_csv_print(out, r);
	return 0;
}

static int put_overview(FILE *out, const struct pw_bench_result *r, struct pw_err *err)
{
	char *svg;
	int ret = pw_plot_overview(r, &svg, err);

	if (ret)
		return ret;
	if (svg)
		fputs(svg, out);
	free(svg);
	return 0;
}

/* A file is whole or not there. */
static int write_file(const struct pw_bench_result *r, const char *dir, const char *name,
	int (*put)(FILE *out, const struct pw_bench_result *r, struct pw_err *err),
	struct pw_err *err)
{
	char *path = NULL;
	FILE *out;
	int ret;

	if (asprintf(&path, "%s/%s", dir, name) < 0)
		return pw_err_sys(err, ENOMEM, "cannot write %s/%s", dir, name);
	out = fopen(path, "we");
	if (!out) {
		ret = pw_err_sys(err, errno, "cannot write %s", path);
		goto free_path;
	}
	ret = put(out, r, err);
	if (ret == 0 && (fflush(out) != 0 || ferror(out)))
		ret = pw_err_sys(err, errno ? errno : EIO, "cannot write %s", path);
	fclose(out);
	if (ret)
		unlink(path);

free_path:
	free(path);
	return ret;
}

static int make_dir(const char *dir, struct pw_err *err)
{
	if (mkdir(dir, 0777) != 0 && errno != EEXIST)
		return pw_err_sys(err, errno, "cannot make the directory %s", dir);
	if (access(dir, W_OK | X_OK) != 0)
		return pw_err_sys(err, errno, "cannot write to %s", dir);
	return 0;
}

int pw_report_prepare(const char *dir, struct pw_err *err)
{
	if (!pw_prog_can_run("gnuplot"))
		return pw_err_set(err, ENOENT,
			"cannot draw the report's figures: gnuplot is not installed; apt-get "
			"install "
			"gnuplot-nox");
	return make_dir(dir, err);
}

/* Raw data first: without gnuplot it is there all the same. */
int pw_report_write(const struct pw_bench_result *r, const char *dir, struct pw_err *err)
{
	int ret = make_dir(dir, err);

	if (ret == 0)
		ret = write_file(r, dir, "result.json", put_json, err);
	if (ret == 0)
		ret = write_file(r, dir, "samples.csv", put_csv, err);
	if (ret == 0)
		ret = write_file(r, dir, "overview.svg", put_overview, err);
	if (ret == 0)
		ret = write_file(r, dir, "report.html", pw_html_page, err);
	return ret;
}
