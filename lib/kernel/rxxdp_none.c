/* SPDX-License-Identifier: BSD-3-Clause */
/* Takes the place of rxxdp.c in a build without libxdp: the ways exist, and opening them fails. */
#include <errno.h>

#include "kernel/rxways.h"

static int refuse(void *path, const struct pw_rx_way_config *cfg, struct pw_err *err)
{
	(void)path;
	(void)cfg;
	return pw_err_set(err, EOPNOTSUPP,
		"cannot receive by AF_XDP: pagewire was built without libxdp; install libxdp-dev "
		"and build it again");
}

static void nothing(void *path)
{
	(void)path;
}

/* No path is ever opened to call them with. */
static const struct pw_rx_ops ops = {.name = "xdp_rx"};

const struct pw_rx_way pw_rx_way_xdp_rx = {
	.name = "xdp_rx",
	.summary = "AF_XDP copy mode (not in this build)",
	.kind = PW_WAY_FRAME,
	.path_bytes = sizeof(struct pw_rx_path),
	.open = refuse,
	.close = nothing,
	.packets = &ops,
};

const struct pw_rx_way pw_rx_way_xdp_rx_zerocopy = {
	.name = "xdp_rx_zerocopy",
	.summary = "AF_XDP zero-copy (not in this build)",
	.kind = PW_WAY_FRAME,
	.path_bytes = sizeof(struct pw_rx_path),
	.open = refuse,
	.close = nothing,
	.packets = &ops,
};
