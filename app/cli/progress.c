/* SPDX-License-Identifier: BSD-3-Clause */
/* Draws the live line: what is done, rate, ETA, loss. */
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "app/cli/cli.h"
#include "base/clock.h"

#define DRAW_GAP_NS (PW_NS_PER_S / 5) /* on a terminal; else a line a second */
#define LINE_MAX    256

void pw_progress_init(struct pw_progress *p, bool tty, bool forced)
{
	memset(p, 0, sizeof(*p));
	p->enabled = tty || forced;
	p->tty = tty;
	p->start_ns = pw_clock_ns();
	p->last_ns = p->start_ns;
}

void pw_progress_phase(
	struct pw_progress *p, uint64_t now_ns, const char *verb, uint64_t bytes_done)
{
	if (p->verb && !strcmp(p->verb, verb))
		return;
	p->verb = verb;
	p->start_ns = p->last_ns = now_ns;
	p->start_bytes = p->last_bytes = bytes_done;
}

bool pw_progress_due(const struct pw_progress *p, uint64_t now_ns)
{
	return p->enabled && now_ns - p->last_ns >= (p->tty ? DRAW_GAP_NS : PW_NS_PER_S);
}

static size_t terminal_width(void)
{
	struct winsize ws;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &ws) || ws.ws_col < 2)
		return 80;
	return ws.ws_col;
}

/* Appends as printf does and never runs over; returns the new length. */
__attribute__((format(printf, 3, 4))) static size_t append(
	char *line, size_t n, const char *fmt, ...)
{
	va_list ap;
	int more;

	va_start(ap, fmt);
	more = vsnprintf(line + n, LINE_MAX - n, fmt, ap);
	va_end(ap);
	if (more < 0)
		return n;
	return n + (size_t)more < LINE_MAX ? n + (size_t)more : LINE_MAX - 1;
}

static size_t append_done(char *line, size_t n, uint64_t bytes, uint64_t total)
{
	char a[32], b[32];

	pw_units_size(a, sizeof(a), bytes);
	if (!total)
		return append(line, n, " %s", a);
	pw_units_size(b, sizeof(b), total);
	return append(line, n, " %s of %s, %.0f %%", a, b,
		bytes < total ? 100.0 * (double)bytes / (double)total : 100.0);
}

/* Extrapolates the mean rate of the phase, which varies less than the current rate. */
static size_t append_eta(char *line, size_t n, const struct pw_progress *p, uint64_t now_ns,
	uint64_t bytes, uint64_t total)
{
	double spent_ns = (double)(now_ns - p->start_ns), left_ns;
	char buf[32];

	if (bytes <= p->start_bytes || bytes >= total)
		return n;
	left_ns = spent_ns * ((double)(total - bytes) / (double)(bytes - p->start_bytes));
	if (left_ns > 1e18)
		return n;
	pw_units_duration(buf, sizeof(buf), (uint64_t)left_ns);
	return append(line, n, ", ETA %s", buf);
}

void pw_progress_say(struct pw_progress *p, uint64_t now_ns, const char *line)
{
	if (!p->enabled)
		return;
	if (p->tty)
		fprintf(stderr, "\r%.*s\033[K", (int)terminal_width() - 1, line);
	else
		fprintf(stderr, "pagewire: %s\n", line);
	fflush(stderr);
	p->drawn = true;
	p->last_ns = now_ns;
}

void pw_progress_draw(struct pw_progress *p, uint64_t now_ns, uint64_t bytes, uint64_t total_bytes,
	uint64_t packets, double loss)
{
	double seconds = (double)(now_ns - p->last_ns) / 1e9;
	char line[LINE_MAX], rate[32], pps[32];
	size_t n = 0;

	if (!p->enabled || seconds <= 0.0)
		return;
	pw_units_bitrate(rate, sizeof(rate),
		bytes > p->last_bytes ? (double)(bytes - p->last_bytes) * 8.0 / seconds : 0.0);
	pw_units_pps(pps, sizeof(pps),
		packets > p->last_packets ? (double)(packets - p->last_packets) / seconds : 0.0);
	n = append(line, n, "%s", p->verb ? p->verb : "done");
	n = append_done(line, n, bytes, total_bytes);
	n = append(line, n, ", %s", rate);
	if (packets) /* none while files are read */
		n = append(line, n, ", %s", pps);
	n = append_eta(line, n, p, now_ns, bytes, total_bytes);
	if (loss >= 0.0)
		n = append(line, n, ", loss %.2f %%", loss * 100.0);
	if (p->note)
		append(line, n, ", %s", p->note);
	pw_progress_say(p, now_ns, line);
	p->last_bytes = bytes;
	p->last_packets = packets;
}

void pw_progress_end(struct pw_progress *p)
{
	if (p->drawn && p->tty)
		fputs("\r\033[K", stderr);
	p->drawn = false;
}
