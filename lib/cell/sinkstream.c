/* SPDX-License-Identifier: BSD-3-Clause */
/* Takes one connection and reads the file, pass after pass, into the buffer. */
#include <errno.h>

#include "base/clock.h"
#include "cell/sink.h"

static int accept_one(struct pw_sink *s)
{
	const struct pw_rx_stream_ops *ops = s->cell->receiver->stream;
	uint64_t now;
	int r;

	for (;;) {
		r = ops->accept(s->path, &s->end->err);
		if (r != -EAGAIN)
			return r;
		now = pw_clock_ns();
		if (now >= s->cell->deadline_ns || pw_sink_is_quiet(s, 0, now))
			return pw_err_set(&s->end->err, ETIMEDOUT,
				"cannot accept the stream: no process connected");
	}
}

/* The clock is read per call. */
static int read_all(struct pw_sink *s)
{
	const struct pw_rx_stream_ops *ops = s->cell->receiver->stream;
	const uint64_t len = s->cell->file_bytes;
	struct pw_cell_end *end = s->end;
	uint8_t nothing[1];
	uint64_t at = 0;

	for (;;) {
		int64_t n = len ? ops->recv(s->path, s->bytes + at, len - at, &end->err)
				: ops->recv(s->path, nothing, sizeof(nothing), &end->err);

		if (n == -EAGAIN && pw_clock_ns() < s->cell->deadline_ns)
			continue;
		if (n == -EAGAIN)
			return pw_err_set(&end->err, ETIMEDOUT,
				"cannot receive the stream: it did not end in time");
		if (n <= 0)
			return (int)n;
		end->last_ns = pw_clock_ns();
		end->first_ns = end->first_ns ? end->first_ns : end->last_ns;
		end->bytes += (uint64_t)n;
		at = len ? (at + (uint64_t)n) % len : 0;
	}
}

int pw_sink_run_stream(struct pw_sink *s)
{
	const struct pw_rx_stream_ops *ops = s->cell->receiver->stream;
	int r = pw_sink_begin(s);

	if (r == 0) {
		r = accept_one(s);
		s->end->lacking = pw_cell_is_lacking(r); /* TLS */
	}
	if (r == 0)
		r = read_all(s);
	if (s->end->start_ns)
		pw_cell_stretch(&s->stretch, false);
	if (ops->counters)
		s->end->mapped_bytes = ops->counters(s->path)->mapped_bytes;
	if (r)
		return r;
	if (ops->settle)
		ops->settle(s->path);
	return pw_sink_check_memory(s, NULL);
}
