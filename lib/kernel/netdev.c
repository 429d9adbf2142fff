/* SPDX-License-Identifier: BSD-3-Clause */
/* Finds an interface by its name, and asks for its state. */
#include "kernel/netdev.h"

#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

int pw_netdev_open(struct pw_netdev *d, const char *what, const char *name, struct pw_err *err)
{
	d->ctl = -1;
	if (!name || strlen(name) >= sizeof(d->name))
		return pw_err_set(err, EINVAL,
			"cannot %s frames: no interface is named; `ip -br link` lists them", what);
	strcpy(d->name, name);
	d->index = if_nametoindex(name);
	if (d->index == 0)
		return pw_err_set(err, ENODEV,
			"cannot %s on interface %s: no such interface; `ip -br link` lists them",
			what, name);
	d->ctl = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (d->ctl < 0)
		return pw_err_sys(
			err, errno, "cannot %s on interface %s: cannot open a socket", what, name);
	return 0;
}

void pw_netdev_close(struct pw_netdev *d)
{
	if (d->ctl >= 0)
		close(d->ctl);
	d->ctl = -1;
}

int pw_netdev_flags(const struct pw_netdev *d)
{
	struct ifreq req = {.ifr_ifindex = (int)d->index};

	/* By its index: another interface may have got the name. */
	if (ioctl(d->ctl, SIOCGIFNAME, &req) < 0 || ioctl(d->ctl, SIOCGIFFLAGS, &req) < 0)
		return 0;
	return (unsigned short)req.ifr_flags;
}
