/* SPDX-License-Identifier: BSD-3-Clause */
/* Paths in memory for the tests of the session: what they take they keep, and compare when they let it go. */
#include "send_path.h"

#include "file/filereader.h"

struct path paths[MAX_LANES];
atomic_bool said;
char dir[64];

static void *const path_handles[MAX_LANES] = {&paths[0], &paths[1], &paths[2]};

static void let_go(struct path *p)
{
	const struct kept *k = &p->ring[p->first];

	if (k->win)
		assert_memory_equal(k->data, k->want, k->len);
	if (k->win)
		k->win->n_out--;
	p->first = (p->first + 1) % KEEPS;
	p->n--;
}

static int path_attach(void *ctx, struct pw_tx_object *obj, struct pw_err *err)
{
	struct path *p = ctx;

	(void)err;
	p->n_attached += obj->win->pages == PW_PAGES_STREAM;
	return 0;
}

static int path_detach(void *ctx, struct pw_tx_object *obj)
{
	(void)ctx;
	return obj->win->n_out ? -EBUSY : 0;
}

/* No symbol of these windows crosses extents. */
static const uint8_t *symbol_at(const struct pw_window *win, uint64_t at, uint64_t len)
{
	uint32_t i = 0;

	while (i + 1 < win->n_extents && win->extents[i + 1].offset <= at)
		i++;
	assert_true(at >= win->extents[i].offset);
	assert_true(at + len <= win->extents[i].offset + win->extents[i].len_bytes);
	return win->extents[i].va + (at - win->extents[i].offset);
}

/* Where the symbol's bytes are, as the receiver must get them. */
static const uint8_t *wanted(struct path *p, const struct pw_tx_burst *b, uint16_t i)
{
	const struct pw_tx_object *obj = b->obj;
	const struct source *s = &p->sources[obj->toi - 1];
	struct expected *e = p->expected ? &p->expected[obj->toi - 1] : NULL;
	const uint64_t at = b->offset / SYMBOL + i;
	uint32_t sbn, esi;
	bool is_file;

	if (!e)
		return s->data + at * SYMBOL;
	pw_blocks_locate(&obj->blocks, at, &sbn, &esi);
	is_file = (b->payload_id & 0xff) < pw_blocks_block_len(&e->source, sbn);
	esi += is_file ? 0 : pw_blocks_block_len(&e->source, sbn);
	assert_int_equal(b->payload_id + i, sbn << 8 | esi);
	atomic_fetch_add(&e->n_sent[is_file ? at : e->source.n_symbols + at], 1);
	return (is_file ? s->data : e->parity) + at * SYMBOL;
}

static uint16_t path_send(void *ctx, const struct pw_tx_burst *b)
{
	struct path *p = ctx;
	uint16_t i;

	while (p->after && atomic_load(&p->after->n_bursts) == 0)
		usleep(100);
	if (atomic_fetch_add(&p->n_bursts, 1) == 0)
		usleep(p->sleep_us);
	for (i = 0; i < b->n; i++) {
		uint64_t at = b->offset + (uint64_t)i * SYMBOL;
		uint64_t len = b->obj->blocks.transfer_len - at;

		len = len < SYMBOL ? len : SYMBOL;
		if (p->n == KEEPS)
			let_go(p);
		p->ring[(p->first + p->n++) % KEEPS] = (struct kept){b->obj->win,
			symbol_at(b->obj->win, at, len), wanted(p, b, i), (uint32_t)len};
		b->obj->win->n_out++;
		p->c.packets++;
		p->c.payload_bytes += len;
		if (p->keeps_first && p->c.packets > 1) {
			p->n--;
			b->obj->win->n_out--;
		}
	}
	return b->n;
}

static bool has_left(const struct path *p)
{
	return p->leaves_after && p->c.payload_bytes >= p->leaves_after;
}

static uint16_t path_send_copy(
	void *ctx, const struct pw_frame_tmpl *tmpl, const void *payload, size_t len)
{
	struct path *p = ctx;

	(void)tmpl;
	if (p->is_full || has_left(p))
		return 0;
	if (p->n == KEEPS)
		let_go(p);
	if (!p->keeps_first)
		p->ring[(p->first + p->n++) % KEEPS] = (struct kept){0};
	if (strlen(p->fdts) + len < sizeof(p->fdts))
		strncat(p->fdts, payload, len);
	return 1;
}

static void path_reap(void *ctx)
{
	(void)ctx;
}

static bool path_alive(void *ctx)
{
	return !has_left(ctx);
}

static uint32_t path_outstanding(void *ctx)
{
	struct path *p = ctx;

	if (p->asked_ns == 0)
		p->asked_ns = pw_clock_ns();
	if (pw_clock_ns() - p->asked_ns < p->holds_ns)
		return p->n;
	while (p->n)
		let_go(p);
	return 0;
}

static const struct pw_tx_counters *path_counters(void *ctx)
{
	return &((struct path *)ctx)->c;
}

static const struct pw_tx_ops ops = {
	.name = "memory",
	.polls = true,
	.attach = path_attach,
	.detach = path_detach,
	.send = path_send,
	.send_copy = path_send_copy,
	.reap = path_reap,
	.alive = path_alive,
	.outstanding = path_outstanding,
	.counters = path_counters,
};

static int open_window(void *ctx, struct pw_window *w, const char *name, struct pw_err *err)
{
	(void)ctx;
	return pw_stream_file_open(w, name, err);
}

static void *give(void *ctx, size_t len, size_t align)
{
	(void)ctx;
	return aligned_alloc(align, len);
}

static void take_back(void *ctx, void *p)
{
	(void)ctx;
	free(p);
}

static void write_log(void *ctx, enum pw_log_level level, const char *text)
{
	struct path *p = ctx;

	(void)level;
	strncat(p->log, text, sizeof(p->log) - strlen(p->log) - 1);
	atomic_store(&said, true);
}

static const struct pw_log to_path = {.level = PW_LOG_WARN, .sink = write_log, .ctx = &paths[0]};

struct pw_send_config config(struct pw_files *files)
{
	struct pw_send_config cfg = {
		.ops = &ops,
		.paths = path_handles,
		.n_paths = 1,
		.path_text = "memory",
		.files = files,
		.flow = {.dst = {.family = 4}, .src = {.family = 4}, .vlan = PW_VLAN_NONE},
		.mtu = 1500,
		.symbol_len = SYMBOL,
		.tsi = TSI,
		.set.digest = PW_DIGEST_XXH3_128,
		.set.loops = 1,
		.set.fdt_interval_ns = PW_NS_PER_S,
		.set.link_grace_ns = PW_NS_PER_S,
		.open_window = open_window,
		.stream = {.slot_bytes = 64 * SYMBOL, .n_slots = 9},
		.stage_mem = {.alloc = give, .free = take_back},
		.log = &to_path,
	};

	return cfg;
}

int run(const struct pw_send_config *cfg, struct pw_send_result *res, struct pw_err *err)
{
	struct pw_send *s;
	int r = pw_send_create(&s, cfg, err);

	assert_int_equal(r, 0);
	r = pw_send_run(s, res, err);
	for (uint32_t i = 0; i < cfg->n_paths; i++) {
		paths[i].holds_ns = 0;
		path_outstanding(&paths[i]); /* as a port that is stopped */
	}
	pw_send_destroy(s);
	if (r == -EPERM || r == -ENOSYS)
		skip();
	return r;
}

void add_file(struct pw_files *f, struct source *s, const char *name)
{
	struct pw_file *v = realloc(f->v, (f->n + 1) * sizeof(*v));
	FILE *out = fopen(in_dir(dir, name), "we");

	assert_true(v && out);
	assert_int_equal(fwrite(s->data, 1, s->f.transfer_len, out), s->f.transfer_len);
	assert_int_equal(fclose(out), 0);
	f->v = v;
	f->v[f->n++] = (struct pw_file){.path = strdup(in_dir(dir, name)),
		.name = strdup(name),
		.len_bytes = s->f.transfer_len};
	f->total_bytes += s->f.transfer_len;
}

/* Mapped files are large here, so that their digests are computed while they are sent. */
int open_mapped_or_streamed(void *ctx, struct pw_window *w, const char *name, struct pw_err *err)
{
	const char *last = strrchr(name, '/');

	(void)ctx;
	return last[1] == 'm' ? pw_pagecache_open(w, name, NULL, err)
			      : pw_stream_file_open(w, name, err);
}

unsigned int n_instances(const char *fdts)
{
	unsigned int n = 0;

	while ((fdts = strstr(fdts, "<FDT-Instance"))) {
		fdts++;
		n++;
	}
	return n;
}

uint64_t asked;

bool stop_soon(void)
{
	return ++asked > 3;
}

/* A file whose bytes come through a pipe: the disk that answers late, or with an end. */
int pipe_fds[2];

static void free_reader(struct pw_window *w)
{
	free(w->priv);
}

int open_pipe(void *ctx, struct pw_window *w, const char *name, struct pw_err *err)
{
	struct pw_filereader *in = calloc(1, sizeof(*in));

	(void)ctx;
	(void)err;
	*in = (struct pw_filereader){.fd = pipe_fds[0], .len_bytes = 50000, .path = name};
	*w = (struct pw_window){.pages = PW_PAGES_STREAM,
		.len_bytes = 50000,
		.page_bytes = 4096,
		.fd = pipe_fds[0],
		.priv = in,
		.release = free_reader};
	return 0;
}

int open_bad(void *ctx, struct pw_window *w, const char *name, struct pw_err *err)
{
	int r = open_pipe(ctx, w, name, err);

	/* nothing is mapped at address 0: reading there fails as a bad disk does */
	w->fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	((struct pw_filereader *)w->priv)->fd = w->fd;
	return r;
}
