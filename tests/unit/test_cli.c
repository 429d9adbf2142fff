/* SPDX-License-Identifier: BSD-3-Clause */
/* What the commands share: errors and exit codes, JSON text, the live line, stop signals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/cli/cli.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/json_text.h"

/* Runs fn with one of the standard streams in a pipe; what it wrote is in out. */
static void capture(FILE *stream, void (*fn)(void *arg), void *arg, char *out, size_t len)
{
	int target = fileno(stream), saved, fds[2];
	ssize_t n;

	fflush(stream);
	assert_int_equal(pipe(fds), 0);
	saved = dup(target);
	dup2(fds[1], target);
	close(fds[1]);
	fn(arg);
	fflush(stream);
	dup2(saved, target);
	close(saved);
	n = read(fds[0], out, len - 1);
	close(fds[0]);
	out[n > 0 ? n : 0] = '\0';
}

static void assert_json_text(const char *s, const char *want)
{
	json_t *o = pw_json_text(s);

	assert_non_null(o);
	assert_string_equal(json_string_value(o), want);
	json_decref(o);
}

static void text_of_any_origin_becomes_json(void **state)
{
	json_t *null = pw_json_text(NULL);

	(void)state;
	assert_true(json_is_null(null));
	json_decref(null);
	assert_json_text("", "");
	assert_json_text(
		"a/\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "a/\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
	assert_json_text("a\xff/b", "a?/b");
	assert_json_text("\xc3", "?");
	assert_json_text("\xe2\x82", "??");
	assert_json_text("\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80", "?????????");
	assert_json_text("\xe0\x80\x80\xf0\x80\x80\x80", "???????");
}

static void long_text_is_kept_whole(void **state)
{
	static char s[9001];
	json_t *o;

	(void)state;
	for (size_t i = 0; i + 3 < sizeof(s); i += 3)
		memcpy(s + i, "\xe2\x82\xac", 3);
	o = pw_json_text(s);
	assert_non_null(o);
	assert_int_equal(json_string_length(o), 9000);
	json_decref(o);
}

static void print_words(void *arg)
{
	static const char *const words[] = {"a/b.c:1,x=%", "", "it's", "a b", "\033[2J"};

	(void)arg;
	for (size_t i = 0; i < PW_ARRAY_LEN(words); i++) {
		pw_cli_print_word(stdout, words[i]);
		putchar('\n');
	}
}

static void words_are_quoted_for_a_shell(void **state)
{
	char text[128];

	(void)state;
	capture(stdout, print_words, NULL, text, sizeof(text));
	assert_string_equal(text, "a/b.c:1,x=%\n''\n'it'\\''s'\n'a b'\n'?[2J'\n");
}

static void print_result(void *arg)
{
	json_t *o = pw_cli_json_result("pagewire.probe/1", 3);

	(void)arg;
	json_object_set_new(o, "rate", json_real(0.1));
	pw_cli_print_json(o);
}

static void results_carry_schema_version_and_exit_code(void **state)
{
	char text[512];
	json_t *o;

	(void)state;
	capture(stdout, print_result, NULL, text, sizeof(text));
	o = json_loads(text, 0, NULL);
	assert_non_null(o);
	assert_string_equal(json_string_value(json_object_get(o, "schema")), "pagewire.probe/1");
	assert_string_equal(json_string_value(json_object_get(o, "version")), PW_VERSION);
	assert_int_equal(json_integer_value(json_object_get(o, "exit_code")), 3);
	assert_non_null(strstr(text, "\"rate\": 0.1\n"));
	json_decref(o);
}

struct failure {
	int (*fn)(const struct pw_err *err);
	int code;
	const char *msg;
	int result;
};

static void fail_it(void *arg)
{
	struct failure *f = arg;
	struct pw_err err;

	pw_err_set(&err, f->code, "%s", f->msg);
	f->result = f->fn(&err);
}

static void errors_cannot_command_the_terminal(void **state)
{
	struct failure f = {pw_cli_fail, EIO, "map \033[2J\n\177x: gone", 0};
	char text[512];

	(void)state;
	capture(stderr, fail_it, &f, text, sizeof(text));
	assert_string_equal(text, "pagewire: error: map ?[2J??x: gone\n");
	assert_int_equal(f.result, PW_EXIT_RUNTIME);
}

static void what_the_host_lacks_is_77(void **state)
{
	static const struct failure cases[] = {
		{pw_cli_fail_open, ENODEV, "x", PW_EXIT_NOENV},
		{pw_cli_fail_open, ENOMEM, "x", PW_EXIT_NOENV},
		{pw_cli_fail_open, EPERM, "x", PW_EXIT_NOENV},
		{pw_cli_fail_open, ENOTSUP, "x", PW_EXIT_NOENV},
		{pw_cli_fail_open, EADDRINUSE, "x", PW_EXIT_RUNTIME},
		{pw_cli_fail_open, ETIMEDOUT, "x", PW_EXIT_RUNTIME},
		{pw_cli_fail_open, ECANCELED, "x", PW_EXIT_INCOMPLETE},
		{pw_cli_fail, ENODEV, "x", PW_EXIT_RUNTIME},
		{pw_cli_fail, ECANCELED, "x", PW_EXIT_INCOMPLETE},
	};
	char text[64];

	(void)state;
	for (size_t i = 0; i < PW_ARRAY_LEN(cases); i++) {
		struct failure f = cases[i];

		f.result = -1;
		capture(stderr, fail_it, &f, text, sizeof(text));
		assert_int_equal(f.result, cases[i].result);
	}
}

/* The table of exit.c, as the man pages have it. */
static void each_errno_has_its_exit_code(void **state)
{
	static const int errors[] = {ECANCELED, ENODEV, ENOSPC, ENOMEM, EPERM, EACCES, ENOTSUP,
		ENOSYS, EIO, ENOENT, EADDRINUSE, EINVAL};
	static const struct {
		enum pw_exit_when when;
		int codes[PW_ARRAY_LEN(errors)];
	} cases[] = {
		{PW_WHEN_OPENING, {3, 77, 77, 77, 77, 77, 77, 77, 1, 1, 1, 1}},
		{PW_WHEN_STAGING, {3, 77, 77, 1, 1, 1, 1, 1, 1, 1, 1, 1}},
		{PW_WHEN_RUNNING, {3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}},
	};

	(void)state;
	for (size_t i = 0; i < PW_ARRAY_LEN(cases); i++) {
		assert_int_equal(pw_exit_code(cases[i].when, 0), PW_EXIT_OK);
		for (size_t k = 0; k < PW_ARRAY_LEN(errors); k++)
			assert_int_equal(pw_exit_code(cases[i].when, errors[k]), cases[i].codes[k]);
	}
}

static void draw_twice(void *arg)
{
	struct pw_progress *p = arg;
	uint64_t t = p->start_ns;

	assert_false(pw_progress_due(p, t + PW_NS_PER_S / 10));
	assert_true(pw_progress_due(p, t + PW_NS_PER_S));
	pw_progress_phase(p, t, "recv", 0);
	pw_progress_draw(p, t + PW_NS_PER_S, 125000000, 500000000, 100000, 0.0025);
	assert_false(pw_progress_due(p, t + PW_NS_PER_S + 1));
	pw_progress_draw(p, t + 2 * PW_NS_PER_S, 125000000, 0, 100000, -1.0);
	pw_progress_end(p);
}

static void progress_without_a_terminal_is_lines(void **state)
{
	struct pw_progress p;
	char text[512];

	(void)state;
	pw_progress_init(&p, false, true);
	capture(stderr, draw_twice, &p, text, sizeof(text));
	assert_string_equal(text,
		"pagewire: recv 119 MiB of 477 MiB, 25 %, 1.00 Gbit/s, 100 kpps, ETA 3.00 s, loss "
		"0.25 %\n"
		"pagewire: recv 119 MiB, 0 bit/s, 0 pps\n");
}

static void draw_phases(void *arg)
{
	struct pw_progress *p = arg;
	const uint64_t t = p->start_ns, s = PW_NS_PER_S;

	pw_progress_phase(p, t, "reading", 0);
	pw_progress_draw(p, t + 10 * s, 250000000, 1000000000, 0, -1.0);
	pw_progress_phase(p, t + 20 * s, "sending", 500000000);
	assert_false(pw_progress_due(p, t + 20 * s));
	pw_progress_phase(p, t + 21 * s, "sending", 625000000);
	pw_progress_draw(p, t + 21 * s, 625000000, 1000000000, 1000, -1.0);
}

/* An ETA from the mean since the start would be 12.6 s. */
static void a_new_phase_restarts_the_clock(void **state)
{
	struct pw_progress p;
	char text[512];

	(void)state;
	pw_progress_init(&p, false, true);
	capture(stderr, draw_phases, &p, text, sizeof(text));
	assert_string_equal(text,
		"pagewire: reading 238 MiB of 954 MiB, 25 %, 200 Mbit/s, ETA 30.00 s\n"
		"pagewire: sending 596 MiB of 954 MiB, 62 %, 1.00 Gbit/s, 1.00 kpps, ETA 3.00 s\n");
}

static void draw_on_terminal(void *arg)
{
	struct pw_progress *p = arg;

	pw_progress_phase(p, p->start_ns, "send", 0);
	pw_progress_draw(p, p->start_ns + PW_NS_PER_S, 1, 2, 1, 0.5);
	pw_progress_end(p);
}

static void progress_on_a_terminal_fits_and_is_wiped(void **state)
{
	struct pw_progress p;
	char text[512];

	(void)state;
	/* A pipe has no width: 80 columns. */
	pw_progress_init(&p, true, false);
	capture(stderr, draw_on_terminal, &p, text, sizeof(text));
	assert_int_equal(text[0], '\r');
	assert_true(strcspn(text + 1, "\033") <= 79);
	assert_string_equal(text + strlen(text) - 4, "\r\033[K");
	pw_progress_init(&p, false, false);
	assert_false(p.enabled);
	capture(stderr, draw_on_terminal, &p, text, sizeof(text));
	assert_string_equal(text, "");
}

static void the_first_signal_asks_the_second_kills(void **state)
{
	struct sigaction sa;

	(void)state;
	pw_stop_install();
	assert_false(pw_stop_requested());
	raise(SIGTERM);
	assert_true(pw_stop_requested());
	assert_int_equal(pw_stop_signal(), SIGTERM);
	sigaction(SIGTERM, NULL, &sa);
	assert_true(sa.sa_handler == SIG_DFL);
	signal(SIGINT, SIG_DFL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_of_any_origin_becomes_json),
		cmocka_unit_test(long_text_is_kept_whole),
		cmocka_unit_test(words_are_quoted_for_a_shell),
		cmocka_unit_test(results_carry_schema_version_and_exit_code),
		cmocka_unit_test(errors_cannot_command_the_terminal),
		cmocka_unit_test(what_the_host_lacks_is_77),
		cmocka_unit_test(each_errno_has_its_exit_code),
		cmocka_unit_test(a_new_phase_restarts_the_clock),
		cmocka_unit_test(progress_without_a_terminal_is_lines),
		cmocka_unit_test(progress_on_a_terminal_fits_and_is_wiped),
		cmocka_unit_test(the_first_signal_asks_the_second_kills),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
