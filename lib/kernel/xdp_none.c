/* SPDX-License-Identifier: BSD-3-Clause */
/* Takes the place of xdp.c in a build without libxdp: the ways exist, and opening them fails. */
#include <errno.h>

#include "kernel/sock.h"
#include "kernel/ways.h"

static int refuse(void *path, struct pw_err *err)
{
	(void)path;
	return pw_err_set(err, EOPNOTSUPP,
		"cannot open an AF_XDP socket: pagewire was built without libxdp; install "
		"libxdp-dev and build it again");
}

/* No path is ever opened to call them with. */
static const struct pw_tx_ops ops = {.name = "xdp"};

const struct pw_way pw_way_xdp_copy = {
	.name = "xdp_copy",
	.summary = "AF_XDP copy mode (not in this build)",
	.kind = PW_WAY_FRAME,
	.path_bytes = sizeof(struct pw_sock),
	.socket = refuse,
	.packets = &ops,
};

const struct pw_way pw_way_xdp_zerocopy = {
	.name = "xdp_zerocopy",
	.summary = "AF_XDP zero-copy (not in this build)",
	.kind = PW_WAY_FRAME,
	.zerocopy = true,
	.path_bytes = sizeof(struct pw_sock),
	.socket = refuse,
	.packets = &ops,
};
