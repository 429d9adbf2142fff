/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/commands.h"

const struct pw_command *const pw_commands[] = {
#ifdef PW_CMD_SEND
	&pw_cmd_send,
#endif
#ifdef PW_CMD_RECV
	&pw_cmd_recv,
#endif
#ifdef PW_CMD_STAGE
	&pw_cmd_stage,
#endif
#ifdef PW_CMD_DOCTOR
	&pw_cmd_doctor,
#endif
	NULL,
};
