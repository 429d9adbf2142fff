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
#include "app/cmd_recv.h"
#include "app/commands.h"
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

/* One name, one letter, one meaning. */
static void check_table(const struct pw_command *c)
{
	struct pw_opt_item it = {0};
	const struct pw_opt *a, *b;

	for (size_t i = 0; (a = pw_opt_at(c, i, &it)); i++) {
		check_row(c, &it);
		for (size_t k = 0; k < i; k++) {
			b = pw_opt_at(c, k, NULL);
			if (!strcmp(a->name, b->name))
				fail_msg("%s: two --%s", c->name, a->name);
			if (a->letter && a->letter == b->letter)
				fail_msg("%s: -%c is --%s and --%s", c->name, a->letter, b->name,
					a->name);
		}
	}
}

static void tables_are_sound(void **state)
{
	(void)state;
	for (const struct pw_command *const *c = pw_commands; *c; c++)
		check_table(*c);
	check_table(&pw_cmd_cell);
}

/* What these commands had when the tables were merged: no option is lost. */
static void no_option_is_lost(void **state)
{
	static const char *const names[][2] = {
		{"send", "port to from to-mac vlan ttl dscp mtu symbol pages stream-memory rate "
			 "pacing burst-limit loop tsi digest md5 udp-checksum fdt-interval lead "
			 "wait link-grace gaps repair repair-rounds repair-silence "
			 "repair-receivers core memory "
			 "no-huge iova queue-size queues telemetry "
			 "shared-mem file-prefix dry-run progress json"},
		{"recv", "port listen out interface expect timeout tsi source require-digest "
			 "durable force resume repair gaps discard write write-memory max-size "
			 "max-files "
			 "rcvbuf mtu core memory no-huge iova telemetry shared-mem file-prefix "
			 "queue-size queues wait link-grace progress json"},
		{"bench", "quick full classic profile list wires ways sizes mtu rounds stretch "
			  "baseline cold dir to rebind core rate batch chunk sqpoll qdisc-bypass "
			  "no-huge no-evidence evidence-only seed include-setup report json csv "
			  "progress "
			  "receive compare resume all-samples"},
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

static void options_of_recv_reach_the_structs_that_are_used(void **state)
{
	const char *argv[] = {"recv", "--port=p", "--listen=l", "--out=o", "--interface=i",
		"--source=s", "--gaps=g", "--expect=3", "--timeout=4s", "--tsi=5",
		"--require-digest", "--durable=no", "--force", "--resume", "--discard",
		"--write=direct", "--write-memory=6M", "--max-size=7G", "--max-files=8",
		"--rcvbuf=9K", "--mtu=9000", "--core=1-2", "--memory=10M", "--no-huge", "--iova=pa",
		"--telemetry", "--shared-mem", "--file-prefix=f", "--queue-size=64", "--queues=2",
		"--wait=11s", "--link-grace=12ms", "--progress", "--json", "--", "-x", NULL};
	struct pw_recv_options o;
	struct pw_operands ops;
	struct pw_context ctx;
	struct pw_err err = {0};
	void *storage;

	(void)state;
	if (pw_opt_parse(&pw_cmd_recv, (int)PW_ARRAY_LEN(argv) - 1, (char **)argv, &o, &ops, &ctx,
		    &storage, &err))
		fail_msg("%s", err.msg);
	assert_string_equal(o.port.port, "p");
	assert_string_equal(o.listen, "l");
	assert_string_equal(o.set.out_dir, "o");
	assert_string_equal(o.udp.interface, "i");
	assert_string_equal(o.source, "s");
	assert_string_equal(o.set.gaps_path, "g");
	assert_int_equal(o.set.expect_files, 3);
	assert_int_equal(o.loop.timeout_ns, 4000000000);
	assert_int_equal(o.set.tsi, 5);
	assert_true(o.set.require_digest && o.set.not_durable && o.set.force && o.set.resume &&
		    o.set.discard);
	assert_int_equal(o.set.write, PW_OUTDIR_DIRECT);
	assert_int_equal(o.set.write_memory_bytes, 6u << 20);
	assert_int_equal(o.set.max_file_bytes, 7ull << 30);
	assert_int_equal(o.set.max_files, 8);
	assert_int_equal(o.udp.rcvbuf_bytes, 9u << 10);
	assert_int_equal(o.port.mtu, 9000);
	assert_string_equal(o.port.cores, "1-2");
	assert_int_equal(o.port.memory_bytes, 10u << 20);
	assert_int_equal(o.port.iova, PW_IOVA_PA);
	assert_true(o.port.no_huge && o.port.telemetry && o.port.shared_mem);
	assert_string_equal(o.port.file_prefix, "f");
	assert_int_equal(o.port.queue_size, 64);
	assert_int_equal(o.port.n_queues, 2);
	assert_int_equal(o.port.wait_ns, 11000000000);
	assert_int_equal(o.loop.link_grace_ns, 12000000);
	assert_true(o.output.progress && o.output.json);
	assert_int_equal(ops.n_eal, 1);
	pw_opt_free(storage);
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
		cmocka_unit_test(options_of_recv_reach_the_structs_that_are_used),
		cmocka_unit_test(shipped_profiles_parse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
