/* SPDX-License-Identifier: BSD-3-Clause */
/* libpagewire's sender where things go wrong. EAL starts once a process: each case has its own. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <pagewire.h>

#define FILE_BYTES 4000000
#define FAILED(x)  (fprintf(stderr, "%s:%d: not %s\n", __FILE__, __LINE__, #x), 1)
#define EXPECT(x)                         \
	do {                              \
		if (!(x))                 \
			_exit(FAILED(x)); \
	} while (0)

static char dir[] = "/tmp/pagewire-test-XXXXXX";
static char file[64], capture[64];

static int make(void **state)
{
	static char data[FILE_BYTES];
	FILE *f;

	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(file, sizeof(file), "%s/a.bin", dir);
	snprintf(capture, sizeof(capture), "pcap:%s/wire.pcap", dir);
	memset(data, 'x', sizeof(data));
	f = fopen(file, "w");
	return !f || fwrite(data, 1, sizeof(data), f) != sizeof(data) || fclose(f);
}

static int drop(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

static void in_a_process(void (*run)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		run();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static int open_port(struct pagewire **pw, const char *port)
{
	const struct pagewire_config config = {
		.port = port, .to = "239.77.0.1", .no_huge = 1, .wait_ms = 100};
	const char *const files[] = {file};
	int r = pagewire_open(pw, &config, files, 1);

	EXPECT(*pw);
	if (r)
		fprintf(stderr, "%s: %d, %s\n", port, r, pagewire_error(*pw));
	return r;
}

static void send_whole(struct pagewire *pw)
{
	const uint64_t n = pagewire_symbols(pw, 0);
	uint64_t next = 0;

	EXPECT(pagewire_announce(pw) == 0);
	while (next < n) {
		uint64_t left = n - next;
		int r = pagewire_burst(pw, 0, next, left < 64 ? (unsigned int)left : 64);

		EXPECT(r >= 0);
		next += (unsigned int)r;
	}
}

static void try_again(void)
{
	struct pagewire *pw;
	char nowhere[128], nobody[128];

	/* before EAL starts */
	EXPECT(open_port(&pw, "nosuch:x") == -EINVAL);
	pagewire_close(pw);
	EXPECT(open_port(&pw, "af_packet:pwnone0") == -ENODEV);
	pagewire_close(pw);
	/* EAL runs, and then the port fails: before its device is made, and after */
	snprintf(nowhere, sizeof(nowhere), "vhost:%s/none/w.sock", dir);
	EXPECT(open_port(&pw, nowhere) == -ENOENT);
	pagewire_close(pw);
	snprintf(nobody, sizeof(nobody), "vhost:%s/w.sock", dir);
	EXPECT(open_port(&pw, nobody) < 0);
	pagewire_close(pw);
	EXPECT(open_port(&pw, nobody) < 0);
	EXPECT(!strstr(pagewire_error(pw), "EAL"));
	pagewire_close(pw);
	EXPECT(open_port(&pw, capture) == 0);
	send_whole(pw);
	pagewire_close(pw);
	/* the port has ended EAL */
	EXPECT(open_port(&pw, capture) == -EALREADY);
	EXPECT(strstr(pagewire_error(pw), "new process"));
	pagewire_close(pw);
}

static void try_again_otherwise(void)
{
	struct pagewire_config config = {.port = "vhost:/nowhere/none/w.sock",
		.to = "239.77.0.1",
		.no_huge = 1,
		.mtu = 1500};
	const char *const files[] = {file};
	struct pagewire *pw;

	EXPECT(pagewire_open(&pw, &config, files, 1) == -ENOENT);
	pagewire_close(pw);
	config.port = capture;
	config.mtu = 65000; /* more memory than EAL has */
	EXPECT(pagewire_open(&pw, &config, files, 1) == -EALREADY);
	EXPECT(strstr(pagewire_error(pw), "other arguments"));
	pagewire_close(pw);
}

static void truncate_it(void)
{
	struct pagewire *pw;
	int r = 0;

	EXPECT(open_port(&pw, capture) == 0);
	EXPECT(pagewire_burst(pw, 0, 0, 64) > 0);
	EXPECT(truncate(file, 0) == 0);
	for (uint64_t next = 64; r >= 0 && next + 64 < pagewire_symbols(pw, 0); next += 64)
		r = pagewire_burst(pw, 0, next, 64);
	EXPECT(r == -EIO);
	EXPECT(strstr(pagewire_error(pw), file) && strstr(pagewire_error(pw), "truncated"));
	/* whatever part of the file is asked for */
	EXPECT(pagewire_burst(pw, 0, 0, 1) == -EIO);
	pagewire_close(pw);
}

static void lower_the_limit(void)
{
	const struct rlimit limit = {.rlim_cur = 32, .rlim_max = 32};
	struct pagewire *pw;

	EXPECT(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	EXPECT(open_port(&pw, capture) == -EMFILE);
	EXPECT(strstr(pagewire_error(pw), "RLIMIT_NOFILE allows 32"));
	pagewire_close(pw);
}

static void a_failed_open_can_be_repeated(void **state)
{
	(void)state;
	in_a_process(try_again);
}

static void a_second_open_that_eal_does_not_fit_says_so(void **state)
{
	(void)state;
	in_a_process(try_again_otherwise);
}

static void a_low_limit_is_named(void **state)
{
	(void)state;
	in_a_process(lower_the_limit);
}

static void a_truncated_file_is_an_error(void **state)
{
	(void)state;
	in_a_process(truncate_it);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failed_open_can_be_repeated),
		cmocka_unit_test(a_second_open_that_eal_does_not_fit_says_so),
		cmocka_unit_test(a_low_limit_is_named),
		cmocka_unit_test(a_truncated_file_is_an_error),
	};

	return cmocka_run_group_tests(tests, make, drop);
}
