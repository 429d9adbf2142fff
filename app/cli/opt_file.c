/* SPDX-License-Identifier: BSD-3-Clause */
/* Turns the entries of a --config file into items of the command that runs. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "app/cli/config.h"
#include "app/cli/opt_private.h"

static const struct pw_command *find_command(const struct pw_command *self, const char *name)
{
	if (!strcmp(self->name, name))
		return self;
	for (const struct pw_command *const *c = pw_commands; *c; c++)
		if (!strcmp((*c)->name, name))
			return *c;
	return NULL;
}

/* True when any command has an option key: in [common] each command takes the keys that it has. */
static bool known_somewhere(const char *key)
{
	struct pw_opt_item it;

	for (const struct pw_command *const *c = pw_commands; *c; c++)
		if ((*c)->missing || pw_opt_find(*c, key, &it))
			return true;
	return false;
}

static int take_entry(struct pw_opt_parse *p, struct pw_opt_item *it,
	const struct pw_config_entry *e, struct pw_err *err)
{
	struct pw_opt_storage *st = p->st;
	size_t len = strlen(e->value) + 1;

	if (it->common && (!strcmp(it->opt->name, "help") || !strcmp(it->opt->name, "config")))
		return pw_err_set(err, EINVAL, "cannot read %s:%u: %s belongs on the command line",
			p->config_path, e->line, it->opt->name);
	if (len > st->arena_len - st->arena_used)
		return pw_err_set(err, EFBIG, "cannot read %s:%u: the file's values are too long",
			p->config_path, e->line);
	it->value = memcpy(st->arena + st->arena_used, e->value, len);
	st->arena_used += len;
	return pw_opt_push(st, it, err);
}

static int on_entry(void *ctx, const struct pw_config_entry *e, struct pw_err *err)
{
	struct pw_opt_parse *p = ctx;
	bool common = !strcmp(e->section, "common");
	const struct pw_command *cmd = common ? p->cmd : find_command(p->cmd, e->section);
	struct pw_opt_item it = {
		.line = e->line, .rank = common ? PW_RANK_FILE_COMMON : PW_RANK_FILE_COMMAND};

	if (!e->section[0])
		return pw_err_set(err, EINVAL,
			"cannot read %s:%u: %.40s stands before any section; write [%s] or "
			"[common] "
			"above it",
			p->config_path, e->line, e->key, p->cmd->name);
	if (!cmd)
		return pw_err_set(err, EINVAL,
			"cannot read %s:%u: section [%.40s] is neither [common] nor a command",
			p->config_path, e->line, e->section);
	if (cmd->missing)
		return 0; /* its options are not in this build: nothing to compare with */
	if (!pw_opt_find(cmd, e->key, &it)) {
		const char *near = pw_opt_nearest(cmd, e->key);

		if (common && known_somewhere(e->key))
			return 0;
		return pw_err_set(err, EINVAL, "cannot read %s:%u: option %.40s is unknown%s%s%s",
			p->config_path, e->line, e->key, near ? "; did you mean " : "",
			near ? near : "", near ? "?" : "");
	}
	return cmd == p->cmd ? take_entry(p, &it, e, err) : 0;
}

int pw_opt_scan_file(struct pw_opt_parse *p, struct pw_err *err)
{
	struct pw_opt_storage *st = p->st;
	char *text = NULL;
	size_t len = 0;
	int result = pw_config_load(p->config_path, &text, &len, err);

	if (result)
		return result;
	/* A value and its NUL are no longer than its line; the last line may lack its end. */
	st->arena_len = len + 1;
	st->arena = malloc(st->arena_len);
	if (st->arena)
		result = pw_config_parse(p->config_path, text, len, on_entry, p, err);
	else
		result = pw_err_set(err, ENOMEM, "cannot read options: out of memory");
	free(text);
	return result;
}
