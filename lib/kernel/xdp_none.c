/* SPDX-License-Identifier: BSD-3-Clause */
/* In the place of xdp.c where libxdp is missing. */
#include <errno.h>

#include "kernel/ways.h"

static int way_open(void **path, const struct pw_way_config *cfg, struct pw_err *err)
{
	(void)cfg;
	*path = NULL;
	return pw_err_set(err, EOPNOTSUPP,
		"open an AF_XDP socket: pagewire was built without libxdp; install libxdp-dev and "
		"build it again");
}

static void way_close(void *path)
{
	(void)path; /* open never gave one */
}

/* Nobody gets a path to call them with. */
static const struct pw_tx_ops ops = {.name = "xdp"};

const struct pw_way pw_way_xdp_copy = {
	.name = "xdp_copy",
	.summary = "AF_XDP copy mode (not in this build)",
	.kind = PW_WAY_FRAME,
	.open = way_open,
	.close = way_close,
	.packets = &ops,
};

const struct pw_way pw_way_xdp_zerocopy = {
	.name = "xdp_zerocopy",
	.summary = "AF_XDP zero-copy (not in this build)",
	.kind = PW_WAY_FRAME,
	.open = way_open,
	.close = way_close,
	.packets = &ops,
};
