/* SPDX-License-Identifier: BSD-3-Clause */
/* Splits the command line into items, operands and EAL arguments. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "app/cli/opt_private.h"
#include "base/bytes.h"

static int unknown_option(const struct pw_command *cmd, const char *name, struct pw_err *err)
{
	const char *near = pw_opt_nearest(cmd, name);

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
	struct pw_opt_item it;

	if (word[0] != '-' || !word[1])
		return false;
	return word[1] == '-' || pw_opt_find_letter(cmd, word[1], &it);
}

/* An option with an implied value takes the next word only where that cannot be an operand. */
static bool takes_implied(const struct pw_opt_parse *p, const struct pw_opt *o)
{
	return o->implied && (p->cmd->operands || p->next >= p->argc ||
				     looks_like_option(p->cmd, p->argv[p->next]));
}

static int take_value(
	struct pw_opt_parse *p, const char *shown, struct pw_opt_item *it, struct pw_err *err)
{
	char arg[PW_OPT_ARG_MAX];

	if (takes_implied(p, it->opt)) {
		it->value = it->opt->implied;
		return 0;
	}
	if (p->next >= p->argc || looks_like_option(p->cmd, p->argv[p->next]))
		return pw_err_set(err, EINVAL,
			"option %.60s needs a value: --%s=%s; see pagewire %s --help", shown,
			it->opt->name, pw_opt_arg(it->opt, arg), p->cmd->name);
	it->value = p->argv[p->next++];
	return 0;
}

/* "--help all" and "--help=all"; help ends the parsing. */
static void take_help(struct pw_opt_parse *p, struct pw_opt_item *it)
{
	const char *value = it->value;

	if (!value && p->next < p->argc)
		value = p->argv[p->next];
	p->help_all = value && !strcmp(value, "all");
	if (p->help_all)
		it->value = NULL;
}

static int take_item(struct pw_opt_parse *p, struct pw_opt_item *it, struct pw_err *err)
{
	struct pw_opt_common common = {0};
	char what[16]; /* "--verbose" is the longest */
	int result;

	it->rank = PW_RANK_ARGV;
	if (it->common && !strcmp(it->opt->name, "help"))
		take_help(p, it);
	result = pw_opt_push(p->st, it, err);
	if (result || !it->common)
		return result;
	/* Two of the common options steer the parsing itself. */
	snprintf(what, sizeof(what), "--%s", it->opt->name);
	result = pw_opt_set(it->opt, what, it->value, it->off, &common, err);
	p->help |= common.help;
	if (common.config)
		p->config_path = common.config;
	return result;
}

static int scan_long(struct pw_opt_parse *p, const char *word, struct pw_err *err)
{
	const char *equals = strchr(word, '=');
	struct pw_opt_item it = {.value = equals ? equals + 1 : NULL};
	char name[64]; /* no option has a longer name; errors quote the beginning */
	const size_t n = equals ? (size_t)(equals - word) : strlen(word);
	int result = 0;

	snprintf(name, sizeof(name), "%.*s", (int)pw_min_u64(n, sizeof(name)), word);
	if (n >= sizeof(name) || !pw_opt_find(p->cmd, name, &it)) {
		struct pw_opt_item flagless;

		if (!strncmp(name, "no-", 3) && pw_opt_find(p->cmd, name + 3, &flagless))
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
static int scan_short(struct pw_opt_parse *p, const char *letters, struct pw_err *err)
{
	int result = 0;

	for (; *letters && !result && !p->help; letters++) {
		const char shown[] = {'-', *letters, '\0'};
		struct pw_opt_item it = {0};

		if (!pw_opt_find_letter(p->cmd, *letters, &it))
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

int pw_opt_scan_argv(struct pw_opt_parse *p, struct pw_err *err)
{
	int result = 0;

	while (p->next < p->argc && !result && !p->help) {
		char *word = p->argv[p->next++];

		if (!strcmp(word, "--")) {
			if (!p->cmd->takes_eal)
				return pw_err_set(err, EINVAL,
					"cannot take what follows --: this command has no EAL "
					"arguments; write a file whose name begins with - as "
					"./-NAME");
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
				"cannot take operand '%.60s': the command has none; see pagewire "
				"%s --help",
				word, p->cmd->name);
		else
			p->ops->argv[p->ops->n++] = word;
	}
	return result;
}
