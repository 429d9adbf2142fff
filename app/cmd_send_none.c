/* SPDX-License-Identifier: BSD-3-Clause */
/* Replaces cmd_send.c in a build without DPDK. */
#include "app/commands.h"

const struct pw_command pw_cmd_send = {
	.name = "send",
	.summary = "send files from mapped pages through a poll-mode driver",
	.operands = "FILE...",
	.missing = "this pagewire was built without DPDK and cannot send; install libdpdk-dev and "
		   "build it again",
};
