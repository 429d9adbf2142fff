/* SPDX-License-Identifier: BSD-3-Clause */
/* Pacing by the port; see hwrate.h. Drivers differ from DPDK's manual: the table below has the differences. */
#include "dpdk/hwrate.h"

#include <errno.h>
#include <rte_ethdev.h>
#include <string.h>

#include "base/bytes.h"

/* From the sources of the drivers that limit queues: ixgbe, txgbe, cnxk, and mlx5 from 26.07 on. */
static const struct quirk {
	const char *driver; /* how its name starts */
	bool zero_stops;    /* 0 stops the queue instead of freeing it */
	uint32_t
		max_share; /* the largest ratio of link speed to limit; beyond it the register wraps */
} quirks[] = {
	{"net_ixgbe", false, 1023}, /* 10 bits before the point, in RTTBCNRC */
	{"net_cn", true, UINT32_MAX},
};

static const struct quirk *quirk_of(const struct pw_port *p)
{
	static const struct quirk none = {"", false, UINT32_MAX};
	size_t i;

	for (i = 0; i < PW_ARRAY_LEN(quirks); i++)
		if (!strncmp(p->driver, quirks[i].driver, strlen(quirks[i].driver)))
			return &quirks[i];
	return &none;
}

static int driver_error(const struct pw_port *p, int r, struct pw_err *err)
{
	if (r == -ENOTSUP || r == -ENOSYS)
		return pw_err_set(err, EINVAL,
			"cannot set the rate on %s in hardware: %s does not offer it; use --pacing "
			"sw",
			p->spec.text, p->driver);
	return pw_err_set(err, EIO,
		"cannot set the rate on %s in hardware: %s reports %s; use --pacing sw",
		p->spec.text, p->driver, strerror(-r));
}

static int refuse_if_required(const struct pw_port *p, const struct pw_dpdk_config *cfg,
	const struct pw_err *why, struct pw_err *err)
{
	if (cfg->require_hw_pacing) {
		if (err)
			*err = *why;
		return -why->code;
	}
	pw_debug(p->log, "%s", why->msg);
	return 0;
}

int pw_hwrate_check(struct pw_port *p, const struct pw_dpdk_config *cfg, struct pw_err *err)
{
	struct pw_err why;
	int r;

	if (cfg->queue_mbps == 0)
		return 0;
	r = quirk_of(p)->zero_stops ? 0 : rte_eth_set_queue_rate_limit(p->id, 0, 0);
	p->limits_queues = r == 0;
	if (r == 0)
		return 0;
	driver_error(p, r, &why);
	return refuse_if_required(p, cfg, &why, err);
}

/* DPDK refuses a limit above the link's speed without a reason. */
static int check_speed(const struct pw_port *p, uint32_t mbps, struct pw_err *err)
{
	struct rte_eth_link link = {0};

	if (rte_eth_link_get_nowait(p->id, &link))
		return 0;
	if (mbps > link.link_speed)
		return pw_err_set(err, EINVAL,
			"cannot limit each queue of %s to %u Mbit/s in hardware: its link has %u; "
			"lower --rate, or use --pacing sw",
			p->spec.text, mbps, link.link_speed);
	if (link.link_speed / mbps > quirk_of(p)->max_share)
		return pw_err_set(err, EINVAL,
			"cannot limit each queue of %s to %u Mbit/s in hardware: the lowest limit "
			"of "
			"%s is %u; use --pacing sw",
			p->spec.text, mbps, p->driver,
			link.link_speed / quirk_of(p)->max_share + 1);
	return 0;
}

static int set_all(struct pw_port *p, uint32_t mbps, struct pw_err *err)
{
	uint16_t i;
	int r = check_speed(p, mbps, err);

	if (r)
		return r;
	for (i = 0; r == 0 && i < p->n_queues; i++)
		r = rte_eth_set_queue_rate_limit(p->id, i, mbps);
	if (r == 0)
		p->queue_mbps = mbps;
	else if (!quirk_of(p)->zero_stops)
		while (i-- > 0)
			rte_eth_set_queue_rate_limit(p->id, i, 0);
	return r ? driver_error(p, r, err) : 0;
}

int pw_hwrate_set(struct pw_port *p, const struct pw_dpdk_config *cfg, struct pw_err *err)
{
	struct pw_err why;

	if (!p->limits_queues || set_all(p, cfg->queue_mbps, &why) == 0)
		return 0;
	return refuse_if_required(p, cfg, &why, err);
}

void pw_hwrate_clear(struct pw_port *p)
{
	uint16_t i;

	if (p->queue_mbps && p->started && !pw_port_fault(p) && !quirk_of(p)->zero_stops)
		for (i = 0; i < p->n_queues; i++)
			rte_eth_set_queue_rate_limit(p->id, i, 0);
	p->queue_mbps = 0;
}
