/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Finds the device behind a PORT and has DPDK probe it. Sockets and interfaces are checked before, because
 * drivers report most failures as -1.
 *
 *   makes its socket   vhost, memif when it receives   a stale file is removed, a live socket is an error
 *   connects           virtio-user, memif              the peer may start later: wait for it
 *   interface          af_packet, af_xdp               must exist, with the MTU
 */
#include <errno.h>
#include <rte_dev.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "dpdk/port_private.h"
#include "host/netif.h"

#define RETRY_US       50000 /* between two attempts to connect */
#define PROBE_AGAIN_NS (2 * PW_NS_PER_S)
#define XDP_MAX_MTU    3498 /* of a veth with an XDP program: one page less headroom and tail */

/* True when the process that made this unix socket has gone and left the file. Only a refused connection
 * shows that: after any other failure (memif's sockets are of another type: EPROTOTYPE) a process listens, or
 * it is unknown. */
static bool is_stale_socket(const char *path)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool stale;

	if (fd < 0)
		return false;
	/* pw_portspec_parse() refuses longer paths */
	memcpy(sun.sun_path, path, strnlen(path, sizeof(sun.sun_path) - 1));
	stale = connect(fd, (const struct sockaddr *)&sun, sizeof(sun)) < 0 &&
		errno == ECONNREFUSED;
	close(fd);
	return stale;
}

/* For the side that makes the socket: removes a file that was left by a crash. */
static int claim_socket(const struct pw_portspec *spec, struct pw_err *err)
{
	struct stat st;

	if (lstat(spec->target, &st))
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return pw_err_set(err, EEXIST,
			"cannot make socket %s: a file of that name exists; remove it",
			spec->target);
	if (!is_stale_socket(spec->target))
		return pw_err_set(err, EADDRINUSE,
			"cannot make socket %s: another process listens on it; use another path",
			spec->target);
	if (unlink(spec->target))
		return pw_err_sys(err, errno, "cannot remove stale socket %s", spec->target);
	return 0;
}

/* Drivers report EPERM for a file that they cannot make; a missing directory is the usual reason. */
static int check_parent(const struct pw_portspec *spec, struct pw_err *err)
{
	char dir[PW_PORT_MAX];
	char *slash;

	memcpy(dir, spec->target, sizeof(dir));
	slash = strrchr(dir, '/');
	if (!slash || slash == dir)
		return 0;
	*slash = '\0';
	if (access(dir, F_OK))
		return pw_err_set(err, ENOENT,
			"cannot use %s: there is no directory %s; mkdir -p %s", spec->text, dir,
			dir);
	return 0;
}

static int interrupted(const struct pw_portspec *spec, struct pw_err *err)
{
	return pw_err_set(err, ECANCELED, "cannot wait for socket %s: interrupted", spec->target);
}

/* For the side that connects: the peer may start later. Only the file is looked for: a connection as a test
 * would disturb the peer (a vhost backend takes one peer). */
static int wait_for_socket(
	const struct pw_portspec *spec, const struct pw_dpdk_config *cfg, struct pw_err *err)
{
	uint64_t deadline = pw_clock_ns() + cfg->set.wait_ns;

	while (access(spec->target, F_OK)) {
		if (pw_port_cancelled(cfg))
			return interrupted(spec, err);
		if (pw_clock_ns() >= deadline)
			return pw_err_set(err, ENOENT,
				"cannot connect to %s: no such socket; start the other side first, "
				"or raise --wait",
				spec->target);
		usleep(PW_PORT_POLL_US);
	}
	return 0;
}

static int check_interface(
	const struct pw_portspec *spec, const struct pw_dpdk_config *cfg, struct pw_err *err)
{
	struct pw_netif netif;
	int r = pw_netif_query(spec->target, &netif, err);

	if (r)
		return r;
	if (cfg->set.mtu > netif.mtu)
		return pw_err_set(err, EINVAL,
			"cannot use %s: --mtu %u exceeds the interface's %u; lower --mtu, or `ip "
			"link set %s mtu %u`",
			spec->text, cfg->set.mtu, netif.mtu, spec->target, cfg->set.mtu);
	if (spec->kind == PW_PORT_AF_XDP && netif.mtu > XDP_MAX_MTU)
		return pw_err_set(err, EINVAL,
			"cannot use %s: its MTU of %u exceeds XDP's limit of %u; `ip link set %s "
			"mtu 1500`",
			spec->text, netif.mtu, XDP_MAX_MTU, spec->target);
	return 0;
}

/* Checks or makes what the driver needs before its probe. */
static int prepare_target(const struct pw_port *p, const struct pw_dpdk_config *cfg,
	const struct pw_log *log, struct pw_err *err)
{
	const struct pw_portspec *spec = &p->spec;
	char name[PW_DRIVER_NAME_MAX];
	int r;

	if (spec->kind == PW_PORT_UDP)
		return pw_err_set(err, EINVAL,
			"cannot open %s: it is a UDP socket of the kernel, by which only send "
			"works; to receive by one, use --listen without --port",
			spec->text);
	pw_portspec_driver(spec, name, sizeof(name));
	if (name[0] && !pw_dpdk_has_driver(name))
		return pw_err_set(err, ENODEV,
			"cannot probe %s: this DPDK has no driver %s; install it (pagewire doctor: "
			"dpdk.drivers)",
			spec->text, name);
	if (p->listens || spec->kind == PW_PORT_PCAP) {
		r = check_parent(spec, err);
		return r || spec->kind == PW_PORT_PCAP ? r : claim_socket(spec, err);
	}
	if (spec->kind == PW_PORT_VIRTIO_USER || spec->kind == PW_PORT_MEMIF) {
		if (access(spec->target, F_OK))
			pw_info(log, "waiting for socket %s", spec->target);
		return wait_for_socket(spec, cfg, err);
	}
	return pw_portspec_is_interface(spec) ? check_interface(spec, cfg, err) : 0;
}

/* The port that the probe of our devargs has made. */
static int find_port(struct pw_port *p, struct pw_err *err)
{
	struct rte_dev_iterator it;
	uint16_t id;

	RTE_ETH_FOREACH_MATCHING_DEV(id, p->devargs, &it)
	{
		p->id = id;
		rte_eth_iterator_cleanup(&it);
		return 0;
	}
	/* drivers of several ports, and drivers that match no devargs (bonding): take the first port */
	id = (uint16_t)rte_eth_find_next(0);
	if (id < RTE_MAX_ETHPORTS && p->index == 0) {
		p->id = id;
		return 0;
	}
	return pw_err_set(err, ENODEV,
		"cannot use %s: its probe made no Ethernet port; check the driver bound to it "
		"(pagewire doctor: nic.driver)",
		p->spec.text);
}

static bool connects(const struct pw_port *p)
{
	return p->spec.kind == PW_PORT_VIRTIO_USER || p->spec.kind == PW_PORT_MEMIF;
}

/* True for a socket on which no process listens: the peer creates the file a moment before it listens, and one
 * that was killed leaves the file. A connection to it disturbs no process. */
static bool has_no_peer(const struct pw_port *p)
{
	return connects(p) && (access(p->spec.target, F_OK) || is_stale_socket(p->spec.target));
}

bool pw_port_may_retry(const struct pw_port *p, const struct pw_dpdk_config *cfg, uint64_t start_ns)
{
	uint64_t wait_ns = cfg->set.wait_ns;

	if (!connects(p))
		return false;
	if (!has_no_peer(p)) /* it began to listen just now, or it takes no second peer */
		wait_ns = pw_min_u64(wait_ns, PROBE_AGAIN_NS);
	if (pw_port_cancelled(cfg) || pw_clock_ns() - start_ns >= wait_ns)
		return false;
	usleep(RETRY_US);
	return true;
}

int pw_port_check_caps(const struct pw_port *p, const char *action, struct pw_err *err)
{
	return pw_portspec_check_caps(&p->spec, action, err);
}

int pw_port_open_error(const struct pw_port *p, const struct pw_dpdk_config *cfg,
	const char *action, int r, const char *log, struct pw_err *err)
{
	if (has_no_peer(p) && pw_port_cancelled(cfg))
		return interrupted(&p->spec, err);
	if (has_no_peer(p))
		return pw_err_set(err, ECONNREFUSED,
			"cannot connect to %s: no process listens there; start the other side, or "
			"raise --wait",
			p->spec.target);
	if (pw_port_check_caps(p, action, err))
		return -EPERM;
	/* drivers return -1 for any failure, which does not mean EPERM */
	return pw_err_set(err, r == -1 ? EIO : -r,
		"cannot %s %s: %s%s; see `pagewire doctor --port %s`", action, p->spec.text,
		r == -1 ? "the driver failed" : strerror(-r), log, p->spec.text);
}

int pw_port_probe(struct pw_port *p, const struct pw_dpdk_config *cfg, bool transmit,
	struct pw_eal *eal, struct pw_err *err)
{
	uint64_t start_ns;
	int r = prepare_target(p, cfg, eal->log, err);

	if (!r)
		r = pw_portspec_devargs(&p->spec, p->index, transmit,
			cfg->set.mtu + PW_PORT_ETH_OVERHEAD, cfg->set.queue_size, p->n_queues,
			p->devargs, sizeof(p->devargs), err);
	if (r)
		return r;
	if (p->is_pci && rte_eth_dev_count_avail() > 0)
		return find_port(p, err); /* EAL has probed it */
	eal->last_line[0] = '\0';
	start_ns = pw_clock_ns();
	do
		r = rte_dev_probe(p->devargs);
	while (r < 0 && pw_port_may_retry(p, cfg, start_ns));
	if (r < 0)
		return pw_port_open_error(p, cfg, "probe", r, pw_eal_last_log(eal), err);
	return find_port(p, err);
}
