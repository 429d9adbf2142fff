/* SPDX-License-Identifier: BSD-3-Clause */
/* What can be checked of a port before EAL starts: its interface and the capabilities that it needs. */
#include "api/portcheck.h"

#include "host/netif.h"

int pw_port_check(const struct pw_portspec *spec, struct pw_err *err)
{
	struct pw_netif netif;
	int r = pw_portspec_is_interface(spec) ? pw_netif_query(spec->target, &netif, err) : 0;

	return r ? r : pw_portspec_check_caps(spec, "open", err);
}
