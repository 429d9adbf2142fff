/* SPDX-License-Identifier: BSD-3-Clause */
/* A mempool whose put counts the window of each mbuf down; see payload_pool.h. */
#include "dpdk/payload_pool.h"

#include <errno.h>
#include <rte_errno.h>
#include <rte_malloc.h>
#include <string.h>

#include "dpdk/port.h"

/* Last in, first out: the mbuf that is taken next was used last, and is in the CPU's cache. */
struct stack {
	uint32_t n, room;
	bool counts; /* the pool is complete: an mbuf that is put was in use before */
	void *v[];
};

static int stack_alloc(struct rte_mempool *mp)
{
	struct stack *s = rte_zmalloc_socket("pw_payload_pool",
		sizeof(*s) + mp->size * sizeof(s->v[0]), RTE_CACHE_LINE_SIZE, mp->socket_id);

	if (!s)
		return -ENOMEM;
	s->room = mp->size;
	mp->pool_data = s;
	return 0;
}

static void stack_free(struct rte_mempool *mp)
{
	rte_free(mp->pool_data);
}

/* Most drivers put one at a time. */
static int stack_put(struct rte_mempool *mp, void *const *objs, unsigned int n)
{
	struct stack *s = mp->pool_data;
	const uint32_t at = s->n;
	unsigned int i;

	if (unlikely(n > s->room - at))
		return -ENOBUFS;
	s->n = at + n;
	for (i = 0; i < n; i++) {
		const struct pw_payload_priv *priv = rte_mbuf_to_priv(objs[i]);

		s->v[at + i] = objs[i];
		if (likely(s->counts))
			(*priv->n_out)--;
	}
	return 0;
}

static int stack_get(struct rte_mempool *mp, void **objs, unsigned int n)
{
	struct stack *s = mp->pool_data;

	if (n > s->n)
		return -ENOENT;
	s->n -= n;
	memcpy(objs, &s->v[s->n], n * sizeof(objs[0]));
	return 0;
}

/* Telemetry calls this from another thread. */
static unsigned int stack_count(const struct rte_mempool *mp)
{
	const struct stack *s = mp->pool_data;

	return __atomic_load_n(&s->n, __ATOMIC_RELAXED);
}

static const struct rte_mempool_ops stack_ops = {
	.name = "pw_payload",
	.alloc = stack_alloc,
	.free = stack_free,
	.enqueue = stack_put,
	.dequeue = stack_get,
	.get_count = stack_count,
};

/* Called after EAL has loaded its plugins, unlike RTE_MEMPOOL_REGISTER_OPS. A secondary process (dpdk-dumpcap)
 * and we know a pool's operations by their number, so DPDK's own must have the same numbers in both. */
static bool register_ops(void)
{
	uint32_t i;
	int r;

	for (i = 0; i < rte_mempool_ops_table.num_ops; i++)
		if (!strcmp(rte_mempool_ops_table.ops[i].name, stack_ops.name))
			return true;
	r = rte_mempool_register_ops(&stack_ops);
	if (r < 0)
		rte_errno = -r;
	return r >= 0;
}

/* Called when a driver frees an external buffer, before the mbuf goes to stack_put(). */
static void reset_refcnt(void *addr, void *opaque)
{
	(void)addr;
	rte_mbuf_ext_refcnt_set((struct rte_mbuf_ext_shared_info *)opaque, 1);
}

static void init_mbuf(struct rte_mempool *mp, void *opaque, void *obj, unsigned int i)
{
	struct rte_mbuf *m = obj;
	struct pw_payload_priv *priv = rte_mbuf_to_priv(m);

	(void)mp;
	(void)opaque;
	(void)i;
	priv->n_out = NULL;
	priv->shinfo.free_cb = reset_refcnt;
	priv->shinfo.fcb_opaque = &priv->shinfo;
	rte_mbuf_ext_refcnt_set(&priv->shinfo, 1);
	m->shinfo = &priv->shinfo;
}

struct rte_mempool *pw_payload_pool_create(const struct pw_port *port, const char *name, uint32_t n)
{
	struct rte_mempool *mp;
	struct stack *s;

	if (!register_ops())
		return NULL;
	mp = pw_port_pool(port, name, n, 0, sizeof(struct pw_payload_priv), 0, stack_ops.name);
	if (!mp)
		return NULL;
	rte_mempool_obj_iter(mp, init_mbuf, NULL);
	s = mp->pool_data;
	s->counts = true;
	return mp;
}
