/* SPDX-License-Identifier: BSD-3-Clause */
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
			return pw_err_set(err, ENOMEM, "read options: out of memory");
		st->items = grown;
		st->n_room = room;
	}
	st->items[st->n_items++] = *it;
	return 0;
}

static int apply(const struct pw_opt_parse *p, void *config, struct pw_opt_common *common,
	struct pw_err *err)
{
	char what[192];

	for (unsigned int rank = 0; rank < PW_N_RANKS; rank++) {
		for (size_t i = 0; i < p->st->n_items; i++) {
			const struct pw_opt_item *it = &p->st->items[i];
			int result;

			if (it->rank != rank)
				continue;
			if (it->line)
				snprintf(what, sizeof(what), "%.120s:%u: %s", p->config_path,
					it->line, it->opt->name);
			else
				snprintf(what, sizeof(what), "--%s", it->opt->name);
			result = pw_opt_set(it->opt, what, it->value, it->off,
				it->common ? (void *)common : config, err);
			if (result)
				return result;
		}
	}
	return 0;
}

/* The live line may stand there: wipe it first, its next drawing is a fifth of a second away. */
static void log_over_line(void *ctx, enum pw_log_level level, const char *line)
{
	static const char wipe[] = "\r\033[K";

	if (write(STDERR_FILENO, wipe, sizeof(wipe) - 1) < 0)
		return; /* nor would the line itself get there */
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
		pw_opt_help(p->cmd, stdout);
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
		return pw_err_set(err, ENOMEM, "read options: out of memory");
	p.st->operands = calloc((size_t)(argc > 0 ? argc : 0) + 1, sizeof(*p.st->operands));
	if (!p.st->operands) {
		pw_opt_free(p.st);
		return pw_err_set(err, ENOMEM, "read options: out of memory");
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
	free(st->arena);
	free(st);
}
