/* SPDX-License-Identifier: BSD-3-Clause */
/* Starts the two processes of a cell, reads their results from pipes, and ends them at a deadline. */
#include "bench/cell.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#define POLL_MS     50
#define SETTLE_NS   (100 * 1000 * 1000ull) /* without a frame: the NIC's queues are empty */
#define SETTLE_STEP (2 * 1000 * 1000)
#define QUEUE_NS    (5 * PW_NS_PER_S) /* for a queue before a receiver that is not scheduled */
#define SINK_GRACE  (3 * PW_NS_PER_S) /* for the digest, once the source has ended */
#define LAST_WORDS  4096
#define NS_PER_GIB  (4 * PW_NS_PER_S) /* the same, per GiB of the file */
#define ROLE_SOURCE 0
#define ROLE_SINK   1

/* One of the two processes, as the bench sees it. */
struct child {
	pid_t pid; /* 0: not there */
	int result_fd;
	int words_fd; /* memfd: its standard error */
	void *end;    /* struct pw_source_end or pw_sink_end */
	size_t size, have;
	bool ended;
	struct pw_err *err;
	int *result;
};

struct run {
	const struct pw_cell *cell;
	struct child source, sink;
	int ready[2], done[2];
	pid_t bench;
};

static void pin(int cpu)
{
	cpu_set_t set;

	if (cpu < 0)
		return;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/* A poller binds its own thread; its driver's threads must run on other CPUs. */
static bool source_polls(const struct pw_cell *cell)
{
	return !cell->way->kernel;
}

/* DPDK receives on vhost, and on a tap into which the kernel sends; on other wires a socket receives. */
static bool sink_polls(const struct pw_cell *cell)
{
	return cell->wire->kind == PW_WIRE_VHOST ||
	       (cell->wire->kind == PW_WIRE_TAP && cell->way->kernel);
}

/* Dies with the bench; a signal from the terminal is the bench's to answer. */
static void become_child(const struct run *r, int words_fd, int cpu)
{
	const struct pw_cell *cell = r->cell;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != r->bench) /* it has ended before that call */
		_exit(1);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGTERM, SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
	if (!cell->verbose)
		dup2(words_fd, STDERR_FILENO);
	pin(cpu);
}

static void write_end(int fd, const void *end, size_t size)
{
	const char *p = end;
	ssize_t n;

	while (size && (n = write(fd, p, size)) > 0) {
		p += n;
		size -= (size_t)n;
	}
}

/* The bench's ends of the pipes are closed first, or none would ever be heard to close. */
static void run_source(struct run *r, int fd, uint64_t born_ns)
{
	const struct pw_cell *cell = r->cell;
	struct pw_source_end *end = calloc(1, sizeof(*end));

	close(r->done[1]);
	close(r->ready[0]);
	become_child(r, r->source.words_fd, source_polls(cell) ? -1 : cell->source_cpu);
	if (!end)
		_exit(1);
	end->result = pw_wire_enter(cell->wire->source_ns, &end->err);
	if (end->result == 0)
		pw_source_run(cell, born_ns, end);
	write_end(fd, end, sizeof(*end));
	_exit(0);
}

static void run_sink(struct run *r, int fd)
{
	const struct pw_cell *cell = r->cell;
	struct pw_sink_end *end = calloc(1, sizeof(*end));

	close(r->done[1]);
	close(r->ready[0]);
	become_child(r, r->sink.words_fd, sink_polls(cell) ? -1 : cell->sink_cpu);
	if (!end)
		_exit(1);
	end->result = pw_wire_enter(cell->wire->sink_ns, &end->err);
	if (end->result == 0)
		pw_sink_run(cell, r->ready[1], r->done[0], end);
	write_end(fd, end, sizeof(*end));
	_exit(0);
}

static int start(struct run *r, struct child *c, int role, struct pw_err *err)
{
	const uint64_t born_ns = pw_clock_ns();
	int fds[2];

	c->words_fd = memfd_create("pagewire-cell", MFD_CLOEXEC);
	if (c->words_fd < 0)
		return pw_err_sys(err, errno, "cannot start a cell");
	if (pipe2(fds, O_CLOEXEC) < 0)
		return pw_err_sys(err, errno, "cannot start a cell");
	c->pid = fork();
	if (c->pid < 0) {
		c->pid = 0;
		close(fds[0]);
		close(fds[1]);
		return pw_err_sys(err, errno, "cannot start a cell's process");
	}
	if (c->pid == 0) {
		close(fds[0]);
		if (role == ROLE_SOURCE)
			run_source(r, fds[1], born_ns);
		run_sink(r, fds[1]);
	}
	close(fds[1]);
	c->result_fd = fds[0];
	return 0;
}

static void take_status(struct child *c, const char *role)
{
	int status = 0;

	waitpid(c->pid, &status, 0);
	c->pid = 0;
	c->ended = true;
	if (c->have == c->size)
		return;
	memset(c->end, 0, c->size);
	if (WIFSIGNALED(status))
		*c->result = pw_err_set(
			c->err, ECHILD, "%s died: %s", role, strsignal(WTERMSIG(status)));
	else
		*c->result = pw_err_set(c->err, ECHILD, "%s ended without a result, status %d",
			role, WEXITSTATUS(status));
}

/* Reads what the child has written of its result; at its end, how it ended. */
static void hear(struct child *c, const char *role)
{
	ssize_t n = read(c->result_fd, (char *)c->end + c->have, c->size - c->have);

	if (n > 0)
		c->have += (size_t)n;
	if (n <= 0 || c->have == c->size)
		take_status(c, role);
}

static void kill_child(struct child *c, const char *why)
{
	if (!c->pid)
		return;
	kill(c->pid, SIGKILL);
	waitpid(c->pid, NULL, 0);
	c->pid = 0;
	c->ended = true;
	memset(c->end, 0, c->size);
	*c->result = pw_err_set(c->err, ETIMEDOUT, "%s", why);
}

static bool cancelled(const struct run *r)
{
	return r->cell->stopped && r->cell->stopped();
}

/* Waits for a byte of the sink, or its end. */
static int await_ready(struct run *r, struct pw_err *err)
{
	struct pollfd p[2] = {
		{.fd = r->ready[0], .events = POLLIN}, {.fd = r->sink.result_fd, .events = POLLIN}};
	const uint64_t until = pw_clock_ns() + r->cell->deadline_ns;

	while (pw_clock_ns() < until && !cancelled(r)) {
		if (poll(p, 2, POLL_MS) <= 0)
			continue;
		if (p[0].revents & POLLIN)
			return 0;
		while (!r->sink.ended)
			hear(&r->sink, "the sink");
		return 0; /* it failed: its result says how */
	}
	if (cancelled(r))
		return pw_err_set(err, ECANCELED, "interrupted");
	kill_child(&r->sink, "the sink was not ready in time");
	return 0;
}

static void finish_source(struct run *r)
{
	close(r->done[1]);
	r->done[1] = -1;
	if (*r->source.result && r->sink.pid)
		kill_child(&r->sink, "ended, because the source had failed");
}

static int await_ends(struct run *r, struct pw_err *err)
{
	uint64_t until = pw_clock_ns() + r->cell->deadline_ns;

	while (r->source.pid || r->sink.pid) {
		struct pollfd p[2] = {
			{.fd = r->source.pid ? r->source.result_fd : -1, .events = POLLIN},
			{.fd = r->sink.pid ? r->sink.result_fd : -1, .events = POLLIN}};

		if (cancelled(r))
			return pw_err_set(err, ECANCELED, "interrupted");
		if (pw_clock_ns() > until) {
			kill_child(&r->source, "the source did not end in time");
			kill_child(&r->sink, "the sink did not end in time");
			break;
		}
		if (poll(p, 2, POLL_MS) <= 0)
			continue;
		if (p[0].revents) {
			hear(&r->source, "the source");
			if (r->source.ended) {
				finish_source(r);
				until = pw_clock_ns() + SINK_GRACE +
					(r->cell->file_bytes >> 20) * (NS_PER_GIB >> 10);
			}
		}
		if (p[1].revents)
			hear(&r->sink, "the sink");
		/* without a receiver that lives the source's word is worth nothing */
		if (r->sink.ended && *r->sink.result)
			kill_child(&r->source, "ended, because the sink had failed");
	}
	return 0;
}

static void read_last_words(const struct child *c, char *buf, size_t len)
{
	char text[LAST_WORDS + 1], *line;
	off_t size = c->words_fd >= 0 ? lseek(c->words_fd, 0, SEEK_END) : 0;
	ssize_t n;

	if (size <= 0)
		return;
	n = pread(c->words_fd, text, LAST_WORDS, size > LAST_WORDS ? size - LAST_WORDS : 0);
	if (n <= 0)
		return;
	text[n] = 0;
	while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
		text[--n] = 0;
	line = strrchr(text, '\n');
	snprintf(buf, len, "%.*s", (int)len - 1, line ? line + 1 : text);
}

static void release(struct run *r)
{
	struct child *c[] = {&r->source, &r->sink};
	size_t i;

	kill_child(&r->source, "ended by the bench");
	kill_child(&r->sink, "ended by the bench");
	for (i = 0; i < 2; i++) {
		if (c[i]->result_fd >= 0)
			close(c[i]->result_fd);
		if (c[i]->words_fd >= 0)
			close(c[i]->words_fd);
		if (r->ready[i] >= 0)
			close(r->ready[i]);
		if (r->done[i] >= 0)
			close(r->done[i]);
	}
	if (r->cell->wire->socket[0])
		unlink(r->cell->wire->socket);
}

static bool wants_sink(const struct pw_cell *cell)
{
	return cell->wire->kind != PW_WIRE_SINK && cell->wire->kind != PW_WIRE_NULL &&
	       cell->wire->kind != PW_WIRE_NIC;
}

/* A device that no interface of the kernel shows has no counters here. */
static bool counts(const struct pw_cell *cell)
{
	return cell->wire->kind == PW_WIRE_SINK ||
	       (cell->wire->kind == PW_WIRE_NIC && !cell->way->takes_device);
}

/* What the kernel took may wait in its queue still; what goes past the queue is counted when the NIC
 * says that it has gone. */
static int count_after(const struct pw_cell *cell, struct pw_cell_end *end, struct pw_err *err)
{
	const struct timespec pause = {.tv_nsec = SETTLE_STEP};
	const uint64_t start = pw_clock_ns();
	uint64_t since = start, now, last = 0, n;
	int r;

	while ((r = pw_wire_count(cell->wire, &end->after, err)) == 0) {
		n = pw_wire_between(&end->before, &end->after).packets;
		now = pw_clock_ns();
		if (n != last)
			since = now;
		last = n;
		if (cell->wire->kind != PW_WIRE_NIC || n >= end->source.counters.packets ||
			(!end->after.waiting && now - since > SETTLE_NS) || now - start > QUEUE_NS)
			break;
		nanosleep(&pause, NULL);
	}
	return r;
}

static int run_sink_first(struct run *r, struct pw_cell_end *end, struct pw_err *err)
{
	struct pw_wire *wire = (struct pw_wire *)r->cell->wire;
	int ret = start(r, &r->sink, ROLE_SINK, err);

	/* on vhost each end waits for the other; the ring keeps what comes early */
	if (ret || wire->kind == PW_WIRE_VHOST)
		return ret;
	ret = await_ready(r, err);
	if (ret || end->sink.result)
		return ret;
	return wire->kind == PW_WIRE_TAP ? pw_wire_sink_ready(wire, err) : 0;
}

int pw_cell_run(const struct pw_cell *cell, struct pw_cell_end *end, struct pw_err *err)
{
	struct run r = {
		.cell = cell,
		.source = {.result_fd = -1,
			.words_fd = -1,
			.end = &end->source,
			.size = sizeof(end->source),
			.err = &end->source.err,
			.result = &end->source.result},
		.sink = {.result_fd = -1,
			.words_fd = -1,
			.end = &end->sink,
			.size = sizeof(end->sink),
			.err = &end->sink.err,
			.result = &end->sink.result},
		.ready = {-1, -1},
		.done = {-1, -1},
		.bench = getpid(),
	};
	int ret = 0;

	memset(end, 0, sizeof(*end));
	if (pipe2(r.ready, O_CLOEXEC) < 0 || pipe2(r.done, O_CLOEXEC) < 0)
		ret = pw_err_sys(err, errno, "cannot start a cell");
	end->has_sink = wants_sink(cell);
	if (ret == 0 && counts(cell))
		ret = pw_wire_count(cell->wire, &end->before, err);
	if (ret == 0 && end->has_sink)
		ret = run_sink_first(&r, end, err);
	if (ret == 0 && !end->sink.result)
		ret = start(&r, &r.source, ROLE_SOURCE, err);
	if (ret == 0)
		ret = await_ends(&r, err);
	if (ret == 0 && counts(cell))
		ret = count_after(cell, end, err);
	if (end->source.result)
		read_last_words(&r.source, end->last_words, sizeof(end->last_words));
	else if (end->sink.result)
		read_last_words(&r.sink, end->last_words, sizeof(end->last_words));
	release(&r);
	return ret;
}
