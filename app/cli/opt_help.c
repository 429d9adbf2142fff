/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <string.h>

#include "app/cli/opt_private.h"

#define HELP_COLUMN 28
#define HELP_WIDTH  92

const struct pw_opt pw_opt_common_opts[PW_OPT_N_COMMON] = {
	{.name = "help",
		.letter = 'h',
		.type = PW_OPT_FLAG,
		.offset = offsetof(struct pw_opt_common, help),
		.help = "print this help and exit"},
	{.name = "config",
		.type = PW_OPT_STRING,
		.offset = offsetof(struct pw_opt_common, config),
		.arg = "FILE",
		.help = "read options from an INI file: [common] and a section named as the "
			"command, the same names as here; the command line wins"},
	{.name = "verbose",
		.letter = 'v',
		.type = PW_OPT_FLAG,
		.offset = offsetof(struct pw_opt_common, verbose),
		.help = "log more, DPDK's own messages included"},
	{.name = "quiet",
		.letter = 'q',
		.type = PW_OPT_FLAG,
		.offset = offsetof(struct pw_opt_common, quiet),
		.help = "log errors only, draw no live line"},
};

/* How much of text fits room, whole words; one that is wider goes on its own line. */
static int fit(const char *text, int room)
{
	int n = 0;

	for (int i = 0; i <= room; i++) {
		if (text[i] == ' ' || text[i] == '\0')
			n = i;
		if (text[i] == '\0')
			break;
	}
	return n ? n : (int)strcspn(text, " ");
}

/* Prints text right of HELP_COLUMN; the cursor stands at column. */
static void print_wrapped(FILE *out, const char *text, int column)
{
	if (column > HELP_COLUMN - 2) {
		fputc('\n', out);
		column = 0;
	}
	for (; *text; column = 0) {
		int n = fit(text, HELP_WIDTH - HELP_COLUMN);

		fprintf(out, "%*s%.*s\n", HELP_COLUMN - column, "", n, text);
		text += n;
		while (*text == ' ')
			text++;
	}
}

static void print_examples(FILE *out, const char *lines)
{
	fputs("\nExamples:\n", out);
	while (*lines) {
		int n = (int)strcspn(lines, "\n");

		fprintf(out, "%s%.*s\n", *lines == ' ' ? "" : "  ", n, lines);
		lines += n + (lines[n] == '\n');
	}
}

const char *pw_opt_arg(const struct pw_opt *o)
{
	if (o->type == PW_OPT_FLAG)
		return NULL;
	return o->arg ? o->arg : o->type == PW_OPT_CHOICE ? o->choices : "VALUE";
}

static void print_option(FILE *out, const struct pw_opt *o, const void *defaults)
{
	const char *arg = pw_opt_arg(o);
	char text[768], value[128] = "";
	int n;

	n = fprintf(out, o->letter ? "  -%c, --%s" : "  %c   --%s", o->letter ? o->letter : ' ',
		o->name);
	if (arg)
		n += fprintf(out, " %s", arg);
	if (defaults && !strstr(o->help, "default"))
		pw_opt_show(o, defaults, value, sizeof(value));
	snprintf(text, sizeof(text), "%s%s%s%s", o->help, value[0] ? " (default " : "", value,
		value[0] ? ")" : "");
	print_wrapped(out, text, n);
}

static bool takes_port(const struct pw_command *cmd)
{
	for (size_t i = 0; i < cmd->n_opts; i++)
		if (!strcmp(cmd->opts[i].name, "port"))
			return true;
	return false;
}

void pw_opt_help(const struct pw_command *cmd, FILE *out)
{
	fprintf(out, "usage: pagewire %s [OPTIONS]%s%s%s\n\n%s\n", cmd->name,
		cmd->operands ? " " : "", cmd->operands ? cmd->operands : "",
		cmd->takes_eal ? " [-- EAL-ARGUMENTS]" : "", cmd->summary);
	if (cmd->n_opts)
		fputs("\nOptions:\n", out);
	for (size_t i = 0; i < cmd->n_opts; i++)
		print_option(out, &cmd->opts[i], cmd->defaults);
	fputs("\nCommon options:\n", out);
	for (size_t i = 0; i < PW_OPT_N_COMMON; i++)
		print_option(out, &pw_opt_common_opts[i], NULL);
	if (takes_port(cmd))
		fputs("\nPORTS:\n"
		      "  0000:3b:00.0 (PCI), vhost:PATH, virtio-user:PATH, memif:PATH, "
		      "af_packet:IF, af_xdp:IF,\n"
		      "  tap:IF, pcap:FILE, null, or the devargs of a DPDK device "
		      "(net_ring0,...)\n",
			out);
	if (cmd->takes_eal)
		fputs("\nWhat follows -- goes to DPDK's EAL as it is.\n", out);
	if (cmd->missing)
		fprintf(out, "\nNote: %s.\n", cmd->missing);
	if (cmd->examples)
		print_examples(out, cmd->examples);
}
