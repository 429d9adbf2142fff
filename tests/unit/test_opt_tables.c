/* SPDX-License-Identifier: BSD-3-Clause */
/* The option tables of the real commands: that they are sound, and that config/ parses with them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/cli/opt_private.h"
#include "base/bytes.h"

static void check_row(const struct pw_command *c, const struct pw_opt_item *it)
{
	const struct pw_opt *o = it->opt;
	char arg[PW_OPT_ARG_MAX];
	size_t end = it->offset + o->offset + o->size;

	if (!o->help[0] || (o->type == PW_OPT_CHOICE && !o->choices[0].name))
		fail_msg("%s --%s: the row is incomplete", c->name, o->name);
	if (!it->common && end > c->config_size)
		fail_msg("%s --%s: the field is not in the config", c->name, o->name);
	if (o->size && o->type != PW_OPT_UINT && o->type != PW_OPT_CHOICE) {
		const size_t sizes[] = {[PW_OPT_FLAG] = sizeof(bool),
			[PW_OPT_STRING] = sizeof(char *),
			[PW_OPT_LIST] = sizeof(struct pw_strings),
			[PW_OPT_SIZE] = 8,
			[PW_OPT_DURATION] = 8,
			[PW_OPT_RATE] = sizeof(struct pw_rate)};

		if (o->size != sizes[o->type])
			fail_msg("%s --%s: the field is not of its type", c->name, o->name);
	}
	if (strlen(pw_opt_arg(o, arg)) + 1 >= sizeof(arg))
		fail_msg("%s --%s: the argument's text is cut", c->name, o->name);
}

/* Of every command: one name, one letter, one meaning. */
static void tables_are_sound(void **state)
{
	(void)state;
	for (const struct pw_command *const *c = pw_commands; *c; c++) {
		struct pw_opt_item it = {0};
		const struct pw_opt *a, *b;

		for (size_t i = 0; (a = pw_opt_at(*c, i, &it)); i++) {
			check_row(*c, &it);
			for (size_t k = 0; k < i; k++) {
				b = pw_opt_at(*c, k, NULL);
				if (!strcmp(a->name, b->name))
					fail_msg("%s: two --%s", (*c)->name, a->name);
				if (a->letter && a->letter == b->letter)
					fail_msg("%s: -%c is --%s and --%s", (*c)->name, a->letter,
						b->name, a->name);
			}
		}
	}
}

/* What these commands had when the tables were merged: no option is lost. */
static void no_option_is_lost(void **state)
{
	static const char *const names[][2] = {
		{"send",
			"port to from to-mac vlan ttl dscp mtu symbol pages stream-memory rate "
			"pacing burst-limit loop tsi digest md5 udp-checksum fdt-interval lead "
			"wait link-grace gaps core memory no-huge iova queue-size queues telemetry "
			"shared-mem file-prefix dry-run progress json"},
		{"recv", "port listen out interface expect timeout tsi source require-digest "
			 "durable force resume gaps discard write write-memory max-size max-files "
			 "rcvbuf mtu core memory no-huge iova telemetry shared-mem file-prefix "
			 "queue-size queues wait link-grace progress json"},
		{"bench", "quick full classic profile list wires ways sizes mtu rounds stretch "
			  "baseline cold dir to rebind core rate batch chunk sqpoll qdisc-bypass "
			  "no-huge no-evidence seed include-setup report json csv progress"},
	};

	(void)state;
	for (size_t i = 0; i < PW_ARRAY_LEN(names); i++) {
		const struct pw_command *const *c = pw_commands;
		char *list = strdup(names[i][1]), *name;
		struct pw_opt_item it;

		while (strcmp((*c)->name, names[i][0]))
			c++;
		for (name = strtok(list, " "); name && !(*c)->missing; name = strtok(NULL, " "))
			if (!pw_opt_find(*c, name, &it) || it.off)
				fail_msg("%s has no --%s", (*c)->name, name);
		free(list);
	}
}

/* Each file in config/ is parsed for each section it has, with the real tables. */
static void shipped_profiles_parse(void **state)
{
	const char *root = getenv("PW_SOURCE_ROOT");
	char pattern[512], config[4096] __attribute__((aligned(16)));
	size_t n_parsed = 0;
	glob_t g;

	(void)state;
	if (!root)
		skip();
	snprintf(pattern, sizeof(pattern), "%s/config/*.ini", root);
	assert_int_equal(glob(pattern, 0, NULL, &g), 0);
	assert_true(g.gl_pathc >= 4);
	for (size_t i = 0; i < g.gl_pathc; i++) {
		for (const struct pw_command *const *c = pw_commands; *c; c++) {
			const char *argv[] = {(*c)->name, "--config", g.gl_pathv[i], NULL};
			struct pw_operands ops;
			struct pw_context ctx;
			struct pw_err err = {0};
			void *storage;

			if ((*c)->missing)
				continue;
			assert_true((*c)->config_size <= sizeof(config));
			memset(config, 0, sizeof(config));
			if (pw_opt_parse(*c, 3, (char **)argv, config, &ops, &ctx, &storage, &err))
				fail_msg("%s: %s", (*c)->name, err.msg);
			pw_opt_free(storage);
			n_parsed++;
		}
	}
	assert_true(n_parsed >= g.gl_pathc);
	globfree(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables_are_sound),
		cmocka_unit_test(no_option_is_lost),
		cmocka_unit_test(shipped_profiles_parse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
