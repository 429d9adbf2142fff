/* SPDX-License-Identifier: BSD-3-Clause */
#include "send/tables.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "wire/fdt_cut.h"

#define LIFE_S        3600 /* Expires: an hour from now; a carousel builds a new instance at half time */
#define SIGNED_LIFE_S 60 /* so long a recorded table can be replayed */

static uint64_t microseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

void pw_send_tables_init(struct pw_send_tables *t, const struct pw_send_config *cfg)
{
	*t = (struct pw_send_tables){.cfg = cfg, .sequence = cfg->signer ? microseconds() : 0};
	/* stripes that share an address are one session to a receiver: they share no instance */
	if (pw_stripe_is_shared(&cfg->stripe))
		t->next_instance = cfg->stripe.index * (PW_FDT_INSTANCE_MAX / cfg->stripe.count);
}

static uint64_t life_s(const struct pw_send_tables *t)
{
	return t->cfg->signer ? SIGNED_LIFE_S : LIFE_S;
}

static uint64_t expires_ntp(const struct pw_send_tables *t)
{
	return pw_fdt_ntp((uint64_t)time(NULL) + life_s(t));
}

static uint32_t take_instance(struct pw_send_tables *t)
{
	const uint32_t instance = t->next_instance;

	t->next_instance = (instance + 1) & PW_FDT_INSTANCE_MAX;
	return instance;
}

static const struct pw_send_table *current(const struct pw_send_tables *t)
{
	return t->n ? &t->v[t->n - 1] : NULL;
}

static void drop(struct pw_send_tables *t, size_t i)
{
	t->kept_bytes -= t->v[i].len;
	free(t->v[i].text);
	memmove(&t->v[i], &t->v[i + 1], (t->n - i - 1) * sizeof(*t->v));
	t->n--;
}

/* Makes the table the last element, in place of the group's older one. The oldest tables are dropped. */
static int keep(struct pw_send_tables *t, const struct pw_send_table *table, struct pw_err *err)
{
	size_t i;

	for (i = 0; i < t->n; i++)
		if (t->v[i].first_file == table->first_file) {
			drop(t, i);
			break;
		}
	while (t->n && t->kept_bytes + table->len > PW_TABLES_KEPT_BYTES)
		drop(t, 0);
	if (t->n == t->room) {
		size_t room = t->room ? 2 * t->room : 16;
		struct pw_send_table *v = reallocarray(t->v, room, sizeof(*v));

		if (!v)
			return pw_err_set(err, ENOMEM, "cannot keep a file table: out of memory");
		t->v = v;
		t->room = room;
	}
	t->v[t->n++] = *table;
	t->kept_bytes += table->len;
	return 0;
}

int pw_send_tables_build(struct pw_send_tables *t, struct pw_fdt_file *entries, size_t n,
	size_t first_file, bool last, struct pw_err *err)
{
	struct pw_fdt fdt = {
		.expires_ntp = expires_ntp(t),
		.complete = last,
		.n_session_files = t->cfg->files->n,
		.sequence = t->sequence,
		.repair_url = (char *)(uintptr_t)t->cfg->repair.url, /* it is not freed */
		.round = t->round,
		.asks = t->asks,
		.stripe = t->cfg->stripe,
		.files = entries,
		.n_files = n,
	};
	struct pw_send_table table = {
		.instance = take_instance(t),
		.built_ns = pw_clock_ns(),
		.first_file = first_file,
	};
	int r = pw_fdt_build(&fdt, &table.text, &table.len, err);

	if (r == 0 && t->cfg->signer)
		r = pw_signer_sign(t->cfg->signer, &table.text, &table.len, err);
	if (r == 0)
		r = keep(t, &table, err);
	if (r)
		free(table.text);
	return r;
}

static bool is_old(
	const struct pw_send_tables *t, const struct pw_send_table *table, uint64_t now_ns)
{
	return now_ns - table->built_ns > life_s(t) / 2 * PW_NS_PER_S;
}

bool pw_send_tables_is_old(const struct pw_send_tables *t, uint64_t now_ns)
{
	const struct pw_send_table *table = current(t);

	return table && is_old(t, table, now_ns);
}

/* The same files in a new instance, which expires later. */
static int renew(struct pw_send_tables *t, struct pw_send_table *table, struct pw_err *err)
{
	size_t len = table->len - (t->cfg->signer ? PW_SIGNATURE_LEN : 0);

	if (pw_fdt_renew(table->text, len, expires_ntp(t)))
		return pw_err_set(err, EINVAL, "cannot renew a file table: its time has no place");
	table->instance = take_instance(t);
	table->built_ns = pw_clock_ns();
	return t->cfg->signer ? pw_signer_sign(t->cfg->signer, &table->text, &len, err) : 0;
}

/* The flow of the lane's packets. */
static struct pw_flow lane_flow(const struct pw_send_config *cfg, const struct pw_send_lane *lane)
{
	struct pw_flow flow = cfg->flow;

	flow.src.port = lane->src_port;
	return flow;
}

static struct pw_alc_hdr header(
	const struct pw_send_tables *t, const struct pw_send_table *table, bool close_session)
{
	return (struct pw_alc_hdr){
		.tsi = t->cfg->tsi,
		.close_session = close_session,
		.fdt_version = (uint8_t)t->cfg->set.flute_version,
		.fdt_instance = table->instance,
	};
}

/* Cut by the MTU, because --symbol may be tiny. */
static uint32_t symbol_len(const struct pw_send_tables *t)
{
	const struct pw_send_config *cfg = t->cfg;
	size_t overhead =
		pw_frame_l3_overhead(&cfg->flow) + pw_fdt_cut_alc_len(pw_send_is_wide(cfg));

	return cfg->mtu > overhead ? (uint32_t)(cfg->mtu - overhead) & ~3u : 0;
}

static int send_packets(const struct pw_send_tables *t, const struct pw_send_table *table,
	struct pw_send_lane *lane, bool close_session, uint64_t n_max, struct pw_err *err)
{
	const struct pw_flow flow = lane_flow(t->cfg, lane);
	const struct pw_alc_hdr hdr = header(t, table, close_session);
	struct pw_frame_tmpl tmpl;
	struct pw_fdt_packet p;
	struct pw_fdt_cut cut;
	int r = pw_fdt_cut_init(
		&cut, &hdr, pw_send_is_wide(t->cfg), table->text, table->len, symbol_len(t), err);

	while (r == 0 && cut.next < n_max && pw_fdt_cut_next(&cut, &p)) {
		pw_frame_template(
			&tmpl, &flow, p.alc, p.alc_len, (uint16_t)p.len, t->cfg->csum_offload);
		r = pw_lane_control(lane, &tmpl, p.payload, p.len, err);
	}
	return r;
}

int pw_send_tables_send(
	const struct pw_send_tables *t, struct pw_send_lane *lane, struct pw_err *err)
{
	return t->n ? send_packets(t, current(t), lane, false, UINT64_MAX, err) : 0;
}

int pw_send_tables_send_all(struct pw_send_tables *t, struct pw_send_lane *lane, struct pw_err *err)
{
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < t->n; i++) {
		r = pw_lane_await_rate(lane, err);
		if (r == 0 && is_old(t, &t->v[i], pw_clock_ns()))
			r = renew(t, &t->v[i], err);
		if (r == 0)
			r = send_packets(t, &t->v[i], lane, false, UINT64_MAX, err);
	}
	return r;
}

int pw_send_tables_send_close(
	const struct pw_send_tables *t, struct pw_send_lane *lane, bool whole, struct pw_err *err)
{
	return t->n ? send_packets(t, current(t), lane, true, whole ? UINT64_MAX : 1, err) : 0;
}

void pw_send_tables_alive(const struct pw_send_config *cfg, struct pw_send_lane *lane)
{
	const struct pw_flow flow = lane_flow(cfg, lane);
	struct pw_alc_hdr hdr = {
		.tsi = cfg->tsi, .toi = PW_FDT_TOI, .codepoint = PW_FEC_ID_NO_CODE};
	uint8_t alc[PW_ALC_HDR_MAX];
	struct pw_frame_tmpl tmpl;

	pw_frame_template(&tmpl, &flow, alc, pw_alc_build(alc, &hdr, pw_send_is_wide(cfg)), 0,
		cfg->csum_offload);
	if (lane->ops->send_copy(lane->path, &tmpl, "", 0) && lane->pace.on)
		pw_pace_sent(&lane->pace, tmpl.len, 1);
}

void pw_send_tables_finish(struct pw_send_tables *t)
{
	while (t->n)
		drop(t, t->n - 1);
	free(t->v);
	*t = (struct pw_send_tables){0};
}
