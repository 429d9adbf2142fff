/* SPDX-License-Identifier: BSD-3-Clause */
/* Option rows that several commands have: each fills a struct that the command's config embeds. */
#ifndef PW_APP_CLI_OPT_SHARED_H
#define PW_APP_CLI_OPT_SHARED_H

#include "app/cli/opt.h"
#include "dpdk/config.h"

/* How a command prints its result. */
struct pw_output_config {
	bool json;
	bool progress; /* also where standard error is not a terminal */
};

#define PW_OPT_N_PORT   11
#define PW_OPT_N_OUTPUT 2

extern const struct pw_opt
	pw_opt_port_rows[PW_OPT_N_PORT];       /* struct pw_port_config; --port is first */
extern const struct pw_opt pw_opt_no_huge_row; /* bool */
extern const struct pw_opt pw_opt_output_rows[PW_OPT_N_OUTPUT]; /* struct pw_output_config */

/* The tables of send and recv: where their config embeds the structs. PORTS: without --port, for a command that takes
 * several of them. */
#define PW_OPT_PORTS_TABLES(type, port)                                                         \
	{.opts = pw_opt_port_rows + 1, .n = PW_OPT_N_PORT - 1, .offset = offsetof(type, port)}, \
	{                                                                                       \
		.opts = &pw_opt_no_huge_row, .n = 1, .offset = offsetof(type, port.no_huge)     \
	}
#define PW_OPT_PORT_TABLES(type, port)                                                      \
	{.opts = pw_opt_port_rows, .n = PW_OPT_N_PORT, .offset = offsetof(type, port)},     \
	{                                                                                   \
		.opts = &pw_opt_no_huge_row, .n = 1, .offset = offsetof(type, port.no_huge) \
	}
#define PW_OPT_OUTPUT_TABLE(type, output)                                                          \
	{                                                                                          \
		.opts = pw_opt_output_rows, .n = PW_OPT_N_OUTPUT, .offset = offsetof(type, output) \
	}

#endif
