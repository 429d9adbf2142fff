/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The option engine on hostile text: the input is a command line, a word a line, an empty line, and
 * the configuration file. "--config" in the words is turned into a file with that content.
 */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "app/cli/config.h"
#include "app/cli/opt_private.h"
#include "base/bytes.h"

#define MAX_WORDS 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct config {
	bool json, no_huge;
	const char *port;
	uint64_t count, size, wait_ns;
	uint16_t queues;
	struct pw_rate rate;
	int pages;
	struct pw_strings gaps;
};

#define AT(field) PW_OPT_AT(struct config, field)

static const struct pw_opt_choice pages[] = {{"auto", 0}, {"hugefile", 1}, {"stage", 2}, {NULL, 0}};

static const struct pw_opt opts[] = {
	{.name = "json", .letter = 'j', .type = PW_OPT_FLAG, AT(json), .help = "flag"},
	{.name = "no-huge", .type = PW_OPT_FLAG, AT(no_huge), .help = "flag"},
	{.name = "port", .letter = 'p', .type = PW_OPT_STRING, AT(port), .help = "text"},
	{.name = "count",
		.letter = 'c',
		.type = PW_OPT_UINT,
		AT(count),
		.help = "number",
		.min = 1,
		.max = 99},
	{.name = "queues", .type = PW_OPT_UINT, AT(queues), .help = "number", .max = 64},
	{.name = "size", .type = PW_OPT_SIZE, AT(size), .help = "size"},
	{.name = "wait", .type = PW_OPT_DURATION, AT(wait_ns), .help = "time"},
	{.name = "rate", .type = PW_OPT_RATE, AT(rate), .help = "rate"},
	{.name = "pages", .type = PW_OPT_CHOICE, AT(pages), .choices = pages, .help = "choice"},
	{.name = "gaps", .type = PW_OPT_LIST, AT(gaps), .help = "list"},
};

static const struct config defaults = {.count = 1};

static const struct pw_command probe = {
	.name = "probe",
	.summary = "what is fuzzed",
	.operands = "FILE...",
	.opts = opts,
	.n_opts = PW_ARRAY_LEN(opts),
	.config_size = sizeof(struct config),
	.defaults = &defaults,
	.takes_eal = true,
};

static int ignore_entry(void *ctx, const struct pw_config_entry *e, struct pw_err *err)
{
	(void)ctx;
	(void)err;
	assert(e->section && e->key && e->value && e->line);
	return 0;
}

/* What was accepted keeps the table's promises. */
static void check(const struct config *c, const struct pw_operands *ops)
{
	char buf[64];

	assert(c->count >= 1 && c->count <= 99);
	assert(c->pages >= 0 && c->pages <= 2);
	assert(!c->port || c->port[0]);
	assert(c->queues <= 64);
	for (size_t i = 0; i < c->gaps.n; i++)
		assert(c->gaps.v[i][0]);
	assert(c->rate.unit == PW_RATE_NONE || c->rate.value > 0.0);
	for (int i = 0; i < ops->n; i++)
		assert(ops->argv[i]);
	for (size_t i = 0; i < PW_ARRAY_LEN(opts); i++)
		assert(strlen(pw_opt_show(&opts[i], c, buf, sizeof(buf))) < sizeof(buf));
}

static void run(int argc, char **argv)
{
	struct pw_operands ops;
	struct pw_context ctx;
	struct pw_err err = {0};
	struct config config;
	void *storage = NULL;
	int result = pw_opt_parse(&probe, argc, argv, &config, &ops, &ctx, &storage, &err);

	if (result == 0)
		check(&config, &ops);
	else
		assert(!storage && (result == 1 || (err.code == -result && err.msg[0])));
	pw_opt_free(storage);
}

/* Words end at the first empty line; returns where the file's text begins. */
static size_t split(char *text, size_t len, char **argv, int *argc)
{
	size_t at = 0;

	while (at < len && text[at] != '\n' && *argc < MAX_WORDS) {
		size_t n = strcspn(text + at, "\n");

		argv[(*argc)++] = text + at;
		at += n;
		if (at < len)
			text[at++] = '\0';
	}
	return at < len && text[at] == '\n' ? at + 1 : at;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char name[] = "probe", option[64], *argv[MAX_WORDS + 2] = {name}, *text = malloc(size + 1);
	int argc = 1, fd = memfd_create("fuzz_opt", MFD_CLOEXEC);
	struct pw_err err;
	size_t file;

	if (!text || fd < 0)
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	/* NULs end words, as in any argv; in the file they stay. */
	file = split(text, size, argv, &argc);
	pw_config_parse("fuzz.ini", text + file, size - file, ignore_entry, NULL, &err);
	if (write(fd, text + file, size - file) < 0)
		abort();
	snprintf(option, sizeof(option), "--config=/proc/self/fd/%d", fd);
	/* Any other file of this host is none of the fuzzer's business. */
	for (int i = 1; i < argc; i++)
		if (!strncmp(argv[i], "--config", 8))
			argv[i] = option;
	argv[argc++] = option;
	run(argc, argv);
	run(argc - 1, argv);
	close(fd);
	free(text);
	return 0;
}
