/* SPDX-License-Identifier: BSD-3-Clause */
/* pw_opt_parse(): collects the items of the command line and the file, then applies them by rank. */
#include "app/cli/opt.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/cli/opt_private.h"

int pw_opt_push(struct pw_opt_storage *st, const struct pw_opt_item *it, struct pw_err *err)
{
	if (st->n_items == st->n_room) {
		size_t room = st->n_room ? st->n_room * 2 : 32;
		struct pw_opt_item *grown = realloc(st->items, room * sizeof(*grown));

		if (!grown)
			return pw_err_set(err, ENOMEM, "cannot read options: out of memory");
		st->items = grown;
		st->n_room = room;
	}
	st->items[st->n_items++] = *it;
	return 0;
}

/* How errors name an option: "--mtu", "FILE:3: mtu". */
static char *name_of(const struct pw_opt_parse *p, const struct pw_opt_item *it)
{
	char *what = NULL;
	int n = it->line ? asprintf(&what, "%s:%u: %s", p->config_path, it->line, it->opt->name)
			 : asprintf(&what, "--%s", it->opt->name);

	return n < 0 ? NULL : what;
}

static int refuse_empty(
	const struct pw_opt_parse *p, const struct pw_opt_item *it, struct pw_err *err)
{
	char *what = name_of(p, it);
	int result = pw_err_set(
		err, EINVAL, "cannot read %s: the value is empty", what ? what : it->opt->name);

	free(what);
	return result;
}

/* All values of the highest rank at which the list was given. */
static int apply_list(
	struct pw_opt_parse *p, const struct pw_opt_item *first, void *config, struct pw_err *err)
{
	struct pw_opt_storage *st = p->st;
	struct pw_strings list = {.v = st->words + st->n_words};
	unsigned int rank = 0;
	size_t i;

	for (i = 0; i < st->n_items; i++)
		if (st->items[i].opt == first->opt && st->items[i].rank > rank)
			rank = st->items[i].rank;
	for (i = 0; i < st->n_items; i++) {
		const struct pw_opt_item *it = &st->items[i];

		if (it->opt != first->opt || it->rank != rank)
			continue;
		if (!*it->value)
			return refuse_empty(p, it, err);
		st->words[st->n_words++] = it->value;
		list.n++;
	}
	memcpy((char *)config + first->offset + first->opt->offset, &list, sizeof(list));
	return 0;
}

static int apply_lists(struct pw_opt_parse *p, void *config, struct pw_err *err)
{
	struct pw_opt_storage *st = p->st;
	int result = 0;

	for (size_t i = 0; i < st->n_items && !result; i++) {
		const struct pw_opt *o = st->items[i].opt;
		size_t k = 0;

		while (st->items[k].opt != o)
			k++;
		if (o->type == PW_OPT_LIST && k == i)
			result = apply_list(p, &st->items[i], config, err);
	}
	return result;
}

static int apply_item(const struct pw_opt_parse *p, const struct pw_opt_item *it, void *config,
	struct pw_opt_common *common, struct pw_err *err)
{
	char *what = name_of(p, it);
	int result;

	if (!what)
		return pw_err_set(err, ENOMEM, "cannot read options: out of memory");
	result = pw_opt_set(it->opt, what, it->value, it->off,
		it->common ? (char *)common : (char *)config + it->offset, err);
	free(what);
	return result;
}

static int apply(
	struct pw_opt_parse *p, void *config, struct pw_opt_common *common, struct pw_err *err)
{
	struct pw_opt_storage *st = p->st;

	for (unsigned int rank = 0; rank < PW_N_RANKS; rank++) {
		for (size_t i = 0; i < st->n_items; i++) {
			const struct pw_opt_item *it = &st->items[i];
			int result = 0;

			if (it->rank == rank && it->opt->type != PW_OPT_LIST)
				result = apply_item(p, it, config, common, err);
			if (result)
				return result;
		}
	}
	st->words = calloc(st->n_items + 1, sizeof(*st->words));
	if (!st->words)
		return pw_err_set(err, ENOMEM, "cannot read options: out of memory");
	return apply_lists(p, config, err);
}

/* The live line may be on the terminal: wipe it before the log line. */
static void log_over_line(void *ctx, enum pw_log_level level, const char *line)
{
	static const char wipe[] = "\r\033[K";

	if (write(STDERR_FILENO, wipe, sizeof(wipe) - 1) < 0)
		return; /* the log line would also fail */
	pw_log_stderr(ctx, level, line);
}

static void fill_context(struct pw_context *ctx, const struct pw_opt_common *common)
{
	ctx->log.level = common->quiet ? PW_LOG_ERR : PW_LOG_INFO;
	if (common->verbose)
		ctx->log.level = PW_LOG_DEBUG;
	ctx->is_tty = !common->quiet && isatty(STDERR_FILENO);
	ctx->log.sink = ctx->is_tty ? log_over_line : pw_log_stderr;
	ctx->log.ctx = NULL;
}

static int parse_all(
	struct pw_opt_parse *p, void *config, struct pw_context *ctx, struct pw_err *err)
{
	struct pw_opt_common common = {0};
	int result = pw_opt_scan_argv(p, err);

	if (result)
		return result;
	if (p->help) {
		pw_opt_help(p->cmd, p->help_all, stdout);
		return 1;
	}
	if (p->config_path)
		result = pw_opt_scan_file(p, err);
	if (!result)
		result = apply(p, config, &common, err);
	if (!result)
		fill_context(ctx, &common);
	return result;
}

int pw_opt_parse(const struct pw_command *cmd, int argc, char **argv, void *config,
	struct pw_operands *ops, struct pw_context *ctx, void **storage, struct pw_err *err)
{
	struct pw_opt_parse p = {.cmd = cmd, .argc = argc, .argv = argv, .next = 1, .ops = ops};
	int result;

	memset(ops, 0, sizeof(*ops));
	memset(ctx, 0, sizeof(*ctx));
	*storage = NULL;
	if (cmd->defaults)
		memcpy(config, cmd->defaults, cmd->config_size);
	p.st = calloc(1, sizeof(*p.st));
	if (!p.st)
		return pw_err_set(err, ENOMEM, "cannot read options: out of memory");
	p.st->operands = calloc((size_t)(argc > 0 ? argc : 0) + 1, sizeof(*p.st->operands));
	if (!p.st->operands) {
		pw_opt_free(p.st);
		return pw_err_set(err, ENOMEM, "cannot read options: out of memory");
	}
	ops->argv = p.st->operands;
	result = parse_all(&p, config, ctx, err);
	if (result) {
		pw_opt_free(p.st);
		memset(ops, 0, sizeof(*ops));
		return result;
	}
	*storage = p.st;
	return 0;
}

void pw_opt_free(void *storage)
{
	struct pw_opt_storage *st = storage;

	if (!st)
		return;
	free(st->items);
	free(st->operands);
	free(st->words);
	free(st->arena);
	free(st);
}
