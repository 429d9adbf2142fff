/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * gen-completion SHELL SOURCE: prints a completion script for bash, zsh or fish. Lines of SOURCE are copied, but
 * for @OPTIONS@: the commands and their options, from the tables that parse them.
 */
#include <stdio.h>
#include <string.h>

#include "app/cli/opt_private.h"

/* What Tab offers for an option's argument. */
enum kind {
	KIND_NONE,  /* no argument */
	KIND_VALUE, /* nothing can be offered */
	KIND_WORDS, /* the choices of the table */
	KIND_FILE,
	KIND_DIR,
	KIND_INTERFACE,
	KIND_PORT,
};

/* How one shell writes the end of an option's line, by kind. */
static const char *const bash_kinds[] = {
	[KIND_VALUE] = "",
	[KIND_FILE] = "@file",
	[KIND_DIR] = "@dir",
	[KIND_INTERFACE] = "@interface",
	[KIND_PORT] = "@port",
};
static const char *const zsh_kinds[] = {
	[KIND_VALUE] = " ",
	[KIND_FILE] = "_files",
	[KIND_DIR] = "_files -/",
	[KIND_INTERFACE] = "_pagewire_interfaces",
	[KIND_PORT] = "_pagewire_ports",
};
static const char *const fish_kinds[] = {
	[KIND_NONE] = "-f",
	[KIND_VALUE] = "-x",
	[KIND_FILE] = "-r -F",
	[KIND_DIR] = "-x -a '(__fish_complete_directories)'",
	[KIND_INTERFACE] = "-x -a '(__pagewire_interfaces)'",
	[KIND_PORT] = "-x -a '(__pagewire_ports)'",
};

/* By the names that the tables give to arguments. */
static enum kind kind_of(const struct pw_opt *o)
{
	static const struct {
		const char *arg;
		enum kind kind;
	} kinds[] = {
		{"FILE", KIND_FILE},
		{"PATH", KIND_FILE},
		{"NAME|PATH", KIND_FILE},
		{"KEY.pem", KIND_FILE},
		{"PUB.pem|DIR", KIND_FILE},
		{"DIR", KIND_DIR},
		{"IF", KIND_INTERFACE},
		{"PORT", KIND_PORT},
	};

	if (o->type == PW_OPT_FLAG)
		return KIND_NONE;
	if (o->choices)
		return KIND_WORDS;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (o->arg && !strcmp(o->arg, kinds[i].arg))
			return kinds[i].kind;
	return KIND_VALUE;
}

static void print_words(const struct pw_opt *o)
{
	for (const struct pw_opt_choice *c = o->choices; c->name; c++)
		printf(c == o->choices ? "%s" : " %s", c->name);
}

/* In single quotes of a shell, where `special` characters get a backslash. */
static void print_quoted(const char *text, const char *special)
{
	for (; *text; text++) {
		if (*text == '\'')
			fputs("'\\''", stdout);
		else if (strchr(special, *text))
			printf("\\%c", *text);
		else
			putchar(*text);
	}
}

/* A line per command with its options, and a line per option with an argument. */
static void print_bash(const struct pw_command *cmd)
{
	const struct pw_opt *o;

	printf("_pagewire_options[%s]='", cmd->name);
	for (size_t i = 0; (o = pw_opt_at(cmd, i, NULL)); i++)
		printf("%s--%s", i ? " " : "", o->name);
	puts("'");
	for (size_t i = 0; (o = pw_opt_at(cmd, i, NULL)); i++) {
		enum kind kind = kind_of(o);

		if (kind == KIND_NONE || o->implied)
			continue;
		printf("_pagewire_values[%s --%s]='", cmd->name, o->name);
		if (kind == KIND_WORDS)
			print_words(o);
		else
			fputs(bash_kinds[kind], stdout);
		puts("'");
	}
}

static void print_zsh(const struct pw_command *cmd)
{
	char arg[PW_OPT_ARG_MAX];
	const struct pw_opt *o;

	printf("_pagewire_%s() {\n\t_arguments -s \\\n", cmd->name);
	for (size_t i = 0; (o = pw_opt_at(cmd, i, NULL)); i++) {
		enum kind kind = kind_of(o);

		printf("\t\t'%s--%s%s[", o->type == PW_OPT_LIST ? "*" : "", o->name,
			kind == KIND_NONE ? "" : (o->implied ? "=-" : "="));
		print_quoted(o->help, "[]:\\");
		putchar(']');
		if (kind != KIND_NONE) {
			fputs(o->implied ? "::" : ":", stdout);
			print_quoted(pw_opt_arg(o, arg), ":\\");
			putchar(':');
			if (kind == KIND_WORDS) {
				putchar('(');
				print_words(o);
				putchar(')');
			} else {
				fputs(zsh_kinds[kind], stdout);
			}
		}
		puts("' \\");
	}
	printf("\t\t'*:%s:_files'\n}\n", cmd->operands ? cmd->operands : "EAL arguments");
}

static void print_fish(const struct pw_command *cmd)
{
	const struct pw_opt *o;

	printf("complete -c pagewire -n __fish_use_subcommand -x -a %s -d '", cmd->name);
	print_quoted(cmd->summary, "\\");
	puts("'");
	for (size_t i = 0; (o = pw_opt_at(cmd, i, NULL)); i++) {
		enum kind kind = o->implied ? KIND_NONE : kind_of(o);

		printf("complete -c pagewire -n '__fish_seen_subcommand_from %s' -l %s ", cmd->name,
			o->name);
		if (o->letter)
			printf("-s %c ", o->letter);
		if (kind == KIND_WORDS) {
			fputs("-x -a '", stdout);
			print_words(o);
			putchar('\'');
		} else {
			fputs(fish_kinds[kind], stdout);
		}
		fputs(" -d '", stdout);
		print_quoted(o->help, "\\");
		puts("'");
	}
}

static void print_commands(const char *shell)
{
	for (const struct pw_command *const *c = pw_commands; *c; c++) {
		if (!strcmp(shell, "bash"))
			print_bash(*c);
		else if (!strcmp(shell, "zsh"))
			print_zsh(*c);
		else
			print_fish(*c);
	}
	if (strcmp(shell, "zsh"))
		return;
	puts("_pagewire_commands=(");
	for (const struct pw_command *const *c = pw_commands; *c; c++) {
		printf("\t'%s:", (*c)->name);
		print_quoted((*c)->summary, "");
		puts("'");
	}
	puts(")");
}

int main(int argc, char **argv)
{
	char line[4096];
	FILE *f;

	if (argc != 3 || !(f = fopen(argv[2], "r"))) {
		fprintf(stderr, "usage: gen-completion bash|zsh|fish SOURCE\n");
		return 2;
	}
	while (fgets(line, sizeof(line), f)) {
		if (!strcmp(line, "@OPTIONS@\n"))
			print_commands(argv[1]);
		else
			fputs(line, stdout);
	}
	fclose(f);
	return fflush(stdout) ? 1 : 0;
}
