/* SPDX-License-Identifier: BSD-3-Clause */
/* Which capabilities the ports on the kernel's interfaces need, and whether the interface exists. */
#include "api/portcheck.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"
#include "host/limits.h"
#include "host/netif.h"

static int check_capabilities(const struct pw_portspec *spec, struct pw_err *err)
{
	struct pw_limits l;

	pw_limits_read(&l);
	const struct {
		enum pw_port_kind kind;
		bool has;
		const char *name, *lower, *why;
	} needs[] = {
		{PW_PORT_AF_PACKET, l.net_raw, "CAP_NET_RAW", "cap_net_raw",
			"open a packet socket"},
		{PW_PORT_AF_XDP, l.net_raw, "CAP_NET_RAW", "cap_net_raw", "open an XDP socket"},
		{PW_PORT_AF_XDP, l.net_admin, "CAP_NET_ADMIN", "cap_net_admin",
			"attach an XDP program"},
		{PW_PORT_AF_XDP, l.bpf, "CAP_BPF", "cap_bpf", "load an XDP program"},
		{PW_PORT_TAP, l.net_admin, "CAP_NET_ADMIN", "cap_net_admin", "make a tap"},
	};

	for (size_t i = 0; i < PW_ARRAY_LEN(needs); i++)
		if (needs[i].kind == spec->kind && !needs[i].has)
			return pw_err_set(err, EPERM,
				"cannot open %s: it needs %s to %s; run as root, or give the "
				"program %s+ep with setcap (pagewire doctor: caps)",
				spec->text, needs[i].name, needs[i].why, needs[i].lower);
	return 0;
}

int pw_port_check(const struct pw_portspec *spec, struct pw_err *err)
{
	struct pw_netif netif;
	int r = pw_portspec_is_interface(spec) ? pw_netif_query(spec->target, &netif, err) : 0;

	return r ? r : check_capabilities(spec, err);
}
