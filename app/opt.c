/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/opt.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/config.h"
#include "app/opt_priv.h"
#include "base/bytes.h"

/* A word on the command line or a line of the file, before it is read into the config. */
struct item {
	const struct pw_opt *opt;
	const char *value; /* NULL: a bare flag */
	bool common;       /* fills struct pw_opt_common, not the command's config */
	bool off;          /* --no-NAME */
	unsigned int line; /* of the file; 0 = command line */
	unsigned int rank; /* later ranks win: [common], [COMMAND], command line */
};

enum { RANK_FILE_COMMON, RANK_FILE_COMMAND, RANK_ARGV, N_RANKS };

struct storage {
	struct item *items;
	size_t n_items, n_room;
	char **operands;
	char *text;  /* of the config file */
	char *arena; /* its values, NUL-terminated */
	size_t arena_used, arena_len;
};

struct parse {
	const struct pw_command *cmd;
	int argc;
	char **argv;
	int next;
	struct storage *st;
	struct pw_operands *ops;
	const char *config_path;
	bool help;
};

static int push(struct storage *st, const struct item *it, struct pw_err *err)
{
	if (st->n_items == st->n_room) {
		size_t room = st->n_room ? st->n_room * 2 : 32;
		struct item *grown = realloc(st->items, room * sizeof(*grown));

		if (!grown)
			return pw_err_set(err, ENOMEM, "read options: out of memory");
		st->items = grown;
		st->n_room = room;
	}
	st->items[st->n_items++] = *it;
	return 0;
}

static bool find_in(const struct pw_opt *opts, size_t n, const char *name, struct item *it)
{
	bool negated = !strncmp(name, "no-", 3);

	for (size_t i = 0; i < n; i++) {
		if (!strcmp(opts[i].name, name)) {
			it->opt = &opts[i];
			it->off = false;
			return true;
		}
	}
	for (size_t i = 0; i < n; i++) {
		const char *own = opts[i].name;

		if (opts[i].type != PW_OPT_FLAG)
			continue;
		if ((negated && !strcmp(own, name + 3)) ||
			(!strncmp(own, "no-", 3) && !strcmp(own + 3, name))) {
			it->opt = &opts[i];
			it->off = true;
			return true;
		}
	}
	return false;
}

static bool find(const struct pw_command *cmd, const char *name, struct item *it)
{
	it->common = false;
	if (find_in(cmd->opts, cmd->n_opts, name, it))
		return true;
	it->common = true;
	return find_in(pw_opt_common_opts, PW_OPT_N_COMMON, name, it);
}

static bool find_letter(const struct pw_command *cmd, char letter, struct item *it)
{
	it->off = false;
	it->common = false;
	for (size_t i = 0; i < cmd->n_opts; i++) {
		it->opt = &cmd->opts[i];
		if (it->opt->letter == letter)
			return true;
	}
	it->common = true;
	for (size_t i = 0; i < PW_OPT_N_COMMON; i++) {
		it->opt = &pw_opt_common_opts[i];
		if (it->opt->letter == letter)
			return true;
	}
	return false;
}

static const char *nearest(const struct pw_command *cmd, const char *word)
{
	struct pw_nearest n = {0};

	for (size_t i = 0; i < cmd->n_opts; i++)
		pw_nearest_try(&n, word, cmd->opts[i].name);
	for (size_t i = 0; i < PW_OPT_N_COMMON; i++)
		pw_nearest_try(&n, word, pw_opt_common_opts[i].name);
	return n.best;
}

static int unknown_option(const struct pw_command *cmd, const char *name, struct pw_err *err)
{
	const char *near = nearest(cmd, name);

	if (near)
		return pw_err_set(err, EINVAL,
			"option --%.60s is unknown; did you mean --%s? See pagewire %s --help",
			name, near, cmd->name);
	return pw_err_set(
		err, EINVAL, "option --%.60s is unknown; see pagewire %s --help", name, cmd->name);
}

/* "--port --to x": the value was forgotten. "--ttl -1" is a value, if a wrong one. */
static bool looks_like_option(const struct pw_command *cmd, const char *word)
{
	struct item it;

	if (word[0] != '-' || !word[1])
		return false;
	return word[1] == '-' || find_letter(cmd, word[1], &it);
}

static int take_value(struct parse *p, const char *shown, struct item *it, struct pw_err *err)
{
	if (p->next >= p->argc || looks_like_option(p->cmd, p->argv[p->next]))
		return pw_err_set(err, EINVAL,
			"option %.60s needs a value: --%s=%s; see pagewire %s --help", shown,
			it->opt->name, it->opt->arg ? it->opt->arg : "VALUE", p->cmd->name);
	it->value = p->argv[p->next++];
	return 0;
}

static int take_item(struct parse *p, struct item *it, struct pw_err *err)
{
	struct pw_opt_common common = {0};
	int result;

	it->rank = RANK_ARGV;
	result = push(p->st, it, err);
	if (result || !it->common)
		return result;
	/* Two of the common options steer the parsing itself. */
	result = pw_opt_set(it->opt, it->opt->name, it->value, it->off, &common, err);
	p->help |= common.help;
	if (common.config)
		p->config_path = common.config;
	return result;
}

static int scan_long(struct parse *p, const char *word, struct pw_err *err)
{
	const char *equals = strchr(word, '=');
	struct item it = {.value = equals ? equals + 1 : NULL};
	char name[64];
	size_t n = equals ? (size_t)(equals - word) : strlen(word);
	int result = 0;

	snprintf(name, sizeof(name), "%.*s", (int)pw_min_u64(n, sizeof(name)), word);
	if (n >= sizeof(name) || !find(p->cmd, name, &it)) {
		struct item flagless;

		if (!strncmp(name, "no-", 3) && find(p->cmd, name + 3, &flagless))
			return pw_err_set(err, EINVAL,
				"option --%s takes a value, so there is no --%s; see pagewire %s "
				"--help",
				name + 3, name, p->cmd->name);
		return unknown_option(p->cmd, name, err);
	}
	if (it.opt->type != PW_OPT_FLAG && !equals)
		result = take_value(p, word - 2, &it, err);
	return result ? result : take_item(p, &it, err);
}

/* "-v", "-vq", "-x VALUE", "-xVALUE" */
static int scan_short(struct parse *p, const char *letters, struct pw_err *err)
{
	int result = 0;

	for (; *letters && !result && !p->help; letters++) {
		const char shown[] = {'-', *letters, '\0'};
		struct item it = {0};

		if (!find_letter(p->cmd, *letters, &it))
			return pw_err_set(err, EINVAL,
				"option -%c is unknown; see pagewire %s --help", *letters,
				p->cmd->name);
		if (it.opt->type == PW_OPT_FLAG) {
			result = take_item(p, &it, err);
			continue;
		}
		if (letters[1])
			it.value = letters + 1;
		else
			result = take_value(p, shown, &it, err);
		return result ? result : take_item(p, &it, err);
	}
	return result;
}

static int scan_argv(struct parse *p, struct pw_err *err)
{
	int result = 0;

	while (p->next < p->argc && !result && !p->help) {
		char *word = p->argv[p->next++];

		if (!strcmp(word, "--")) {
			if (!p->cmd->takes_eal)
				return pw_err_set(err, EINVAL,
					"pagewire %s takes no EAL arguments after --; a file whose "
					"name begins with - is written ./-NAME",
					p->cmd->name);
			p->ops->eal_argv = p->argv + p->next;
			p->ops->n_eal = p->argc - p->next;
			return 0;
		}
		if (word[0] == '-' && word[1] == '-')
			result = scan_long(p, word + 2, err);
		else if (word[0] == '-' && word[1])
			result = scan_short(p, word + 1, err);
		else if (!p->cmd->operands)
			return pw_err_set(err, EINVAL,
				"operand '%.60s' is one too many; see pagewire %s --help", word,
				p->cmd->name);
		else
			p->ops->argv[p->ops->n++] = word;
	}
	return result;
}

static const struct pw_command *find_command(const struct pw_command *self, const char *name)
{
	if (!strcmp(self->name, name))
		return self;
	for (const struct pw_command *const *c = pw_commands; *c; c++)
		if (!strcmp((*c)->name, name))
			return *c;
	return NULL;
}

/* Whether any command knows key: [common] is for all of them, each takes what it has. */
static bool known_somewhere(const char *key)
{
	struct item it;

	for (const struct pw_command *const *c = pw_commands; *c; c++)
		if (find(*c, key, &it))
			return true;
	return false;
}

static int take_entry(
	struct parse *p, struct item *it, const struct pw_config_entry *e, struct pw_err *err)
{
	struct storage *st = p->st;
	size_t len = strlen(e->value) + 1;

	if (it->common && (!strcmp(it->opt->name, "help") || !strcmp(it->opt->name, "config")))
		return pw_err_set(err, EINVAL, "read %.120s:%u: %s belongs on the command line",
			p->config_path, e->line, it->opt->name);
	if (len > st->arena_len - st->arena_used)
		return pw_err_set(err, EFBIG, "read %.120s:%u: the file's values are too long",
			p->config_path, e->line);
	it->value = memcpy(st->arena + st->arena_used, e->value, len);
	st->arena_used += len;
	return push(st, it, err);
}

static int on_entry(void *ctx, const struct pw_config_entry *e, struct pw_err *err)
{
	struct parse *p = ctx;
	bool common = !strcmp(e->section, "common");
	const struct pw_command *cmd = common ? p->cmd : find_command(p->cmd, e->section);
	struct item it = {.line = e->line, .rank = common ? RANK_FILE_COMMON : RANK_FILE_COMMAND};

	if (!e->section[0])
		return pw_err_set(err, EINVAL,
			"read %.120s:%u: %.40s stands before any section; write [%s] or [common] "
			"above it",
			p->config_path, e->line, e->key, p->cmd->name);
	if (!cmd)
		return pw_err_set(err, EINVAL,
			"read %.120s:%u: section [%.40s] is neither [common] nor a command",
			p->config_path, e->line, e->section);
	if (!find(cmd, e->key, &it)) {
		const char *near = nearest(cmd, e->key);

		if (common && known_somewhere(e->key))
			return 0;
		return pw_err_set(err, EINVAL, "read %.120s:%u: option %.40s is unknown%s%s%s",
			p->config_path, e->line, e->key, near ? "; did you mean " : "",
			near ? near : "", near ? "?" : "");
	}
	return cmd == p->cmd ? take_entry(p, &it, e, err) : 0;
}

static int scan_file(struct parse *p, struct pw_err *err)
{
	struct storage *st = p->st;
	size_t len = 0;
	int result = pw_config_load(p->config_path, &st->text, &len, err);

	if (result)
		return result;
	/* A value and its NUL are no longer than its line; the last line may lack its end. */
	st->arena_len = len + 1;
	st->arena = malloc(st->arena_len);
	if (!st->arena)
		return pw_err_set(err, ENOMEM, "read options: out of memory");
	return pw_config_parse(p->config_path, st->text, len, on_entry, p, err);
}

static int apply(
	const struct parse *p, void *config, struct pw_opt_common *common, struct pw_err *err)
{
	char what[192];

	for (unsigned int rank = 0; rank < N_RANKS; rank++) {
		for (size_t i = 0; i < p->st->n_items; i++) {
			const struct item *it = &p->st->items[i];
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

static int check_required(const struct parse *p, struct pw_err *err)
{
	for (size_t i = 0; i < p->cmd->n_opts; i++) {
		const struct pw_opt *o = &p->cmd->opts[i];
		bool given = !o->required;

		for (size_t j = 0; j < p->st->n_items && !given; j++)
			given = p->st->items[j].opt == o;
		if (!given)
			return pw_err_set(err, EINVAL,
				"option --%s=%s is missing; see pagewire %s --help", o->name,
				o->arg ? o->arg : "VALUE", p->cmd->name);
	}
	return 0;
}

static void fill_context(struct pw_context *ctx, const struct pw_opt_common *common)
{
	ctx->log.sink = pw_log_stderr;
	ctx->log.ctx = NULL;
	ctx->log.level = common->quiet ? PW_LOG_ERR : PW_LOG_INFO;
	if (common->verbose)
		ctx->log.level = PW_LOG_DEBUG;
	ctx->is_tty = !common->quiet && isatty(STDERR_FILENO);
}

static int parse_all(struct parse *p, void *config, struct pw_context *ctx, struct pw_err *err)
{
	struct pw_opt_common common = {0};
	int result = scan_argv(p, err);

	if (result)
		return result;
	if (p->help) {
		pw_opt_help(p->cmd, stdout);
		return 1;
	}
	if (p->config_path)
		result = scan_file(p, err);
	if (!result)
		result = apply(p, config, &common, err);
	if (!result)
		result = check_required(p, err);
	if (!result)
		fill_context(ctx, &common);
	return result;
}

int pw_opt_parse(const struct pw_command *cmd, int argc, char **argv, void *config,
	struct pw_operands *ops, struct pw_context *ctx, void **storage, struct pw_err *err)
{
	struct parse p = {.cmd = cmd, .argc = argc, .argv = argv, .next = 1, .ops = ops};
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
	struct storage *st = storage;

	if (!st)
		return;
	free(st->items);
	free(st->operands);
	free(st->text);
	free(st->arena);
	free(st);
}
