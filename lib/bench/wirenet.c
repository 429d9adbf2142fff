/* SPDX-License-Identifier: BSD-3-Clause */
/* Makes network namespaces without a name, and runs ip commands in them. */
#include "bench/wirenet.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"

#define MAX_WORDS 32

extern char **environ;

struct call {
	int ns;
	int (*fn)(void *arg, struct pw_err *err);
	void *arg;
	struct pw_err *err;
	int ret;
};

static void *call_thread(void *ctx)
{
	struct call *c = ctx;

	if (c->ns >= 0 && setns(c->ns, CLONE_NEWNET))
		c->ret = pw_err_set(c->err, errno,
			"cannot enter a network namespace: %s; run as root (CAP_SYS_ADMIN)",
			strerror(errno));
	else
		c->ret = c->fn(c->arg, c->err);
	return NULL;
}

int pw_wirenet_call(int ns, int (*fn)(void *arg, struct pw_err *err), void *arg, struct pw_err *err)
{
	struct call c = {.ns = ns, .fn = fn, .arg = arg, .err = err};
	sigset_t all, old;
	pthread_t thread;
	int r;

	/* the program's handlers expect to run in its own threads */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&thread, NULL, call_thread, &c);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r)
		return pw_err_sys(err, r, "cannot start a thread in a network namespace");
	pthread_join(thread, NULL);
	return c.ret;
}

/* One command of iproute2 in the namespace of the calling thread. */
struct command {
	char line[256];
	char words[256];
	char *argv[MAX_WORDS + 1];
	int peer_ns;
};

static void split(struct command *c)
{
	char *save, *word;
	size_t n = 0;

	memcpy(c->words, c->line, sizeof(c->words));
	for (word = strtok_r(c->words, " ", &save); word && n < MAX_WORDS;
		word = strtok_r(NULL, " ", &save))
		c->argv[n++] = word;
	c->argv[n] = NULL;
}

static int spawn(pid_t *pid, struct command *c, int output)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none;
	int r;

	sigemptyset(&none);
	posix_spawn_file_actions_init(&files);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&files, output, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&files, output, STDERR_FILENO);
	if (c->peer_ns >= 0)
		posix_spawn_file_actions_adddup2(&files, c->peer_ns, 3);
	r = posix_spawnp(pid, c->argv[0], &files, &attr, c->argv, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	return r;
}

/* The first line that the command wrote, without what iproute2 puts in front of every reason. */
static const char *first_line(int output, char *buf, size_t len)
{
	static const char *const noise[] = {"RTNETLINK answers: ", "Error: "};
	ssize_t n = pread(output, buf, len - 1, 0);
	size_t i;

	buf[n > 0 ? n : 0] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
	for (i = 0; i < PW_ARRAY_LEN(noise); i++)
		if (strncmp(buf, noise[i], strlen(noise[i])) == 0)
			return buf + strlen(noise[i]);
	return buf[0] ? buf : "it says nothing";
}

static int refusal(const char *said)
{
	static const struct {
		const char *words;
		int code;
	} known[] = {{"not permitted", EPERM}, {"Operation not supported", EOPNOTSUPP},
		{"Unknown device type", EOPNOTSUPP}, {"Cannot find device", ENODEV},
		{"Invalid argument", EINVAL}};
	size_t i;

	for (i = 0; i < PW_ARRAY_LEN(known); i++)
		if (strstr(said, known[i].words))
			return known[i].code;
	return EIO;
}

static int judge(const struct command *c, int status, int output, struct pw_err *err)
{
	char buf[128];
	const char *said;
	int code;

	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFSIGNALED(status))
		return pw_err_set(err, EINTR, "cannot run `%.150s`: ended by signal %d", c->line,
			WTERMSIG(status));
	said = first_line(output, buf, sizeof(buf));
	code = refusal(said);
	return pw_err_set(err, code, "cannot run `%.110s`: %s%s", c->line, said,
		code == EPERM ? "; run as root (CAP_NET_ADMIN)" : "");
}

static int run(void *arg, struct pw_err *err)
{
	struct command *c = arg;
	int output = memfd_create("ip", MFD_CLOEXEC);
	int ret, status;
	pid_t pid;

	if (output < 0)
		return pw_err_sys(
			err, errno, "cannot run `%.150s`: make a file for its output", c->line);
	ret = spawn(&pid, c, output);
	if (ret == ENOENT) {
		ret = pw_err_set(err, ENODEV,
			"cannot run `%.100s`: there is no ip in PATH; apt install iproute2",
			c->line);
		goto close_output;
	}
	if (ret) {
		ret = pw_err_sys(err, ret, "cannot run `%.150s`", c->line);
		goto close_output;
	}
	while ((ret = waitpid(pid, &status, 0)) < 0 && errno == EINTR)
		;
	if (ret < 0)
		ret = pw_err_sys(err, errno, "cannot run `%.150s`: wait for it", c->line);
	else
		ret = judge(c, status, output, err);

close_output:
	close(output);
	return ret;
}

int pw_wirenet_ip(int ns, int peer_ns, struct pw_err *err, const char *fmt, ...)
{
	struct command c = {.line = "ip ", .peer_ns = peer_ns};
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(c.line + 3, sizeof(c.line) - 3, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(c.line) - 3)
		return pw_err_set(err, E2BIG, "cannot run `%.150s ...`: too long", c.line);
	split(&c);
	return pw_wirenet_call(ns, run, &c, err);
}

static int make(void *arg, struct pw_err *err)
{
	int *ns = arg;

	if (unshare(CLONE_NEWNET))
		return pw_err_set(err, errno,
			"cannot make a network namespace: %s; run as root (CAP_SYS_ADMIN, "
			"CAP_NET_ADMIN)",
			strerror(errno));
	/* no O_CLOEXEC: programs that the bench starts enter by this number */
	*ns = open("/proc/thread-self/ns/net", O_RDONLY);
	if (*ns < 0)
		return pw_err_sys(err, errno, "cannot open /proc/thread-self/ns/net");
	return 0;
}

/* Best effort: without IPv6 in the kernel there is nothing to turn off, and where /proc/sys is
 * read-only interfaces are still kept from taking a link-local address (addrgenmode none). */
static int quiet(void *arg, struct pw_err *err)
{
	static const char *const knobs[] = {"/proc/sys/net/ipv6/conf/all/disable_ipv6",
		"/proc/sys/net/ipv6/conf/default/disable_ipv6"};
	ssize_t n;
	size_t i;
	int fd;

	(void)arg;
	(void)err;
	for (i = 0; i < PW_ARRAY_LEN(knobs); i++) {
		fd = open(knobs[i], O_WRONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		n = write(fd, "1", 1);
		(void)n;
		close(fd);
	}
	return 0;
}

int pw_wirenet_make(int *ns, struct pw_err *err)
{
	int ret;

	*ns = -1;
	ret = pw_wirenet_call(-1, make, ns, err);
	if (ret == 0)
		ret = pw_wirenet_call(*ns, quiet, NULL, err);
	if (ret == 0)
		ret = pw_wirenet_ip(*ns, -1, err, "link set lo up");
	if (ret && *ns >= 0) {
		close(*ns);
		*ns = -1;
	}
	return ret;
}
