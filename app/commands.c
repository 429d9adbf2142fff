/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/commands.h"

const struct pw_command *const pw_commands[] = {
	&pw_cmd_send,
	&pw_cmd_recv,
	&pw_cmd_replay,
	&pw_cmd_bench,
	&pw_cmd_stage,
	&pw_cmd_doctor,
	NULL,
};
