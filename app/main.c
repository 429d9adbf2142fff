/* SPDX-License-Identifier: BSD-3-Clause */
/* The program: finds the command, parses its options, runs it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/cli/cli.h"
#include "app/cli/nearest.h"
#include "app/commands.h"
#if PW_HAVE_DPDK
#include "dpdk/eal.h"
#endif

static void print_help(FILE *out)
{
	fputs("usage: pagewire COMMAND [OPTIONS] [OPERANDS] [-- EAL-ARGUMENTS]\n"
	      "\n"
	      "Files from mapped pages straight to the wire, and back into files.\n"
	      "\n"
	      "Commands:\n",
		out);
	for (const struct pw_command *const *c = pw_commands; *c; c++)
		fprintf(out, "  %-10s %s\n", (*c)->name, (*c)->summary);
	fputs("\n"
	      "pagewire COMMAND --help       what a command does and its basic options\n"
	      "pagewire COMMAND --help all   all of its options\n"
	      "pagewire --version            the versions of pagewire and of DPDK\n"
	      "\n"
	      "Exit status: 0 ok, 1 runtime error, 2 wrong usage, 3 data missing or different,\n"
	      "77 this host lacks something.\n",
		out);
}

static void print_version(void)
{
#if PW_HAVE_DPDK
	printf("pagewire %s\n%s\n", PW_VERSION, pw_dpdk_version());
#else
	printf("pagewire %s\nbuilt without DPDK\n", PW_VERSION);
#endif
}

static int unknown_command(const char *name)
{
	struct pw_nearest near = {0};
	struct pw_err err;

	for (const struct pw_command *const *c = pw_commands; *c; c++)
		pw_nearest_try(&near, name, (*c)->name);
	if (near.best)
		pw_err_set(&err, EINVAL,
			"cannot run %s: no such command; did you mean %s? See pagewire --help",
			name, near.best);
	else
		pw_err_set(
			&err, EINVAL, "cannot run %s: no such command; see pagewire --help", name);
	pw_cli_fail(&err);
	return PW_EXIT_USAGE;
}

static const struct pw_command *find_command(const char *name)
{
	for (const struct pw_command *const *c = pw_commands; *c; c++)
		if (!strcmp((*c)->name, name))
			return *c;
	return strcmp(name, pw_cmd_cell.name) ? NULL : &pw_cmd_cell;
}

static int help_on(const char *name, const char *how)
{
	const struct pw_command *cmd = find_command(name);

	if (!cmd)
		return unknown_command(name);
	pw_opt_help(cmd, how && !strcmp(how, "all"), stdout);
	return PW_EXIT_OK;
}

static bool asks_help(int argc, char **argv)
{
	return argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"));
}

static int run_command(const struct pw_command *cmd, int argc, char **argv)
{
	struct pw_context ctx;
	struct pw_operands ops;
	struct pw_err err = {0};
	void *config, *storage = NULL;
	int result;

	if (cmd->missing && asks_help(argc, argv)) {
		pw_opt_help(cmd, false, stdout);
		return PW_EXIT_OK;
	}
	if (cmd->missing) {
		fprintf(stderr, "pagewire %s: %s\n", cmd->name, cmd->missing);
		return PW_EXIT_NOENV;
	}
	config = calloc(1, cmd->config_size + 1);
	if (!config) {
		pw_err_set(&err, ENOMEM, "cannot start pagewire %s: out of memory", cmd->name);
		return pw_cli_fail(&err);
	}
	result = pw_opt_parse(cmd, argc, argv, config, &ops, &ctx, &storage, &err);
	if (result < 0)
		result = pw_cli_usage(cmd->name, &err);
	else if (result > 0)
		result = PW_EXIT_OK;
	else
		result = cmd->run(config, &ops, &ctx);
	pw_opt_free(storage);
	free(config);
	return result;
}

static int dispatch(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : NULL;
	const struct pw_command *cmd;

	if (!word) {
		print_help(stderr);
		return PW_EXIT_USAGE;
	}
	if (!strcmp(word, "help") && argc > 2)
		return help_on(argv[2], argc > 3 ? argv[3] : NULL);
	if (!strcmp(word, "--help") || !strcmp(word, "-h") || !strcmp(word, "help")) {
		print_help(stdout);
		return PW_EXIT_OK;
	}
	if (!strcmp(word, "--version") || !strcmp(word, "-V")) {
		print_version();
		return PW_EXIT_OK;
	}
	cmd = find_command(word);
	return cmd ? run_command(cmd, argc - 1, argv + 1) : unknown_command(word);
}

int main(int argc, char **argv)
{
	int result = dispatch(argc, argv);

	/* A result that was not written is an error. */
	if ((fflush(stdout) || ferror(stdout)) && result == PW_EXIT_OK) {
		fprintf(stderr, "pagewire: error: cannot write standard output: %s\n",
			strerror(errno));
		result = PW_EXIT_RUNTIME;
	}
	return result;
}
