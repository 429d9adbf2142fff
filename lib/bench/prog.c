/* SPDX-License-Identifier: BSD-3-Clause */
/* Starts other programs (testpmd, iperf3, fio, pagewire), waits for them, reads their output. */
#include "bench/prog.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"

#define POLL_MS   20
#define PATIENCE  (2 * PW_NS_PER_S) /* between SIGINT and SIGKILL */
#define NOT_FOUND 127               /* as a shell says it */
#define PIPES     3                 /* in, out, err */

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void close_pipes(int pipes[PIPES][2])
{
	unsigned int i;

	for (i = 0; i < PIPES; i++) {
		close_fd(&pipes[i][0]);
		close_fd(&pipes[i][1]);
	}
}

static int make_pipes(int pipes[PIPES][2])
{
	unsigned int i;

	memset(pipes, -1, sizeof(int[PIPES][2]));
	for (i = 0; i < PIPES; i++) {
		if (pipe2(pipes[i], O_CLOEXEC) < 0) {
			int saved = errno;

			close_pipes(pipes);
			return -saved;
		}
	}
	return 0;
}

/* In the child. A program of its own: our signal mask and handlers are not for it. */
static void become(const char *const *argv, int cpu, int pipes[PIPES][2], pid_t parent)
{
	sigset_t none;
	cpu_set_t set;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(NOT_FOUND);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setpgid(0, 0); /* its children end with it; Ctrl-C is ours to hand on */
	if (cpu >= 0) {
		CPU_ZERO(&set);
		CPU_SET((unsigned int)cpu, &set);
		sched_setaffinity(0, sizeof(set), &set);
	}
	dup2(pipes[0][0], STDIN_FILENO);
	dup2(pipes[1][1], STDOUT_FILENO);
	dup2(pipes[2][1], STDERR_FILENO);
	execvp(argv[0], (char *const *)(uintptr_t)argv);
	_exit(NOT_FOUND);
}

/* exec's own answer would come too late to tell it from the program's. */
bool pw_prog_can_run(const char *name)
{
	char dirs[1024], path[1280], *dir, *save = NULL;

	if (strchr(name, '/'))
		return access(name, X_OK) == 0;
	snprintf(dirs, sizeof(dirs), "%s", getenv("PATH") ? getenv("PATH") : "/usr/bin:/bin");
	for (dir = strtok_r(dirs, ":", &save); dir; dir = strtok_r(NULL, ":", &save)) {
		snprintf(path, sizeof(path), "%s/%s", dir, name);
		if (access(path, X_OK) == 0)
			return true;
	}
	return false;
}

int pw_prog_start(struct pw_prog *p, const char *const *argv, int cpu, bool (*stopped)(void),
	struct pw_err *err)
{
	const char *base = strrchr(argv[0], '/');
	const pid_t self = getpid();
	int pipes[PIPES][2], r;

	memset(p, 0, sizeof(*p));
	p->in = p->out.fd = p->err.fd = -1;
	p->stopped = stopped;
	snprintf(p->name, sizeof(p->name), "%s", base ? base + 1 : argv[0]);
	if (!pw_prog_can_run(argv[0]))
		return pw_err_set(err, ENOENT, "cannot run %s: it is not installed here", p->name);
	r = make_pipes(pipes);
	if (r)
		return pw_err_sys(err, -r, "cannot start %s", p->name);
	p->start_ns = pw_clock_ns();
	p->pid = fork();
	if (p->pid == 0)
		become(argv, cpu, pipes, self);
	if (p->pid < 0) {
		r = errno;
		p->pid = 0;
		close_pipes(pipes);
		return pw_err_sys(err, r, "cannot start %s", p->name);
	}
	setpgid(p->pid, p->pid); /* the child also does this: one of the two calls comes first */
	p->in = pipes[0][1];
	p->out.fd = pipes[1][0];
	p->err.fd = pipes[2][0];
	pipes[0][1] = pipes[1][0] = pipes[2][0] = -1;
	close_pipes(pipes);
	return 0;
}

static void take_text(struct pw_prog_text *t)
{
	char buf[4096], *more;
	ssize_t n = read(t->fd, buf, sizeof(buf));
	size_t keep;

	if (n <= 0) {
		if (n == 0 || errno != EINTR)
			close_fd(&t->fd);
		return;
	}
	keep = pw_min_u64((size_t)n, PW_PROG_TEXT_MAX - t->len);
	more = realloc(t->s, t->len + keep + 1);
	if (!more)
		return;
	t->s = more;
	memcpy(t->s + t->len, buf, keep);
	t->len += keep;
	t->s[t->len] = '\0';
}

/* What it has said meanwhile; POLL_MS at most. False when both streams are at their ends. */
static bool listen_to(struct pw_prog *p)
{
	struct pollfd fds[2] = {{p->out.fd, POLLIN, 0}, {p->err.fd, POLLIN, 0}};

	if (p->out.fd < 0 && p->err.fd < 0)
		return false;
	if (poll(fds, 2, POLL_MS) > 0) {
		if (fds[0].revents)
			take_text(&p->out);
		if (fds[1].revents)
			take_text(&p->err);
	}
	return true;
}

static int check_time(const struct pw_prog *p, uint64_t deadline_ns, struct pw_err *err)
{
	if (p->stopped && p->stopped())
		return pw_err_set(err, ECANCELED, "cannot run %s: interrupted", p->name);
	if (pw_clock_ns() > deadline_ns)
		return pw_err_set(
			err, ETIMEDOUT, "cannot run %s: it exceeded its time limit", p->name);
	return 0;
}

static bool has_said(const struct pw_prog *p, const char *text)
{
	return (p->out.s && strstr(p->out.s, text)) || (p->err.s && strstr(p->err.s, text));
}

/* The last line that is one: why it ended, most likely. */
static int say_failed(const struct pw_prog *p, const char *what, int code, struct pw_err *err)
{
	const struct pw_prog_text *t = p->err.len ? &p->err : &p->out;
	size_t end = t->len, at;

	while (end && (t->s[end - 1] == '\n' || t->s[end - 1] == ' '))
		end--;
	for (at = end; at && t->s[at - 1] != '\n';)
		at--;
	return pw_err_set(err, code, "cannot run %s: %s%s%.*s", p->name, what, end ? ": " : "",
		(int)pw_min_u64(end - at, 200), end ? t->s + at : "");
}

int pw_prog_until(struct pw_prog *p, const char *text, uint64_t timeout_ns, struct pw_err *err)
{
	const uint64_t deadline = pw_clock_ns() + timeout_ns;
	int r = 0;

	while (r == 0 && !has_said(p, text)) {
		if (!listen_to(p))
			return say_failed(p, "it ended early", ECHILD, err);
		r = check_time(p, deadline, err);
	}
	return r;
}

int pw_prog_say(struct pw_prog *p, const char *text, struct pw_err *err)
{
	const size_t len = strlen(text);

	if (p->in < 0 || write(p->in, text, len) != (ssize_t)len)
		return say_failed(p, "it takes no more commands", EPIPE, err);
	return 0;
}

int pw_prog_wait(struct pw_prog *p, uint64_t timeout_ns, struct pw_err *err)
{
	const uint64_t deadline = pw_clock_ns() + timeout_ns;
	char what[48];
	int r;

	close_fd(&p->in);
	while (listen_to(p)) {
		r = check_time(p, deadline, err);
		if (r)
			return r;
	}
	while (wait4(p->pid, &p->status, WNOHANG, &p->usage) == 0) {
		r = check_time(p, deadline, err);
		if (r)
			return r;
		poll(NULL, 0, 1);
	}
	p->pid = 0;
	p->end_ns = pw_clock_ns();
	if (WIFEXITED(p->status) && WEXITSTATUS(p->status) == 0)
		return 0;
	snprintf(what, sizeof(what), WIFEXITED(p->status) ? "exit code %d" : "signal %d",
		WIFEXITED(p->status) ? WEXITSTATUS(p->status) : WTERMSIG(p->status));
	return say_failed(p, what, EIO, err);
}

double pw_prog_number(const struct pw_prog *p, const char *path)
{
	json_t *doc = p->out.s ? json_loads(p->out.s, 0, NULL) : NULL, *at = doc;
	double number;
	char key[64];
	size_t n;

	while (at && *path) {
		n = strcspn(path, ".");
		snprintf(key, sizeof(key), "%.*s", (int)n, path);
		at = json_is_array(at) ? json_array_get(at, strtoul(key, NULL, 10))
				       : json_object_get(at, key);
		path += n + (path[n] == '.');
	}
	number = json_is_number(at) ? json_number_value(at) : NAN;
	json_decref(doc);
	return number;
}

static bool has_ended(struct pw_prog *p, uint64_t deadline_ns)
{
	while (waitpid(p->pid, &p->status, WNOHANG) == 0) {
		if (pw_clock_ns() > deadline_ns)
			return false;
		listen_to(p);
		poll(NULL, 0, 1);
	}
	return true;
}

void pw_prog_drop(struct pw_prog *p)
{
	if (!p->name[0])
		return;
	close_fd(&p->in);
	if (p->pid) {
		kill(-p->pid, SIGINT);
		if (!has_ended(p, pw_clock_ns() + PATIENCE)) {
			kill(-p->pid, SIGKILL);
			waitpid(p->pid, &p->status, 0);
		}
	}
	close_fd(&p->out.fd);
	close_fd(&p->err.fd);
	free(p->out.s);
	free(p->err.s);
	memset(p, 0, sizeof(*p));
}

int pw_prog_run(struct pw_prog *p, const char *const *argv, int cpu, uint64_t timeout_ns,
	bool (*stopped)(void), struct pw_err *err)
{
	int r = pw_prog_start(p, argv, cpu, stopped, err);

	return r ? r : pw_prog_wait(p, timeout_ns, err);
}

const char *pw_prog_self(char *buf, size_t len)
{
	ssize_t n = readlink("/proc/self/exe", buf, len - 1);

	buf[n < 0 ? 0 : n] = '\0';
	return buf;
}
