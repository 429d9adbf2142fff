/* SPDX-License-Identifier: BSD-3-Clause */
/* Looks options up: by index, by name (also --no-NAME), by letter, by a mistyped name. */
#include <string.h>

#include "app/cli/nearest.h"
#include "app/cli/opt_private.h"
#include "base/bytes.h"

#define ROW(name, type, group, field) PW_OPT_ROW(name, type, group, struct pw_opt_common, field)

static const struct pw_opt common_opts[] = {
	{ROW("help", FLAG, COMMON, help), .letter = 'h', .basic = true,
		.help = "print the basic options and exit; --help all: every option"},
	{ROW("config", STRING, COMMON, config), .basic = true, .arg = "FILE",
		.help = "read options from an INI file: [common] and a section named as the "
			"command, the same names as here; the command line wins"},
	{ROW("verbose", FLAG, COMMON, verbose), .letter = 'v', .basic = true,
		.help = "log more, DPDK's own messages included"},
	{ROW("quiet", FLAG, COMMON, quiet), .letter = 'q',
		.help = "log errors only, draw no live line"},
};

const struct pw_opt *pw_opt_at(const struct pw_command *cmd, size_t i, struct pw_opt_item *it)
{
	const struct pw_opt *opt = NULL;
	size_t offset = 0, t;
	bool common = false;

	for (t = 0; t < cmd->n_shared && i >= cmd->shared[t].n; t++)
		i -= cmd->shared[t].n;
	if (t < cmd->n_shared) {
		opt = &cmd->shared[t].opts[i];
		offset = cmd->shared[t].offset;
	} else if (i < cmd->n_opts) {
		opt = &cmd->opts[i];
	} else if (i - cmd->n_opts < PW_ARRAY_LEN(common_opts)) {
		opt = &common_opts[i - cmd->n_opts];
		common = true;
	}
	if (it && opt) {
		it->opt = opt;
		it->offset = offset;
		it->common = common;
	}
	return opt;
}

/* "--no-json" for json, "--huge" for no-huge. */
static bool is_opposite(const struct pw_opt *o, const char *name)
{
	if (o->type != PW_OPT_FLAG)
		return false;
	return (!strncmp(name, "no-", 3) && !strcmp(o->name, name + 3)) ||
	       (!strncmp(o->name, "no-", 3) && !strcmp(o->name + 3, name));
}

bool pw_opt_find(const struct pw_command *cmd, const char *name, struct pw_opt_item *it)
{
	const struct pw_opt *o;
	size_t i;

	it->off = false;
	for (i = 0; (o = pw_opt_at(cmd, i, it)); i++)
		if (!strcmp(o->name, name))
			return true;
	it->off = true;
	for (i = 0; (o = pw_opt_at(cmd, i, it)); i++)
		if (is_opposite(o, name))
			return true;
	return false;
}

bool pw_opt_find_letter(const struct pw_command *cmd, char letter, struct pw_opt_item *it)
{
	const struct pw_opt *o;

	it->off = false;
	for (size_t i = 0; (o = pw_opt_at(cmd, i, it)); i++)
		if (o->letter == letter)
			return true;
	return false;
}

const char *pw_opt_nearest(const struct pw_command *cmd, const char *word)
{
	struct pw_nearest n = {0};
	const struct pw_opt *o;

	for (size_t i = 0; (o = pw_opt_at(cmd, i, NULL)); i++)
		pw_nearest_try(&n, word, o->name);
	return n.best;
}
