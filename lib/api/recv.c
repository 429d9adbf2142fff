/* SPDX-License-Identifier: BSD-3-Clause */
/* libpagewire's receiver: opens a path, receives while the program polls, hands out ended files. */
#include <errno.h>
#include <inttypes.h>
#include <pagewire.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "dpdk/eal.h"
#include "dpdk/portspec.h"
#include "dpdk/rx.h"
#include "kernel/hostname.h"
#include "kernel/udprx.h"
#include "recv/loop.h"
#include "wire/alc.h"

#define SLICE_NS      20000000ull /* between two searches for ended files */
#define TIMEOUT_MS    30000
#define LINK_GRACE_NS (PW_NS_PER_S / 2)
#define MAX_QUEUES    64

struct pagewire_recv {
	struct pw_recv *recv;
	struct pw_recv_loop *loop; /* NULL: not open, or ended */
	void *path;
	char *path_text; /* for messages while it runs */
	bool by_port;
	bool is_over;
	int result; /* with is_over: of pw_recv_finish(), or the path's failure */
	bool *told; /* n_told_max: files that were handed out */
	size_t n_told_max;
	uint64_t n_told;
	size_t at; /* the search for the next file starts here */
	char digest[PW_DIGEST_TEXT_MAX];
	struct pw_err err;
};

static int check(const struct pagewire_recv_config *c, struct pw_err *err)
{
	if (!c->port && !c->listen)
		return pw_err_set(err, EINVAL,
			"cannot receive: neither port nor listen is set; set port, or listen for a "
			"kernel "
			"UDP socket");
	if (c->port && c->interface)
		return pw_err_set(err, EINVAL,
			"cannot receive: interface is for a kernel socket; leave it or port out");
	if (!c->port && c->queues > 1)
		return pw_err_set(err, EINVAL,
			"cannot receive by %u queues: a socket has one; set port, or leave queues "
			"out",
			c->queues);
	if (c->queues > MAX_QUEUES)
		return pw_err_set(err, EINVAL,
			"cannot receive by %u queues: the limit is %d; lower queues", c->queues,
			MAX_QUEUES);
	if (!c->out == !c->discard)
		return pw_err_set(err, EINVAL,
			"cannot receive: set either out or discard, not both or neither");
	if (c->discard && (c->resume || c->gaps))
		return pw_err_set(err, EINVAL,
			"cannot receive: discard writes nothing; leave out resume and gaps");
	return 0;
}

static uint64_t ms(uint32_t value, uint32_t otherwise)
{
	return (value ? value : otherwise) * 1000000ull;
}

static int create(
	struct pagewire_recv *r, const struct pagewire_recv_config *c, const struct pw_addr *source)
{
	const struct pw_recv_config cfg = {
		.source = *source,
		.out_dir = c->out,
		.gaps_path = c->gaps,
		.discard = c->discard,
		.force = c->force,
		.resume = c->resume,
		.require_digest = c->require_digest,
		.tsi_given = c->tsi != 0,
		.tsi = c->tsi,
		.expect_files = c->expect,
		.n_lanes = c->queues,
	};

	return pw_recv_create(&r->recv, &cfg, NULL, &r->err);
}

static int open_port(struct pagewire_recv *r, const struct pagewire_recv_config *c,
	const struct pw_addr *listen, const struct pw_addr *source)
{
	const struct pw_dpdk_config cfg = {
		.set = {.port = c->port,
			.mtu = c->mtu ? c->mtu : 1500,
			.cores = c->core,
			.no_huge = c->no_huge,
			.n_queues = (uint16_t)c->queues,
			.wait_ns = ms(c->wait_ms, 30000)},
		.listen = *listen,
		.source = *source,
		.keep_eal = true,
	};
	struct pw_dpdk_rx *rx;
	int ret = pw_dpdk_rx_open(&rx, &cfg, NULL, &r->err);

	if (ret == 0)
		r->path = rx;
	return ret;
}

static int open_socket(struct pagewire_recv *r, const struct pagewire_recv_config *c,
	const struct pw_addr *listen, const struct pw_addr *source)
{
	const struct pw_udprx_config cfg = {
		.listen = *listen, .source = *source, .interface = c->interface};
	struct pw_udprx *rx;
	int ret = pw_udprx_open(&rx, &cfg, NULL, &r->err);

	if (ret == 0)
		r->path = rx;
	return ret;
}

static int start_loop(struct pagewire_recv *r, const struct pagewire_recv_config *c)
{
	const struct pw_recv_loop_config cfg = {
		.recv = r->recv,
		.ops = r->by_port ? &pw_dpdk_rx_ops : &pw_udprx_ops,
		.path = r->path,
		.path_text = r->path_text,
		.sleeps = !r->by_port,
		.n_queues = c->queues ? c->queues : 1,
		.timeout_ns = c->timeout_ms == UINT32_MAX ? 0 : ms(c->timeout_ms, TIMEOUT_MS),
		.link_grace_ns = LINK_GRACE_NS,
		.waits_for_more = c->expect != 0,
	};

	return r->path_text ? pw_recv_loop_start(&r->loop, &cfg, &r->err)
			    : pw_err_sys(&r->err, ENOMEM, "cannot receive");
}

static int start(struct pagewire_recv *r, const struct pagewire_recv_config *c)
{
	struct pw_addr listen = {0}, source = {0};
	struct pw_portspec spec;
	int ret = check(c, &r->err);

	r->by_port = c->port != NULL;
	if (ret == 0)
		r->path_text = strdup(c->port ? c->port : c->listen);
	if (ret == 0 && c->port)
		ret = pw_portspec_parse(c->port, &spec, &r->err);
	if (ret == 0 && c->port)
		ret = pw_portspec_check(&spec, &r->err);
	if (ret == 0 && c->listen)
		ret = pw_addr_resolve("listen", c->listen, PW_ALC_PORT,
			c->source ? pw_addr_family(c->source) : 0, &listen, &r->err);
	if (ret == 0 && c->source)
		ret = pw_addr_resolve("source", c->source, 0, listen.family, &source, &r->err);
	if (ret)
		return ret;
	if (c->port)
		pw_dpdk_prefer_node(&spec);
	/* EAL pins this thread: create the receiver's other threads before. */
	ret = create(r, c, &source);
	if (ret == 0)
		ret = c->port ? open_port(r, c, &listen, &source)
			      : open_socket(r, c, &listen, &source);
	return ret ? ret : start_loop(r, c);
}

int pagewire_recv_open(struct pagewire_recv **out, const struct pagewire_recv_config *config)
{
	struct pagewire_recv *r = calloc(1, sizeof(*r));

	*out = r;
	if (!r)
		return -ENOMEM;
	r->result = start(r, config);
	r->is_over = r->result < 0;
	return r->result;
}

static void set_incomplete(struct pagewire_recv *r, enum pw_recv_end end)
{
	const char *gaps = pw_recv_gaps_written(r->recv);
	struct pw_recv_status st;

	pw_recv_status(r->recv, &st);
	pw_err_set(&r->err, EIO,
		"cannot complete the session: it ended (%s) with %" PRIu64 " good files of %" PRIu64
		"%s%s",
		pw_recv_end_name(end), st.n_good, st.n_files,
		gaps ? "; what is missing is in " : "", gaps ? gaps : "");
}

static void end_with(struct pagewire_recv *r, enum pw_recv_end end)
{
	struct pw_err path_err = r->err;

	pw_recv_loop_stop(r->loop, NULL);
	r->loop = NULL;
	r->is_over = true;
	r->result = pw_recv_finish(r->recv, &r->err);
	if (r->result == 0)
		r->err = (struct pw_err){0};
	if (r->result > 0)
		set_incomplete(r, end);
	if (end == PW_RECV_END_PATH && r->result >= 0) {
		r->err = path_err;
		r->result = -path_err.code;
	}
}

static void fill(struct pagewire_recv *r, const struct pw_recv_file_info *info,
	struct pagewire_recv_file *file)
{
	r->digest[0] = '\0';
	if (info->digest.kind != PW_DIGEST_NONE)
		pw_digest_format(r->digest, sizeof(r->digest), &info->digest);
	*file = (struct pagewire_recv_file){
		.name = info->name,
		.bytes = info->len_bytes,
		.have = info->have_bytes,
		.good = pw_recv_state_is_good(info->state),
		.state = pw_recv_file_state_name(info->state),
		.reason = info->reason,
		.digest = r->digest,
	};
}

static bool grow_told(struct pagewire_recv *r, size_t n)
{
	const size_t max = pw_max_u64(2 * r->n_told_max, n);
	bool *told;

	if (n <= r->n_told_max)
		return true;
	told = realloc(r->told, max * sizeof(*told));
	if (!told)
		return false;
	memset(told + r->n_told_max, 0, (max - r->n_told_max) * sizeof(*told));
	r->told = told;
	r->n_told_max = max;
	return true;
}

/* 1: *file has ended, or all is over and it is left; 0: there is none. */
static int next_file(struct pagewire_recv *r, struct pagewire_recv_file *file)
{
	struct pw_recv_file_info info;
	struct pw_recv_status st;
	size_t n, k, i;

	pw_recv_status(r->recv, &st);
	n = st.n_files;
	if (st.n_ended <= r->n_told && !r->is_over)
		return 0;
	if (!grow_told(r, n))
		return pw_err_sys(&r->err, ENOMEM, "cannot receive %zu files", n);
	for (k = 0; k < n && r->n_told < n; k++) {
		i = (r->at + k) % n;
		if (r->told[i])
			continue;
		pw_recv_file(r->recv, i, &info);
		if (!r->is_over && info.state < PW_RECV_COMPLETE)
			continue;
		r->told[i] = true;
		r->n_told++;
		r->at = i + 1;
		fill(r, &info, file);
		return 1;
	}
	return 0;
}

static void receive(struct pagewire_recv *r, uint64_t until_ns)
{
	enum pw_recv_end end = pw_recv_loop_run(r->loop, until_ns, &r->err);

	if (end != PW_RECV_END_NONE)
		end_with(r, end);
}

int pagewire_recv_poll(
	struct pagewire_recv *r, unsigned int timeout_ms, struct pagewire_recv_file *file)
{
	uint64_t now = pw_clock_ns();
	const uint64_t until = now + timeout_ms * 1000000ull;
	bool has_received = false;
	int ret;

	for (;;) {
		ret = r->recv ? next_file(r, file) : 0;
		if (ret)
			return ret;
		if (r->is_over)
			return r->result < 0 ? r->result : PAGEWIRE_RECV_END;
		if (has_received && now >= until)
			return 0;
		receive(r, pw_min_u64(until, now + SLICE_NS));
		has_received = true;
		now = pw_clock_ns();
	}
}

const char *pagewire_recv_error(const struct pagewire_recv *r)
{
	return r->err.msg;
}

int pagewire_recv_close(struct pagewire_recv *r)
{
	int result;

	if (!r)
		return -EINVAL;
	if (!r->is_over)
		end_with(r, PW_RECV_END_INTERRUPTED);
	result = r->result;
	pw_recv_destroy(r->recv);
	if (r->path && r->by_port)
		pw_dpdk_rx_close(r->path);
	else
		pw_udprx_close(r->path);
	free(r->told);
	free(r->path_text);
	free(r);
	return result;
}
