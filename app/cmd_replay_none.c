/* SPDX-License-Identifier: BSD-3-Clause */
/* Replaces cmd_replay.c in a build without DPDK. */
#include "app/commands.h"

const struct pw_command pw_cmd_replay = {
	.name = "replay",
	.summary = "replay a capture from its mapped pages through a poll-mode driver",
	.operands = "FILE",
	.missing =
		"this pagewire was built without DPDK and cannot replay; install libdpdk-dev and "
		"build it again",
};
