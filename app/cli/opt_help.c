/* SPDX-License-Identifier: BSD-3-Clause */
/* Prints --help: the basic options by group, or all of them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/cli/opt_private.h"

#define HELP_COLUMN 28
#define HELP_WIDTH  92

const char *pw_opt_group_title(enum pw_opt_group group)
{
	static const char *const titles[PW_OPT_N_GROUPS] = {
		[PW_OPT_MAIN] = "Main options",
		[PW_OPT_PACKETS] = "Packets",
		[PW_OPT_SPEED] = "Speed and repetition",
		[PW_OPT_FILES] = "Files",
		[PW_OPT_MEASURE] = "What is measured, and how",
		[PW_OPT_PORT] = "Port and DPDK",
		[PW_OPT_OUTPUT] = "Output",
		[PW_OPT_COMMON] = "Common options",
	};

	return titles[group];
}

/* How much of text fits room, in whole words; a longer word goes on its own line. */
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

/* Prints text right of HELP_COLUMN; the cursor is in the given column. */
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

static void print_option(FILE *out, const struct pw_opt_item *it, const void *defaults)
{
	const struct pw_opt *o = it->opt;
	char arg[PW_OPT_ARG_MAX], value[128] = "";
	char *text = NULL;
	int n;

	n = fprintf(out, o->letter ? "  -%c, --%s" : "  %c   --%s", o->letter ? o->letter : ' ',
		o->name);
	if (pw_opt_arg(o, arg)[0])
		n += fprintf(out, o->implied ? "[=%s]" : " %s", arg);
	if (defaults && !it->common && !strstr(o->help, "default"))
		pw_opt_show(o, (const char *)defaults + it->offset, value, sizeof(value));
	if (asprintf(&text, "%s%s%s%s", o->help, value[0] ? " (default " : "", value,
		    value[0] ? ")" : "") < 0)
		text = NULL;
	print_wrapped(out, text ? text : o->help, n);
	free(text);
}

static bool takes_port(const struct pw_command *cmd)
{
	const struct pw_opt *o;

	for (size_t i = 0; (o = pw_opt_at(cmd, i, NULL)); i++)
		if (!strcmp(o->name, "port"))
			return true;
	return false;
}

/* Commands with few options mark none as basic. */
static bool marks_basic(const struct pw_command *cmd)
{
	const struct pw_opt *o;

	for (size_t i = 0; (o = pw_opt_at(cmd, i, NULL)) && o->group != PW_OPT_COMMON; i++)
		if (o->basic)
			return true;
	return false;
}

/* Returns how many options of the group were left out. */
static size_t print_group(
	FILE *out, const struct pw_command *cmd, enum pw_opt_group group, bool all)
{
	struct pw_opt_item it = {0};
	const struct pw_opt *o;
	size_t n = 0, n_hidden = 0;

	for (size_t i = 0; (o = pw_opt_at(cmd, i, &it)); i++) {
		if (o->group != group)
			continue;
		if (!all && !o->basic) {
			n_hidden++;
			continue;
		}
		if (n++ == 0)
			fprintf(out, "\n%s:\n", pw_opt_group_title(group));
		print_option(out, &it, cmd->defaults);
	}
	return n_hidden;
}

void pw_opt_help(const struct pw_command *cmd, bool all, FILE *out)
{
	size_t n_hidden = 0;

	all |= !marks_basic(cmd);
	fprintf(out, "usage: pagewire %s [OPTIONS]%s%s%s\n\n%s\n", cmd->name,
		cmd->operands ? " " : "", cmd->operands ? cmd->operands : "",
		cmd->takes_eal ? " [-- EAL-ARGUMENTS]" : "", cmd->summary);
	for (enum pw_opt_group g = 0; g < PW_OPT_N_GROUPS; g++)
		n_hidden += print_group(out, cmd, g, all);
	if (n_hidden)
		fprintf(out, "\n%zu more options: pagewire %s --help all\n", n_hidden, cmd->name);
	if (takes_port(cmd))
		fputs("\nPORTS:\n"
		      "  0000:3b:00.0 (PCI), vhost:PATH, virtio-user:PATH, memif:PATH, "
		      "af_packet:IF, af_xdp:IF,\n"
		      "  tap:IF, pcap:FILE, null, or the devargs of a DPDK device "
		      "(net_ring0,...);\n"
		      "  to send only: udp:IF, a UDP socket of the kernel\n",
			out);
	if (cmd->takes_eal)
		fputs("\nArguments after -- go to DPDK's EAL unchanged.\n", out);
	if (cmd->missing)
		fprintf(out, "\nNote: %s.\n", cmd->missing);
	if (cmd->examples)
		print_examples(out, cmd->examples);
}
