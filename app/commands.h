/* SPDX-License-Identifier: BSD-3-Clause */
/* Declares the subcommands of pagewire; each is in its own file, cmd_NAME.c. */
#ifndef PW_APP_COMMANDS_H
#define PW_APP_COMMANDS_H

#include "app/cli/opt.h"

extern const struct pw_command pw_cmd_send;
extern const struct pw_command pw_cmd_recv;
extern const struct pw_command pw_cmd_replay;
extern const struct pw_command pw_cmd_bench;
extern const struct pw_command pw_cmd_stage;
extern const struct pw_command pw_cmd_doctor;
extern const struct pw_command pw_cmd_cell; /* hidden: not in pw_commands[] */

#endif
