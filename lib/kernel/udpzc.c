/* SPDX-License-Identifier: BSD-3-Clause */
#include "kernel/udpzc.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#define HEADERS_SLOT ((size_t)PW_UDPZC_DATAGRAMS * PW_ALC_HDR_MAX)
#define HEADERS_ALL  (PW_UDPZC_SLOTS * HEADERS_SLOT)

int pw_udpzc_open(struct pw_udpzc *z, const struct pw_way_config *cfg, struct pw_err *err)
{
	size_t i;
	int ret = pw_udptx_open(&z->t, cfg, err);

	if (ret < 0)
		return ret;
	z->slots = calloc(PW_UDPZC_SLOTS, sizeof(*z->slots));
	if (!z->slots)
		return pw_err_sys(err, ENOMEM, "send without copies: allocate slots");
	z->headers = mmap(NULL, HEADERS_ALL, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (z->headers == MAP_FAILED) {
		z->headers = NULL;
		return pw_err_sys(err, errno, "send without copies: allocate headers");
	}
	for (i = 0; i < PW_UDPZC_SLOTS; i++) {
		pw_udpmsg_init(&z->slots[i].m, z->slots[i].iov, z->headers + i * HEADERS_SLOT);
		z->slots[i].done = true;
	}
	z->room = (struct pw_udpmsg_room){
		(uint16_t)pw_min_u64(z->t.batch, PW_UDPZC_DATAGRAMS),
		PW_UDPZC_IOVS,
		PW_UDPZC_PIECES,
	};
	return 0;
}

void pw_udpzc_close(struct pw_udpzc *z)
{
	pw_udptx_close(&z->t);
	if (z->headers)
		munmap(z->headers, HEADERS_ALL);
	free(z->slots);
}

void pw_udpzc_take(struct pw_udpzc *z, struct pw_window *win)
{
	struct pw_udpzc_slot *s = pw_udpzc_slot(z, z->head++);

	s->done = false;
	s->win = win;
	win->n_out += s->m.n;
	z->n_out += s->m.n;
}

void pw_udpzc_done(struct pw_udpzc *z, uint32_t number)
{
	struct pw_udpzc_slot *s = pw_udpzc_slot(z, number);

	if (number - z->tail >= z->head - z->tail || s->done)
		return;
	s->done = true;
	s->win->n_out -= s->m.n;
	z->n_out -= s->m.n;
	while (z->tail != z->head && pw_udpzc_slot(z, z->tail)->done)
		z->tail++;
}

int pw_udpzc_detach(void *path, struct pw_tx_object *obj)
{
	(void)path;
	return obj->win->n_out ? -EBUSY : 0;
}

uint32_t pw_udpzc_outstanding(void *path)
{
	return ((struct pw_udpzc *)path)->n_out;
}
