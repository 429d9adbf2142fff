/* SPDX-License-Identifier: BSD-3-Clause */
#include "recv/probe.h"

#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "recv/lane_private.h"

#define SILENT_NS PW_NS_PER_S        /* then it is over */
#define MAX_NS    (20 * PW_NS_PER_S) /* for which it is answered */

static uint64_t get(const _Atomic uint64_t *v)
{
	return atomic_load_explicit(v, memory_order_relaxed);
}

static void set(_Atomic uint64_t *v, uint64_t value)
{
	atomic_store_explicit(v, value, memory_order_relaxed);
}

/* Another probe: it is taken if none is under way. */
static void begin(struct pw_recv *r, uint64_t id, const uint8_t *payload, size_t len)
{
	const uint8_t *end = memchr(payload, '\0', pw_min_u64(len, PW_PROBE_URL_MAX));
	struct pw_probe *p = &r->probe;

	if (!end || get(&p->id))
		return;
	pthread_mutex_lock(&r->lock);
	if (!get(&p->id)) {
		memcpy(p->url, payload, (size_t)(end - payload) + 1);
		p->start_ns = p->seen_ns = pw_clock_ns();
		p->seen = 0;
		atomic_store(&p->id, id);
	}
	pthread_mutex_unlock(&r->lock);
}

/* Whose table must be signed, or who may send, is settled before a URL is opened. */
static bool is_welcome(const struct pw_recv *r, struct pw_host_key from)
{
	return !r->cfg.trust &&
	       (r->cfg.source.family == 0 || pw_host_key_equal(pw_host_key(&r->cfg.source), from));
}

void pw_lane_take_probe(struct pw_recv *r, struct pw_recv_lane *l, const struct pw_alc_hdr *hdr,
	struct pw_host_key from, const uint8_t *payload, size_t len)
{
	const uint64_t id = hdr->tsi + 1, number = (uint64_t)hdr->sbn << 16 | hdr->esi;

	if (get(&r->probe.id) != id) {
		if (is_welcome(r, from))
			begin(r, id, payload, len);
		if (get(&r->probe.id) != id)
			return;
	}
	if (get(&l->probe.id) != id) {
		set(&l->probe.seen, 0);
		set(&l->probe.next, 0);
		atomic_store_explicit(&l->probe.id, id, memory_order_release);
	}
	set(&l->probe.seen, get(&l->probe.seen) + 1);
	if (number >= get(&l->probe.next))
		set(&l->probe.next, number + 1);
}

static void sum(const struct pw_recv *r, struct pw_recv_probe *probe)
{
	uint32_t i;

	for (i = 0; i < r->n_lanes; i++) {
		const struct pw_probe_lane *l = &r->lanes[i].probe;

		if (atomic_load_explicit(&l->id, memory_order_acquire) != probe->id)
			continue;
		probe->seen += get(&l->seen);
		probe->expected = pw_max_u64(probe->expected, get(&l->next));
	}
	probe->seen = pw_min_u64(probe->seen, probe->expected); /* packets may come twice */
}

bool pw_recv_probe(struct pw_recv *r, uint64_t now_ns, struct pw_recv_probe *probe)
{
	struct pw_probe *p = &r->probe;
	bool is_answered = false;

	*probe = (struct pw_recv_probe){.id = get(&p->id)};
	if (!probe->id)
		return false;
	pthread_mutex_lock(&r->lock);
	memcpy(probe->url, p->url, sizeof(probe->url));
	sum(r, probe);
	if (probe->seen != p->seen) {
		p->seen = probe->seen;
		p->seen_ns = now_ns;
	}
	if (now_ns > p->seen_ns + SILENT_NS)
		set(&p->id, 0);
	else /* of one that does not end, the rest is dropped */
		is_answered = now_ns < p->start_ns + MAX_NS;
	pthread_mutex_unlock(&r->lock);
	return is_answered;
}
