/* SPDX-License-Identifier: BSD-3-Clause */
/* The options of a send job. Those of `pagewire send` are parsed straight into this struct. */
#ifndef PW_API_JOBOPTIONS_H
#define PW_API_JOBOPTIONS_H

#include <stdint.h>

#include "base/strings.h"
#include "dpdk/tx.h"
#include "send/send.h"

enum pw_pacing { PW_PACING_AUTO, PW_PACING_SW, PW_PACING_HW }; /* who holds the rate */

#define PW_JOB_DRAW_TSI UINT64_MAX

struct pw_job_options {
	struct pw_port_config port;
	struct pw_send_settings set;
	struct pw_flow
		flow; /* vlan, ttl (0: by the address) and dscp; pw_job_plan() does the rest */
	const char *to, *from;  /* ADDR:PORT or HOST:PORT */
	const char *to_mac;     /* NULL: asked for */
	const char *sign;       /* private key in PEM; NULL: the file tables are not signed */
	struct pw_strings gaps; /* gap manifests; none: everything is sent */
	uint64_t tsi;           /* PW_JOB_DRAW_TSI: a random one */
	const char *stripe;     /* NULL: all; see pw_stripe_choose() */
	const char *fec; /* K+R; NULL: no parity; see pw_send_fec_parse(), which fills set.fec */
	uint64_t stream_bytes; /* of the ring that streamed files go through, at most */
	uint32_t symbol_len;   /* 0: what the MTU takes */
	enum pw_pages pages;
	enum pw_csum udp_checksum;
	enum pw_pacing pacing;
};

#define PW_JOB_OPTIONS_DEFAULT                                                                   \
	{                                                                                        \
		.port = PW_PORT_CONFIG_DEFAULT, .set = PW_SEND_SETTINGS_DEFAULT,                 \
		.flow.vlan = PW_VLAN_NONE, .tsi = PW_JOB_DRAW_TSI, .stream_bytes = 256ull << 20, \
		.pacing = PW_PACING_SW,                                                          \
	}

static inline uint16_t pw_job_n_queues(const struct pw_job_options *o)
{
	return o->port.n_queues ? o->port.n_queues : 1;
}

#endif
