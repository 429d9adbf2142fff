/* SPDX-License-Identifier: BSD-3-Clause */
#include "dpdk/abilities.h"

#include <errno.h>
#include <fcntl.h>
#include <rte_ethdev.h>
#include <rte_tm.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dpdk/hwrate.h"
#include "dpdk/port.h"

struct answer {
	int code; /* 0 or -errno */
	struct pw_err err;
	struct pw_port_abilities abilities;
};

static bool has_shapers(uint16_t port_id)
{
	struct rte_tm_capabilities cap;
	struct rte_tm_error error;

	memset(&cap, 0, sizeof(cap));
	return rte_tm_capabilities_get(port_id, &cap, &error) == 0 && cap.shaper_n_max > 0;
}

static void take(struct pw_port_abilities *a, const struct pw_port *p, const struct pw_eal *eal)
{
	const uint64_t capa = p->info.tx_offload_capa | p->info.tx_queue_offload_capa;

	*a = (struct pw_port_abilities){
		.segs_max = p->info.tx_desc_lim.nb_mtu_seg_max,
		.chains = p->multi_segs,
		.plain = p->traits->plain_free,
		.iova_va = eal->iova_va,
		.udp_csum = capa & RTE_ETH_TX_OFFLOAD_UDP_CKSUM,
		.fast_free = capa & RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE,
		.limits_queues = p->limits_queues,
		.shapes = has_shapers(p->id),
		.sends_at_times = capa & RTE_ETH_TX_OFFLOAD_SEND_ON_TIMESTAMP,
	};
	snprintf(a->driver, sizeof(a->driver), "%s", p->driver);
}

static void ask(struct answer *to, const struct pw_dpdk_config *asked, const struct pw_log *log)
{
	struct pw_dpdk_config cfg = *asked;
	struct pw_portspec spec;
	struct pw_eal eal = {0};
	struct pw_port port = {.id = RTE_MAX_ETHPORTS};
	struct pw_log errors = *log;

	if (log->level < PW_LOG_DEBUG)
		errors.level = PW_LOG_ERR; /* doctor has said the rest */
	cfg.queue_mbps = 1; /* pw_hwrate_check() tries whether it could be set, and sets none */
	to->code = pw_portspec_parse(cfg.set.port, &spec, &to->err);
	if (to->code == 0)
		to->code = pw_eal_start(&eal, &cfg, &spec, &errors, &to->err);
	if (to->code == 0)
		to->code = pw_port_open(&port, &spec, &cfg, true, &eal, &to->err);
	if (to->code == 0)
		to->code = pw_hwrate_check(&port, &cfg, &to->err);
	if (to->code == 0)
		take(&to->abilities, &port, &eal);
	pw_port_close(&port);
	pw_eal_stop(&eal);
}

static void answer(int fd, const struct pw_dpdk_config *cfg, const struct pw_log *log)
{
	struct answer a = {0};

	ask(&a, cfg, log);
	_exit(write(fd, &a, sizeof(a)) == (ssize_t)sizeof(a) ? 0 : 1);
}

int pw_port_abilities_read(struct pw_port_abilities *a, const struct pw_dpdk_config *cfg,
	const struct pw_log *log, struct pw_err *err)
{
	struct answer got;
	ssize_t n;
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC))
		return pw_err_sys(err, errno, "cannot ask the driver of %s", cfg->set.port);
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		answer(fds[1], cfg, log);
	close(fds[1]);
	n = pid < 0 ? -1 : read(fds[0], &got, sizeof(got)); /* a pipe's short message is whole */
	close(fds[0]);
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (n != (ssize_t)sizeof(got))
		return pw_err_set(err, EIO,
			"cannot ask the driver of %s: it ended the process; see -v", cfg->set.port);
	*a = got.abilities;
	if (got.code)
		*err = got.err;
	return got.code;
}
