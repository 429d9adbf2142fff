/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "app/cli/opt_private.h"

static bool find_in(const struct pw_opt *opts, size_t n, const char *name, struct pw_opt_item *it)
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

bool pw_opt_find(const struct pw_command *cmd, const char *name, struct pw_opt_item *it)
{
	it->common = false;
	if (find_in(cmd->opts, cmd->n_opts, name, it))
		return true;
	it->common = true;
	return find_in(pw_opt_common_opts, PW_OPT_N_COMMON, name, it);
}

bool pw_opt_find_letter(const struct pw_command *cmd, char letter, struct pw_opt_item *it)
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

const char *pw_opt_nearest(const struct pw_command *cmd, const char *word)
{
	struct pw_nearest n = {0};

	for (size_t i = 0; i < cmd->n_opts; i++)
		pw_nearest_try(&n, word, cmd->opts[i].name);
	for (size_t i = 0; i < PW_OPT_N_COMMON; i++)
		pw_nearest_try(&n, word, pw_opt_common_opts[i].name);
	return n.best;
}
