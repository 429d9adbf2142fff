/* SPDX-License-Identifier: BSD-3-Clause */
/* How the command line is read into a config, and what --help prints. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/cli/nearest.h"
#include "app/cli/opt_private.h"
#include "base/bytes.h"

enum pages { PAGES_AUTO, PAGES_STAGE = 7, PAGES_HUGEFILE = 1 };

struct inner {
	uint16_t queues;
	bool shared;
};

struct config {
	bool json, no_huge;
	bool lax; /* a choice of one byte */
	const char *port, *repair;
	uint64_t count, size, wait_ns, tsi;
	uint32_t mtu;
	struct pw_rate rate;
	enum pages pages;
	struct pw_strings gaps;
	struct inner inner;
};

#define AT(field) PW_OPT_AT(struct config, field)

static const struct pw_opt_choice pages[] = {
	{"auto", PAGES_AUTO}, {"hugefile", PAGES_HUGEFILE}, {"stage", PAGES_STAGE}, {NULL, 0}};
static const struct pw_opt_choice strictness[] = {{"strict", false}, {"lax", true}, {NULL, 0}};

static const struct pw_opt opts[] = {
	{.name = "json",
		.letter = 'j',
		.basic = true,
		.group = PW_OPT_OUTPUT,
		.type = PW_OPT_FLAG,
		AT(json),
		.help = "print JSON"},
	{.name = "no-huge", .type = PW_OPT_FLAG, AT(no_huge), .help = "small pages"},
	{.name = "port",
		.letter = 'p',
		.basic = true,
		.type = PW_OPT_STRING,
		AT(port),
		.arg = "PORT",
		.help = "a port whose description is so long that the help has to break the line "
			"after some words, and again after some more of them, until it is through"},
	{.name = "repair",
		.type = PW_OPT_STRING,
		AT(repair),
		.arg = "ADDR",
		.implied = "auto",
		.help = "where"},
	{.name = "count",
		.type = PW_OPT_UINT,
		AT(count),
		.arg = "N",
		.help = "how many",
		.min = 1,
		.max = 99},
	{.name = "size", .type = PW_OPT_SIZE, AT(size), .arg = "SIZE", .help = "how large"},
	{.name = "wait",
		.type = PW_OPT_DURATION,
		AT(wait_ns),
		.arg = "DURATION",
		.help = "how long"},
	{.name = "tsi", .type = PW_OPT_UINT, AT(tsi), .arg = "N", .help = "which"},
	{.name = "mtu", .type = PW_OPT_UINT, AT(mtu), .arg = "BYTES", .help = "how wide"},
	{.name = "rate", .type = PW_OPT_RATE, AT(rate), .arg = "RATE", .help = "how fast"},
	{.name = "pages",
		.type = PW_OPT_CHOICE,
		AT(pages),
		.choices = pages,
		.help = "which pages"},
	{.name = "check",
		.type = PW_OPT_CHOICE,
		AT(lax),
		.choices = strictness,
		.help = "how exact"},
	{.name = "gaps", .type = PW_OPT_LIST, AT(gaps), .arg = "FILE", .help = "what to repair"},
};

static const struct pw_opt inner_opts[] = {
	{.name = "queues",
		.type = PW_OPT_UINT,
		PW_OPT_AT(struct inner, queues),
		.arg = "N",
		.help = "in a struct that is embedded"},
	{.name = "shared",
		.type = PW_OPT_FLAG,
		PW_OPT_AT(struct inner, shared),
		.help = "the same"},
};

static const struct pw_opt_table shared[] = {
	{.opts = inner_opts,
		.n = PW_ARRAY_LEN(inner_opts),
		.offset = offsetof(struct config, inner)},
};

static const struct config defaults = {.count = 7,
	.size = 65536,
	.wait_ns = 1500000000,
	.tsi = UINT64_MAX,
	.mtu = UINT32_MAX,
	.pages = PAGES_HUGEFILE,
	.inner.queues = 3};

static const struct pw_command cmd = {
	.name = "probe",
	.summary = "a command of this test",
	.operands = "FILE...",
	.opts = opts,
	.n_opts = PW_ARRAY_LEN(opts),
	.shared = shared,
	.n_shared = PW_ARRAY_LEN(shared),
	.config_size = sizeof(struct config),
	.defaults = &defaults,
	.takes_eal = true,
	.examples = "pagewire probe x\n",
};

/* A parse and what came of it. */
struct parsed {
	struct config c;
	struct pw_operands ops;
	struct pw_context ctx;
	struct pw_err err;
	void *storage;
	int result;
};

#define PARSE(p, ...) parse(p, &cmd, (char **)(const char *[]){"probe", __VA_ARGS__, NULL})

static void parse(struct parsed *p, const struct pw_command *command, char **argv)
{
	int argc = 0;

	while (argv[argc])
		argc++;
	memset(p, 0, sizeof(*p));
	p->result =
		pw_opt_parse(command, argc, argv, &p->c, &p->ops, &p->ctx, &p->storage, &p->err);
}

static void done(struct parsed *p)
{
	pw_opt_free(p->storage);
}

static void assert_refused(const struct parsed *p, const char *word)
{
	assert_int_equal(p->result, -EINVAL);
	assert_null(p->storage);
	if (!strstr(p->err.msg, word))
		fail_msg("'%s' lacks '%s'", p->err.msg, word);
}

static void defaults_stand_without_options(void **state)
{
	struct parsed p;

	(void)state;
	PARSE(&p, "a", "b");
	assert_int_equal(p.result, 0);
	assert_memory_equal(&p.c, &defaults, sizeof(defaults));
	assert_int_equal(p.ops.n, 2);
	assert_string_equal(p.ops.argv[1], "b");
	assert_int_equal(p.ops.n_eal, 0);
	assert_int_equal(p.ctx.log.level, PW_LOG_INFO);
	done(&p);
}

static void every_type_is_read_in_both_forms(void **state)
{
	struct parsed p;

	(void)state;
	PARSE(&p, "--json", "--no-huge", "--port=null", "--count", "99", "--size=1.5KiB", "--wait",
		"2m", "--rate=2Mpps", "--pages", "stage", "file", "--tsi=0", "--queues=5",
		"--shared", "--check=lax", "--mtu=9000");
	assert_int_equal(p.result, 0);
	assert_true(p.c.json);
	assert_true(p.c.no_huge);
	assert_string_equal(p.c.port, "null");
	assert_int_equal(p.c.count, 99);
	assert_int_equal(p.c.size, 1536);
	assert_int_equal(p.c.wait_ns, 120000000000);
	assert_int_equal(p.c.rate.unit, PW_RATE_PPS);
	assert_true(p.c.rate.value == 2e6);
	assert_int_equal(p.c.pages, PAGES_STAGE);
	assert_int_equal(p.c.tsi, 0);
	assert_int_equal(p.c.inner.queues, 5);
	assert_true(p.c.inner.shared);
	assert_true(p.c.lax);
	assert_int_equal(p.c.mtu, 9000);
	assert_int_equal(p.ops.n, 1);
	done(&p);
}

static void the_last_of_repeated_options_wins(void **state)
{
	struct parsed p;

	(void)state;
	PARSE(&p, "--count=1", "--json", "--count=2", "--no-json", "--pages=stage", "--pages=auto");
	assert_int_equal(p.result, 0);
	assert_int_equal(p.c.count, 2);
	assert_false(p.c.json);
	assert_int_equal(p.c.pages, 0);
	done(&p);
}

static void flags_can_be_turned_off(void **state)
{
	struct parsed p;

	(void)state;
	PARSE(&p, "--json", "--json=off", "--no-huge", "--huge");
	assert_int_equal(p.result, 0);
	assert_false(p.c.json);
	assert_false(p.c.no_huge);
	done(&p);
	PARSE(&p, "--no-no-huge", "--json=Yes");
	assert_int_equal(p.result, 0);
	assert_false(p.c.no_huge);
	assert_true(p.c.json);
	done(&p);
	PARSE(&p, "--json=perhaps");
	assert_refused(&p, "--json 'perhaps': not a truth value");
	PARSE(&p, "--no-count");
	assert_refused(&p, "--count takes a value, so there is no --no-count");
}

static void a_value_may_be_implied(void **state)
{
	struct pw_command plain = cmd;
	struct parsed p;

	(void)state;
	PARSE(&p, "--repair", "file");
	assert_int_equal(p.result, 0);
	assert_string_equal(p.c.repair, "auto");
	assert_int_equal(p.ops.n, 1);
	done(&p);
	PARSE(&p, "--repair=x", "file");
	assert_string_equal(p.c.repair, "x");
	done(&p);
	PARSE(&p, "file");
	assert_null(p.c.repair);
	done(&p);
	PARSE(&p, "--repair=");
	assert_refused(&p, "--repair");
	/* A word that cannot be an operand is the value. */
	plain.operands = NULL;
	parse(&p, &plain, (char **)(const char *[]){"probe", "--repair", "x", NULL});
	assert_int_equal(p.result, 0);
	assert_string_equal(p.c.repair, "x");
	done(&p);
	parse(&p, &plain, (char **)(const char *[]){"probe", "--repair", "--json", NULL});
	assert_int_equal(p.result, 0);
	assert_string_equal(p.c.repair, "auto");
	assert_true(p.c.json);
	done(&p);
}

static void letters_cluster(void **state)
{
	struct parsed p;

	(void)state;
	PARSE(&p, "-jvp", "null");
	assert_int_equal(p.result, 0);
	assert_true(p.c.json);
	assert_string_equal(p.c.port, "null");
	assert_int_equal(p.ctx.log.level, PW_LOG_DEBUG);
	done(&p);
	PARSE(&p, "-pvhost:/x", "-q");
	assert_int_equal(p.result, 0);
	assert_string_equal(p.c.port, "vhost:/x");
	assert_int_equal(p.ctx.log.level, PW_LOG_ERR);
	assert_false(p.ctx.is_tty);
	done(&p);
	PARSE(&p, "-jz");
	assert_refused(&p, "option -z is unknown");
	PARSE(&p, "-p");
	assert_refused(&p, "option -p needs a value: --port=PORT");
}

static void unknown_options_get_a_suggestion(void **state)
{
	struct parsed p;

	(void)state;
	PARSE(&p, "--foo");
	assert_string_equal(p.err.msg, "option --foo is unknown; see pagewire probe --help");
	PARSE(&p, "--coutn=3");
	assert_refused(&p, "--coutn is unknown; did you mean --count? See pagewire probe --help");
	PARSE(&p, "--pag=stage");
	assert_refused(&p, "did you mean --pages?");
	PARSE(&p, "--verbos");
	assert_refused(&p, "did you mean --verbose?");
	PARSE(&p, "--no-hug");
	assert_refused(&p, "did you mean --no-huge?");
	PARSE(&p, "--=3");
	assert_refused(&p, "unknown");
}

static void long_words_are_refused_not_cut(void **state)
{
	static char word[5000];
	struct parsed p;

	(void)state;
	memset(word, 'x', sizeof(word) - 1);
	memcpy(word, "--json", 6);
	PARSE(&p, word);
	assert_refused(&p, "unknown");
}

static void values_are_not_taken_from_options(void **state)
{
	struct parsed p;

	(void)state;
	PARSE(&p, "--port");
	assert_refused(&p, "option --port needs a value: --port=PORT; see pagewire probe --help");
	PARSE(&p, "--pages");
	assert_refused(&p, "--pages=auto|hugefile|stage");
	PARSE(&p, "--port", "--json");
	assert_refused(&p, "option --port needs a value");
	PARSE(&p, "--port", "--", "-l", "1");
	assert_refused(&p, "option --port needs a value");
	PARSE(&p, "--port", "-j");
	assert_refused(&p, "option --port needs a value");
	PARSE(&p, "--port=--json", "--count", "-1");
	assert_refused(&p, "cannot read --count '-1': not a whole number from 1 to 99");
	PARSE(&p, "--port", "-");
	assert_int_equal(p.result, 0);
	assert_string_equal(p.c.port, "-");
	done(&p);
}

static void each_type_says_what_it_wants(void **state)
{
	static const char *const cases[][2] = {
		{"--count=0", "cannot read --count '0': not a whole number from 1 to 99"},
		{"--count=100", "from 1 to 99"},
		{"--count=3x", "from 1 to 99"},
		{"--count=", "from 1 to 99"},
		{"--count=18446744073709551616", "from 1 to 99"},
		{"--size=1500", "--size '1500': not a size; write a number and B, K, M, G"},
		{"--size=-1KiB", "not a size"},
		{"--wait=15", "--wait '15': not a duration"},
		{"--rate=10", "--rate '10': not a rate"},
		{"--rate=0pps", "not a rate"},
		{"--pages=huge", "cannot read --pages 'huge': not one of auto|hugefile|stage"},
		{"--pages=", "not one of"},
		{"--pages=auto|stage", "not one of"},
		{"--port=", "cannot read --port: the value is empty"},
		{"--gaps=", "cannot read --gaps: the value is empty"},
		{"--queues=65536", "from 0 to 65535"},
		{"--check=maybe", "not one of strict|lax"},
		{"--config=", "cannot read --config: the value is empty"},
	};
	struct parsed p;

	(void)state;
	for (size_t i = 0; i < PW_ARRAY_LEN(cases); i++) {
		PARSE(&p, (char *)cases[i][0]);
		assert_refused(&p, cases[i][1]);
	}
	PARSE(&p, "--tsi=18446744073709551614");
	assert_int_equal(p.result, 0);
	assert_true(p.c.tsi == UINT64_MAX - 1);
	done(&p);
}

static void what_follows_two_dashes_is_eal_s(void **state)
{
	struct pw_command plain = cmd;
	struct parsed p;

	(void)state;
	PARSE(&p, "file", "--", "--json", "-l", "2");
	assert_int_equal(p.result, 0);
	assert_false(p.c.json);
	assert_int_equal(p.ops.n, 1);
	assert_int_equal(p.ops.n_eal, 3);
	assert_string_equal(p.ops.eal_argv[0], "--json");
	done(&p);
	PARSE(&p, "--");
	assert_int_equal(p.result, 0);
	assert_int_equal(p.ops.n_eal, 0);
	done(&p);
	plain.takes_eal = false;
	parse(&p, &plain, (char **)(const char *[]){"probe", "--", "-x", NULL});
	assert_refused(&p, "./-NAME");
}

static void operands_are_refused_where_none_are_taken(void **state)
{
	struct pw_command plain = cmd;
	struct parsed p;

	(void)state;
	plain.operands = NULL;
	parse(&p, &plain, (char **)(const char *[]){"probe", "file", NULL});
	assert_refused(&p, "cannot take operand 'file'");
}

static void lists_take_every_value(void **state)
{
	struct parsed p;

	(void)state;
	PARSE(&p, "--gaps", "a", "--json", "--gaps=b", "x", "--gaps", "c");
	assert_int_equal(p.result, 0);
	assert_int_equal(p.c.gaps.n, 3);
	assert_string_equal(p.c.gaps.v[0], "a");
	assert_string_equal(p.c.gaps.v[1], "b");
	assert_string_equal(p.c.gaps.v[2], "c");
	done(&p);
	PARSE(&p, "x");
	assert_int_equal(p.c.gaps.n, 0);
	done(&p);
}

static char *help_text(const struct pw_command *command, bool all)
{
	size_t len;
	char *text = NULL;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	pw_opt_help(command, all, f);
	fclose(f);
	return text;
}

static void help_shows_each_option_with_its_default(void **state)
{
	char *text = help_text(&cmd, true), *line;

	(void)state;
	assert_non_null(strstr(text, "usage: pagewire probe [OPTIONS] FILE... [-- EAL-ARGUMENTS]"));
	for (size_t i = 0; i < PW_ARRAY_LEN(opts); i++) {
		char want[64];

		snprintf(want, sizeof(want), "--%s ", opts[i].name);
		assert_non_null(strstr(text, want));
	}
	assert_non_null(strstr(text, "  -j, --json   "));
	assert_non_null(strstr(text, "  -h, --help   "));
	assert_non_null(strstr(text, "--count N"));
	assert_non_null(strstr(text, "how many (default 7)"));
	assert_non_null(strstr(text, "how large (default 64KiB)"));
	assert_non_null(strstr(text, "how long (default 1500ms)"));
	assert_non_null(strstr(text, "--pages auto|hugefile|stage"));
	assert_non_null(strstr(text, "which pages (default hugefile)"));
	assert_non_null(strstr(text, "which\n"));
	assert_non_null(strstr(text, "how wide\n"));
	assert_non_null(strstr(text, "embedded (default 3)"));
	assert_non_null(strstr(text, "--check strict|lax"));
	assert_non_null(strstr(text, "\n  pagewire probe x\n"));
	for (line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		assert_true(strlen(line) <= 92);
	free(text);
}

static void help_shows_the_basic_options_of_each_group(void **state)
{
	char *text = help_text(&cmd, false);

	(void)state;
	assert_non_null(strstr(text, "\nMain options:\n  -p, --port PORT"));
	assert_non_null(strstr(text, "\nOutput:\n  -j, --json "));
	assert_null(strstr(text, "--count"));
	assert_non_null(strstr(text, "\n13 more options: pagewire probe --help all\n"));
	free(text);
}

static void help_ends_the_parsing(void **state)
{
	struct parsed p;
	int saved = dup(STDOUT_FILENO);

	(void)state;
	fflush(stdout);
	assert_non_null(freopen("/dev/null", "w", stdout));
	PARSE(&p, "--help", "--nonsense");
	assert_int_equal(p.result, 1);
	PARSE(&p, "--help", "all");
	assert_int_equal(p.result, 1);
	PARSE(&p, "--help=all");
	fflush(stdout);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	assert_int_equal(p.result, 1);
	assert_null(p.storage);
	PARSE(&p, "--nonsense", "--help");
	assert_refused(&p, "--nonsense is unknown");
}

static void nearest_takes_close_words_only(void **state)
{
	struct pw_nearest n = {0};

	(void)state;
	pw_nearest_try(&n, "interfcae", "timeout");
	assert_null(n.best);
	pw_nearest_try(&n, "interfcae", "interface");
	assert_string_equal(n.best, "interface");
	assert_int_equal(n.distance, 1);
	n = (struct pw_nearest){0};
	pw_nearest_try(&n, "x", "to");
	pw_nearest_try(&n, "ab", "to");
	assert_null(n.best);
	pw_nearest_try(&n, "a-word-that-is-longer-than-any-option", "option");
	assert_null(n.best);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_stand_without_options),
		cmocka_unit_test(every_type_is_read_in_both_forms),
		cmocka_unit_test(the_last_of_repeated_options_wins),
		cmocka_unit_test(flags_can_be_turned_off),
		cmocka_unit_test(a_value_may_be_implied),
		cmocka_unit_test(letters_cluster),
		cmocka_unit_test(unknown_options_get_a_suggestion),
		cmocka_unit_test(long_words_are_refused_not_cut),
		cmocka_unit_test(values_are_not_taken_from_options),
		cmocka_unit_test(each_type_says_what_it_wants),
		cmocka_unit_test(what_follows_two_dashes_is_eal_s),
		cmocka_unit_test(operands_are_refused_where_none_are_taken),
		cmocka_unit_test(help_shows_each_option_with_its_default),
		cmocka_unit_test(lists_take_every_value),
		cmocka_unit_test(help_shows_the_basic_options_of_each_group),
		cmocka_unit_test(help_ends_the_parsing),
		cmocka_unit_test(nearest_takes_close_words_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
