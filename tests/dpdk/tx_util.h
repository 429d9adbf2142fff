/* SPDX-License-Identifier: BSD-3-Clause */
/* A transmitter on net_ring0, which returns the same mbufs that it was given, and a file on tmpfs in a window. */
#ifndef PW_TESTS_TX_UTIL_H
#define PW_TESTS_TX_UTIL_H

#include <errno.h>
#include <fcntl.h>
#include <rte_ethdev.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "dpdk/tx_private.h"
#include "file/window.h"

#define FILE_BYTES 3000001u
#define SYMBOL     1440u

struct fixture {
	struct pw_dpdk_tx *tx;
	struct pw_window win;
	struct pw_tx_object obj;
	uint8_t *seen; /* by symbol */
	char path[64];
};

static int setup(void **state)
{
	struct pw_dpdk_config cfg = {.set = {.port = "net_ring0", .mtu = 9000, .no_huge = true}};
	struct fixture *f = aligned_alloc(64, pw_align_up(sizeof(*f), 64));
	struct pw_err err = {0};
	uint8_t *data = malloc(FILE_BYTES);
	uint32_t i, x = 1;
	int fd;

	memset(f, 0, sizeof(*f));
	strcpy(f->path, "/dev/shm/pw-txburst-XXXXXX");
	fd = mkstemp(f->path);
	for (i = 0; i < FILE_BYTES; i++) {
		x = x * 1664525 + 1013904223;
		data[i] = (uint8_t)(x >> 24);
	}
	if (fd < 0 || write(fd, data, FILE_BYTES) != FILE_BYTES)
		return -1;
	close(fd);
	free(data);
	f->seen = calloc(FILE_BYTES / SYMBOL + 2, 1);
	if (pw_pagecache_open(&f->win, f->path, NULL, &err) ||
		pw_dpdk_tx_open(&f->tx, &cfg, NULL, &err)) {
		fprintf(stderr, "setup: %s\n", err.msg);
		return -1;
	}
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	pw_dpdk_tx_close(f->tx);
	pw_window_close(&f->win);
	unlink(f->path);
	free(f->seen);
	free(f);
	return 0;
}

#endif
