/* SPDX-License-Identifier: BSD-3-Clause */
/* Moves a NIC from the kernel's driver to vfio-pci and back. */
#include "bench/rebind.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "host/netif.h"

#define DRIVER   "vfio-pci"
#define COMES_NS (10 * PW_NS_PER_S) /* a driver that loads firmware takes seconds */
#define LINK_NS  (15 * PW_NS_PER_S) /* what a link of 10GBASE-T may take to train */
#define POLL_NS  (10 * 1000 * 1000)

/* Interfaces of PCI devices come back in the host's first namespace. */
static bool is_in_the_hosts_namespace(void)
{
	struct stat own, first;

	return stat("/proc/self/ns/net", &own) == 0 && stat("/proc/1/ns/net", &first) == 0 &&
	       own.st_ino == first.st_ino && own.st_dev == first.st_dev;
}

static int check_device(const char *interface, const char *addr, struct pw_err *err)
{
	struct pw_pci_dev dev;
	long long n = 0;
	int r = pw_pci_read(NULL, addr, &dev, err);

	if (r)
		return r;
	if (dev.n_netdevs != 1)
		return pw_err_set(err, EBUSY,
			"cannot take %s from the kernel: its PCI device %s has %u interfaces; use "
			"one "
			"with one",
			interface, addr, dev.n_netdevs);
	if (pw_sysfs_read_number(NULL, &n, "/sys/bus/pci/devices/%s/sriov_numvfs", addr) == 0 && n)
		return pw_err_set(err, EBUSY,
			"cannot take %s from the kernel: %lld virtual functions use it; use one of "
			"them",
			interface, n);
	return pw_bind_check(NULL, addr, DRIVER, err);
}

int pw_rebind_check(const char *interface, struct pw_err *err)
{
	struct pw_ifstate state;
	struct pw_netif netif;
	int r = pw_netif_query(interface, &netif, err);

	if (r)
		return r;
	if (!netif.pci[0])
		return pw_err_set(err, EOPNOTSUPP,
			"cannot take %s from the kernel: it is no PCI device; use one", interface);
	if (!is_in_the_hosts_namespace())
		return pw_err_set(err, EOPNOTSUPP,
			"cannot take %s from the kernel: it would come back in the host's first "
			"network "
			"namespace; run there, as root",
			interface);
	r = pw_ifstate_save(&state, interface, err);
	if (r)
		return r;
	pw_ifstate_finish(&state);
	return check_device(interface, netif.pci, err);
}

static void hold_signals(struct pw_rebind *rb)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &set, &rb->signals);
	rb->held = true;
}

bool pw_rebind_interrupted(void)
{
	sigset_t set;

	return sigpending(&set) == 0 && (sigismember(&set, SIGINT) || sigismember(&set, SIGTERM) ||
						sigismember(&set, SIGHUP));
}

int pw_rebind_take(struct pw_rebind *rb, const char *interface, struct pw_err *err)
{
	struct pw_netif netif;
	int r;

	memset(rb, 0, sizeof(*rb));
	hold_signals(rb);
	r = pw_netif_query(interface, &netif, err);
	if (r == 0)
		r = pw_ifstate_save(&rb->state, interface, err);
	if (r)
		return r;
	rb->taken = true; /* from here on the interface may be gone, whatever is returned */
	return pw_bind_take(NULL, netif.pci, DRIVER, &rb->was, err);
}

static void rest(void)
{
	const struct timespec pause = {.tv_nsec = POLL_NS};

	nanosleep(&pause, NULL);
}

static int await_interface(const struct pw_rebind *rb, struct pw_pci_dev *dev, struct pw_err *err)
{
	const uint64_t until = pw_clock_ns() + COMES_NS;

	while (pw_pci_read(NULL, rb->was.addr, dev, NULL) || dev->n_netdevs == 0) {
		if (pw_clock_ns() > until)
			return pw_err_set(err, ETIMEDOUT,
				"cannot give %s back to %s: no interface of it has come in %u s; "
				"dmesg "
				"has the reason",
				rb->was.addr, rb->was.driver,
				(unsigned int)(COMES_NS / PW_NS_PER_S));
		rest();
	}
	return 0;
}

static int await_link(const struct pw_rebind *rb, struct pw_err *err)
{
	const uint64_t until = pw_clock_ns() + LINK_NS;

	while (!pw_ifstate_is_ready(&rb->state)) {
		if (pw_clock_ns() > until)
			return pw_err_set(err, ENETDOWN,
				"cannot wait for the link of %s: it is back with %s, but without "
				"carrier "
				"for %u s",
				rb->state.name, rb->was.driver,
				(unsigned int)(LINK_NS / PW_NS_PER_S));
		rest();
	}
	return 0;
}

static int give_back(struct pw_rebind *rb, struct pw_err *err)
{
	struct pw_pci_dev dev;
	int r = pw_bind_give_back(NULL, &rb->was, err);

	if (r == 0)
		r = await_interface(rb, &dev, err);
	if (r == 0)
		r = pw_ifstate_restore(&rb->state, dev.netdevs[0], err);
	return r ? r : await_link(rb, err);
}

int pw_rebind_give_back(struct pw_rebind *rb, struct pw_err *err)
{
	int r = rb->taken ? give_back(rb, err) : 0;

	pw_ifstate_finish(&rb->state);
	rb->taken = false;
	if (rb->held)
		pthread_sigmask(SIG_SETMASK, &rb->signals, NULL);
	rb->held = false;
	return r;
}
