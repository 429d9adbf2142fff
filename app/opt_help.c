/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <string.h>

#include "app/opt_priv.h"

#define HELP_COLUMN 28
#define HELP_WIDTH  92

const struct pw_opt pw_opt_common_opts[PW_OPT_N_COMMON] = {
	{.name = "help",
		.letter = 'h',
		.type = PW_OPT_FLAG,
		.offset = offsetof(struct pw_opt_common, help),
		.help = "Print this help and exit"},
	{.name = "config",
		.type = PW_OPT_STRING,
		.offset = offsetof(struct pw_opt_common, config),
		.arg = "FILE",
		.help = "Read options from an INI file: [common] and a section named as the "
			"command, the same names as here; the command line wins"},
	{.name = "verbose",
		.letter = 'v',
		.type = PW_OPT_FLAG,
		.offset = offsetof(struct pw_opt_common, verbose),
		.help = "Log more, DPDK's own messages included"},
	{.name = "quiet",
		.letter = 'q',
		.type = PW_OPT_FLAG,
		.offset = offsetof(struct pw_opt_common, quiet),
		.help = "Log errors only, draw no live line"},
};

/* Breaks text at blanks so that it fits right of HELP_COLUMN; the cursor stands at `column`. */
static void print_wrapped(FILE *out, const char *text, int column)
{
	while (*text) {
		int room = HELP_WIDTH - HELP_COLUMN, n = 0;

		if (column > HELP_COLUMN - 2 || column == 0)
			fputs(column ? "\n" : "", out);
		if (column > HELP_COLUMN - 2)
			column = 0;
		fprintf(out, "%*s", HELP_COLUMN - column, "");
		for (int i = 0; i <= room; i++) {
			if (text[i] == ' ' || text[i] == '\0')
				n = i;
			if (text[i] == '\0')
				break;
		}
		if (!n) /* one word, wider than the room */
			n = (int)strcspn(text, " ");
		fprintf(out, "%.*s\n", n, text);
		text += n + (text[n] == ' ');
		column = 0;
	}
}

static void print_option(FILE *out, const struct pw_opt *o, const void *defaults)
{
	char left[96], text[768], value[128] = "";
	int n;

	n = snprintf(left, sizeof(left), "  %c%c%s--%s%s%s", o->letter ? '-' : ' ',
		o->letter ? o->letter : ' ', o->letter ? ", " : "  ", o->name, o->arg ? " " : "",
		o->arg ? o->arg : "");
	fputs(left, out);
	if (defaults)
		pw_opt_show(o, defaults, value, sizeof(value));
	if (strstr(o->help, "default"))
		value[0] = '\0';
	snprintf(text, sizeof(text), "%s%s%s%s%s%s%s", o->help,
		o->type == PW_OPT_CHOICE ? ": " : "", o->type == PW_OPT_CHOICE ? o->choices : "",
		o->required ? " (required)" : "", value[0] ? " (default " : "", value,
		value[0] ? ")" : "");
	print_wrapped(out, text, n);
}

void pw_opt_help(const struct pw_command *cmd, FILE *out)
{
	const char *group = NULL;

	fprintf(out, "usage: pagewire %s [OPTIONS]%s%s%s\n\n%s\n", cmd->name,
		cmd->operands ? " " : "", cmd->operands ? cmd->operands : "",
		cmd->takes_eal ? " [-- EAL-ARGUMENTS]" : "", cmd->summary);
	for (size_t i = 0; i < cmd->n_opts; i++) {
		if (cmd->opts[i].group || i == 0) {
			group = cmd->opts[i].group ? cmd->opts[i].group : "Options";
			fprintf(out, "\n%s:\n", group);
		}
		print_option(out, &cmd->opts[i], cmd->defaults);
	}
	fputs("\nCommon options:\n", out);
	for (size_t i = 0; i < PW_OPT_N_COMMON; i++)
		print_option(out, &pw_opt_common_opts[i], NULL);
	if (cmd->takes_eal)
		fputs("\nWhat follows -- goes to DPDK's EAL as it is.\n", out);
	if (cmd->examples)
		fprintf(out, "\nExamples:\n%s%s", cmd->examples,
			cmd->examples[strlen(cmd->examples) - 1] == '\n' ? "" : "\n");
}
