/* SPDX-License-Identifier: BSD-3-Clause */
/* Writes the samples as CSV (RFC 4180): lines end with CRLF; a field with a comma, a quote or a line end is
 * quoted. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "bench/report.h"

static void put_text(FILE *out, const char *s)
{
	if (!strpbrk(s, ",\"\r\n")) {
		fputs(s, out);
		return;
	}
	fputc('"', out);
	for (; *s; s++)
		fprintf(out, "%s%c", *s == '"' ? "\"" : "", *s);
	fputc('"', out);
}

static void put_sample(FILE *out, const struct pw_row *row, const struct pw_sample *s)
{
	size_t m;

	fprintf(out, "%s,", pw_wire_name(row->wire));
	put_text(out, row->way);
	fputc(',', out);
	put_text(out, row->label);
	fputc(',', out);
	put_text(out, row->pages);
	fprintf(out, ",%" PRIu64 ",%" PRIu32 ",%d,%" PRIu32 ",%d,%s,", row->file_bytes, row->mtu,
		row->cold, s->round, s->evidence, pw_proof_name(s->proof));
	put_text(out, s->void_why);
	for (m = 0; m < PW_N_METRICS; m++) {
		if (isfinite(s->v[m]))
			fprintf(out, ",%.12g", s->v[m]);
		else
			fputc(',', out);
	}
	fputs("\r\n", out);
}

void pw_csv_print(FILE *out, const struct pw_bench_result *r)
{
	size_t i, k, m;

	fputs("wire,way,label,pages,file_bytes,mtu,cold,round,evidence,proof,void", out);
	for (m = 0; m < PW_N_METRICS; m++)
		fprintf(out, ",%s", pw_metrics[m].key);
	fputs("\r\n", out);
	for (i = 0; i < r->n_rows; i++)
		for (k = 0; k < r->rows[i].n_samples; k++)
			put_sample(out, &r->rows[i], &r->rows[i].samples[k]);
}
