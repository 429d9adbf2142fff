/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * gen-man SOURCE [COMMAND]: prints a man page from its prose and the command's own tables. Lines of
 * SOURCE are copied, but for
 *   @INCLUDE NAME@  the file NAME beside SOURCE
 *   @OPTIONS@       the options, from the table that parses them
 *   @EXAMPLES@      the examples of --help
 *   @COMMANDS@      every command with its summary
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/cli/opt_private.h"

/* mdoc takes '\' for an escape and a '.' at a line's start for a macro. */
static void print_text(const char *s)
{
	if (*s == '.' || *s == '\'')
		fputs("\\&", stdout);
	for (; *s; s++) {
		if (*s == '\\')
			fputs("\\e", stdout);
		else
			putchar(*s);
	}
}

static void print_sentence(const char *s)
{
	char first[2] = {(char)toupper((unsigned char)*s), '\0'};

	/* "802.1Q", "UDP" and "mtu" all begin as they should. */
	print_text(first);
	print_text(s + (*s != '\0'));
	fputs(".\n", stdout);
}

static void print_option(const struct pw_opt_item *it, const void *defaults)
{
	const struct pw_opt *o = it->opt;
	char arg[PW_OPT_ARG_MAX], value[PW_OPT_ARG_MAX] = "";

	fputs(".It ", stdout);
	if (o->letter)
		printf("Fl %c , ", o->letter);
	printf("Fl Fl %s", o->name);
	if (pw_opt_arg(o, arg)[0])
		printf(o->implied ? " Ns Op = Ns Ar %s" : " Ar %s", arg);
	putchar('\n');
	print_sentence(o->help);
	if (defaults && !it->common && !strstr(o->help, "default"))
		pw_opt_show(o, (const char *)defaults + it->offset, value, sizeof(value));
	if (value[0]) {
		fputs("The default is ", stdout);
		print_text(value);
		fputs(".\n", stdout);
	}
}

static void print_group(const struct pw_command *cmd, enum pw_opt_group group)
{
	struct pw_opt_item it = {0};
	const struct pw_opt *o;
	size_t n = 0;

	for (size_t i = 0; (o = pw_opt_at(cmd, i, &it)); i++) {
		if (o->group != group)
			continue;
		if (n++ == 0)
			printf(".Ss %s\n.Bl -tag -width Ds\n", pw_opt_group_title(group));
		print_option(&it, cmd->defaults);
	}
	if (n)
		puts(".El");
}

static void print_options(const struct pw_command *cmd)
{
	for (enum pw_opt_group g = 0; g < PW_OPT_N_GROUPS; g++)
		print_group(cmd, g);
}

static void print_examples(const struct pw_command *cmd)
{
	const char *s = cmd->examples ? cmd->examples : "";

	puts(".Bd -literal -offset indent");
	while (*s) {
		size_t n = strcspn(s, "\n"), skip = strspn(s, " ");
		char *line = strndup(s + skip, n - skip);

		if (line)
			print_text(line);
		free(line);
		putchar('\n');
		s += n + (s[n] == '\n');
	}
	puts(".Ed");
}

static void print_commands(void)
{
	puts(".Bl -tag -width Ds");
	for (const struct pw_command *const *c = pw_commands; *c; c++) {
		printf(".It Cm %s\n", (*c)->name);
		print_sentence((*c)->summary);
		printf("See\n.Xr pagewire-%s 1 .\n", (*c)->name);
	}
	puts(".El");
}

static int print_file(const char *path, const struct pw_command *cmd, int depth);

static int include(const char *path, const char *name, const struct pw_command *cmd, int depth)
{
	const char *slash = strrchr(path, '/');
	char other[1024];

	snprintf(other, sizeof(other), "%.*s%.*s", slash ? (int)(slash - path + 1) : 0, path,
		(int)strcspn(name, "@\n"), name);
	if (depth)
		return fprintf(stderr, "gen-man: %s: @INCLUDE@ in an included file\n", path), 1;
	return print_file(other, cmd, depth + 1);
}

static int print_line(const char *line, const char *path, const struct pw_command *cmd, int depth)
{
	if (line[0] != '@') {
		fputs(line, stdout);
		return 0;
	}
	if (!strncmp(line, "@INCLUDE ", 9))
		return include(path, line + 9, cmd, depth);
	if (!strcmp(line, "@COMMANDS@\n"))
		print_commands();
	else if (cmd && !strcmp(line, "@OPTIONS@\n"))
		print_options(cmd);
	else if (cmd && !strcmp(line, "@EXAMPLES@\n"))
		print_examples(cmd);
	else
		return fprintf(stderr, "gen-man: %s: what is %s", path, line), 1;
	return 0;
}

static int print_file(const char *path, const struct pw_command *cmd, int depth)
{
	FILE *f = fopen(path, "r");
	char line[1024];
	int result = 0;

	if (!f) {
		perror(path);
		return 1;
	}
	while (!result && fgets(line, sizeof(line), f))
		result = print_line(line, path, cmd, depth);
	fclose(f);
	return result;
}

int main(int argc, char **argv)
{
	const struct pw_command *cmd = NULL;

	if (argc < 2) {
		fputs("usage: gen-man SOURCE [COMMAND]\n", stderr);
		return 2;
	}
	for (const struct pw_command *const *c = pw_commands; argc > 2 && *c; c++)
		if (!strcmp((*c)->name, argv[2]))
			cmd = *c;
	if (argc > 2 && !cmd) {
		fprintf(stderr, "gen-man: no command %s\n", argv[2]);
		return 1;
	}
	return print_file(argv[1], cmd, 0);
}
