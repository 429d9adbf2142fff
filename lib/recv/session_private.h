/* SPDX-License-Identifier: BSD-3-Clause */
/* A session that is received: the packets of one TSI from one address. The receiver's lock protects it. */
#ifndef PW_RECV_SESSION_PRIVATE_H
#define PW_RECV_SESSION_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "recv/fdtrx.h"
#include "wire/addr.h"

struct pw_session {
	struct pw_host_key from;
	uint64_t tsi;
	struct pw_fdtrx fdt;      /* the file worker's */
	uint64_t n_session_files; /* pw:Files of the newest instance that has it; 0 = unknown */
	uint64_t n_named;         /* files in its tables */
	uint64_t n_first;         /* objects that it announced first */
	uint64_t n_shared;        /* of n_first: that another session announced again */
	char *repair_url;         /* pw:Repair of the newest table; owned; NULL: none */
	uint64_t round;           /* pw:Round, and pw:Ask of that round */
	bool asks;
	unsigned int n_closes;
	bool fdt_complete;
	bool has_data;  /* a symbol came */
	bool forgets;   /* its tables count as new; see tables.c */
	bool names_old; /* it named a file of the old manifest; see manifest.c */
};

#endif
