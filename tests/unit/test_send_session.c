/* SPDX-License-Identifier: BSD-3-Clause */
/* The sender's session on paths in memory that keep packets for a while: streamed files and mapped ones,
 * one lane and several. */
#include <pthread.h>
#include <stdatomic.h>

#include "file/filereader.h"
#include "recv_util.h"
#include "send/send.h"
#include "wire/alc.h"

#define KEEPS  300 /* packets; less than the ring, more than a slot */
#define SYMBOL 1440u

/* What the path has taken: a window's bytes may only change once its packets are let go. */
struct kept {
	struct pw_window *win;
	const uint8_t *data;
	uint64_t offset;
	uint32_t len;
	uint64_t toi;
};

struct path {
	struct pw_tx_counters c;
	struct kept ring[KEEPS];
	unsigned int first, n;
	struct source *sources;
	char log[4096];
	char fdts[1 << 20];
	uint64_t holds_ns; /* it lets go so long after the first time that it is asked */
	uint64_t asked_ns;
	uint64_t n_attached;
	bool is_full; /* it takes no tables */
	atomic_uint n_bursts;
	struct path *after;    /* it takes symbols once that one has taken some */
	unsigned int sleep_us; /* in its first burst */
	bool keeps_first;      /* it keeps its first packet to the end, and no other */
};

#define MAX_LANES 3

static struct path paths[MAX_LANES];
static void *const path_handles[MAX_LANES] = {&paths[0], &paths[1], &paths[2]};
static atomic_bool said; /* something was logged */
static char dir[64];

static void let_go(struct path *p)
{
	const struct kept *k = &p->ring[p->first];

	if (k->win)
		assert_memory_equal(k->data, p->sources[k->toi - 1].data + k->offset, k->len);
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

static uint16_t path_send(void *ctx, const struct pw_tx_burst *b)
{
	struct path *p = ctx;
	const struct pw_window *win = b->obj->win;
	uint16_t i;

	while (p->after && atomic_load(&p->after->n_bursts) == 0)
		usleep(100);
	if (atomic_fetch_add(&p->n_bursts, 1) == 0)
		usleep(p->sleep_us);
	for (i = 0; i < b->n; i++) {
		uint64_t at = b->offset + (uint64_t)i * SYMBOL;
		uint64_t len = b->obj->blocks.transfer_len - at;

		len = len < SYMBOL ? len : SYMBOL;
		assert_int_equal(win->n_extents, 1);
		assert_true(at >= win->extents[0].offset);
		assert_true(at + len <= win->extents[0].offset + win->extents[0].len_bytes);
		if (p->n == KEEPS)
			let_go(p);
		p->ring[(p->first + p->n++) % KEEPS] = (struct kept){b->obj->win,
			win->extents[0].va + (at - win->extents[0].offset), at, (uint32_t)len,
			b->obj->toi};
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

static uint16_t path_send_copy(
	void *ctx, const struct pw_frame_tmpl *tmpl, const void *payload, size_t len)
{
	struct path *p = ctx;

	(void)tmpl;
	if (p->is_full)
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
	(void)ctx;
	return true;
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

static struct pw_send_config config(struct pw_files *files)
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
		.stream_mem = {.alloc = give, .free = take_back},
		.log = &to_path,
	};

	return cfg;
}

static int run(const struct pw_send_config *cfg, struct pw_send_result *res, struct pw_err *err)
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

static void add_file(struct pw_files *f, struct source *s, const char *name)
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

static void bytes_stay_until_the_path_lets_go_and_digests_come_at_the_end(void **state)
{
	static const uint64_t sizes[] = {3000001, 0, 1, 64 * SYMBOL, 64 * SYMBOL + 1, 700000};
	enum { N = sizeof(sizes) / sizeof(sizes[0]) };
	struct source sources[N];
	struct pw_files files = {0};
	struct pw_send_config cfg = config(&files);
	struct pw_send_result res;
	struct pw_err err = {0};
	char text[PW_DIGEST_TEXT_MAX];
	unsigned int i;

	(void)state;
	paths[0] = (struct path){.sources = sources};
	for (i = 0; i < N; i++) {
		char name[16];

		snprintf(name, sizeof(name), "f%u", i);
		sources[i] = source_make(i + 1, name, sizes[i], SYMBOL, PW_DIGEST_XXH3_128);
		add_file(&files, &sources[i], name);
	}
	cfg.set.loops = 2;
	assert_int_equal(run(&cfg, &res, &err), 0);
	assert_int_equal(paths[0].c.payload_bytes, 2 * files.total_bytes);
	assert_int_equal(paths[0].n_attached, 9);
	assert_non_null(strstr(paths[0].fdts, "later"));
	for (i = 0; i < N; i++) {
		pw_digest_format(text, sizeof(text), &sources[i].f.digest);
		assert_non_null(strstr(paths[0].fdts, text));
		assert_memory_equal(files.v[i].digest.bytes, sources[i].f.digest.bytes, 16);
		source_drop(&sources[i]);
	}
	pw_files_finish(&files);
}

/* Mapped files are large here, so that their digests are computed while they are sent. */
static int open_mapped_or_streamed(
	void *ctx, struct pw_window *w, const char *name, struct pw_err *err)
{
	const char *last = strrchr(name, '/');

	(void)ctx;
	return last[1] == 'm' ? pw_pagecache_open(w, name, NULL, err)
			      : pw_stream_file_open(w, name, err);
}

static unsigned int n_instances(const char *fdts)
{
	unsigned int n = 0;

	while ((fdts = strstr(fdts, "<FDT-Instance"))) {
		fdts++;
		n++;
	}
	return n;
}

static void lanes_share_every_kind_of_file(void **state)
{
	static const char *const names[] = {"m0", "s1", "m2", "s3", "s4"};
	static const uint64_t sizes[] = {9000001, 12000000, 5, 0, 64 * SYMBOL + 1};
	enum { N = sizeof(sizes) / sizeof(sizes[0]) };
	struct source sources[N];
	struct pw_files files = {0};
	struct pw_send_config cfg = config(&files);
	struct pw_send_result res;
	struct pw_err err = {0};
	char text[PW_DIGEST_TEXT_MAX];
	uint64_t sum = 0;
	unsigned int i;

	(void)state;
	for (i = 0; i < MAX_LANES; i++)
		paths[i] = (struct path){.sources = sources};
	for (i = 0; i < N; i++) {
		sources[i] = source_make(i + 1, names[i], sizes[i], SYMBOL, PW_DIGEST_XXH3_128);
		add_file(&files, &sources[i], names[i]);
	}
	cfg.open_window = open_mapped_or_streamed;
	cfg.n_paths = MAX_LANES;
	cfg.digest_first_bytes = 100;
	cfg.stream.n_slots = 9 * MAX_LANES;
	cfg.set.loops = 2;
	assert_int_equal(run(&cfg, &res, &err), 0);
	for (i = 0; i < MAX_LANES; i++) {
		assert_true(paths[i].c.payload_bytes > 0);
		sum += paths[i].c.payload_bytes;
		assert_true(n_instances(paths[i].fdts) >= 2); /* at the start of each pass */
	}
	assert_int_equal(sum, 2 * files.total_bytes);
	/* a pass: at the start, at one third, at two thirds, at the end; late digests thrice */
	assert_true(n_instances(paths[0].fdts) >= 9);
	for (i = 0; i < N; i++) {
		pw_digest_format(text, sizeof(text), &sources[i].f.digest);
		assert_non_null(strstr(paths[0].fdts, text));
		source_drop(&sources[i]);
	}
	pw_files_finish(&files);
}

/* More files than one table names: each table is repeated at the end. */
static void all_tables_are_sent_again_at_the_end(void **state)
{
	enum { N = 2 * PW_SEND_GROUP + 1 };
	static struct source sources[N];
	struct pw_files files = {0};
	struct pw_send_config cfg = config(&files);
	struct pw_send_result res;
	struct pw_err err = {0};
	const char *at;
	unsigned int i, n;

	(void)state;
	paths[0] = (struct path){.sources = sources};
	for (i = 0; i < N; i++) {
		char name[16];

		snprintf(name, sizeof(name), "m%03u", i);
		sources[i] = source_make(i + 1, name, 3, SYMBOL, PW_DIGEST_XXH3_128);
		add_file(&files, &sources[i], name);
	}
	cfg.open_window = open_mapped_or_streamed;
	cfg.digest_first_bytes = PW_SEND_DIGEST_FIRST;
	assert_int_equal(run(&cfg, &res, &err), 0);
	/* start, two within, end, and once with all others */
	for (i = 0; i < N; i += PW_SEND_GROUP) {
		char name[32];

		snprintf(name, sizeof(name), "Content-Location=\"m%03u\"", i);
		for (n = 0, at = paths[0].fdts; (at = strstr(at, name)); at++)
			n++;
		assert_true(n >= 5);
		snprintf(name, sizeof(name), "m%03u", i);
	}
	for (i = 0; i < N; i++)
		source_drop(&sources[i]);
	pw_files_finish(&files);
}

static uint64_t asked;

static bool stop_soon(void)
{
	return ++asked > 3;
}

static void a_signal_ends_it_in_the_middle(void **state)
{
	struct source s = source_make(1, "cut", 30000000, SYMBOL, PW_DIGEST_NONE);
	struct pw_files files = {0};
	struct pw_send_config cfg = config(&files);
	struct pw_send_result res;
	struct pw_err err = {0};

	(void)state;
	paths[0] = (struct path){.sources = &s};
	add_file(&files, &s, "cut");
	cfg.stopped = stop_soon;
	cfg.set.rate = (struct pw_rate){.unit = PW_RATE_PPS, .value = 20000};
	assert_int_equal(run(&cfg, &res, &err), 0);
	assert_true(res.interrupted);
	assert_true(paths[0].c.payload_bytes < 30000000);
	source_drop(&s);
	pw_files_finish(&files);
}

/* A file whose bytes come through a pipe: the disk that answers late, or with an end. */
static int pipe_fds[2];

static int open_pipe(void *ctx, struct pw_window *w, const char *name, struct pw_err *err)
{
	struct pw_filereader *in = calloc(1, sizeof(*in));

	(void)ctx;
	(void)err;
	*in = (struct pw_filereader){.fd = pipe_fds[0], .len_bytes = 50000, .path = name};
	*w = (struct pw_window){.pages = PW_PAGES_STREAM,
		.len_bytes = 50000,
		.page_bytes = 4096,
		.fd = pipe_fds[0],
		.priv = in};
	return 0;
}

static void *answer_late(void *arg)
{
	const struct source *s = arg;

	while (!atomic_load(&said))
		usleep(1000);
	assert_int_equal(write(pipe_fds[1], s->data, 50000), 50000);
	return NULL;
}

static void a_disk_that_says_nothing_is_reported_with_the_file(void **state)
{
	struct source s = source_make(1, "slow.img", 50000, SYMBOL, PW_DIGEST_NONE);
	struct pw_files files = {0};
	struct pw_send_config cfg = config(&files);
	struct pw_send_result res;
	struct pw_err err = {0};
	pthread_t thread;

	(void)state;
	paths[0] = (struct path){.sources = &s};
	add_file(&files, &s, "slow.img");
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	cfg.open_window = open_pipe;
	cfg.read_patience_ns = 20000000;
	assert_int_equal(pthread_create(&thread, NULL, answer_late, &s), 0);
	assert_int_equal(run(&cfg, &res, &err), -ESTALE); /* a pipe has no time of its own */
	assert_non_null(strstr(paths[0].log, "slow.img at byte 0: the disk has not answered"));
	assert_int_equal(paths[0].c.payload_bytes, 50000);
	assert_true(res.read_cycles > 0);
	pthread_join(thread, NULL);
	close(pipe_fds[1]);
	source_drop(&s);
	pw_files_finish(&files);
}

static int open_bad(void *ctx, struct pw_window *w, const char *name, struct pw_err *err)
{
	int r = open_pipe(ctx, w, name, err);

	/* nothing is mapped at address 0: reading there fails as a bad disk does */
	w->fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	((struct pw_filereader *)w->priv)->fd = w->fd;
	return r;
}

static void a_read_error_ends_the_session_with_its_place(void **state)
{
	struct source s = source_make(1, "bad.img", 50000, SYMBOL, PW_DIGEST_NONE);
	struct pw_files files = {0};
	struct pw_send_config cfg = config(&files);
	struct pw_send_result res;
	struct pw_err err = {0};

	(void)state;
	paths[0] = (struct path){.sources = &s};
	add_file(&files, &s, "bad.img");
	cfg.open_window = open_bad;
	assert_int_equal(run(&cfg, &res, &err), -EIO);
	assert_non_null(strstr(err.msg, "bad.img at byte 0"));
	source_drop(&s);
	pw_files_finish(&files);
}

/* Files of one packet each: the path keeps more packets than the ring has slots. */
static void a_path_that_frees_lazily_gets_packets_that_make_it_free(void **state)
{
	enum { N = PW_SEND_GROUP + 2 }; /* the last group is empty */
	static struct source sources[N];
	struct pw_files files = {0};
	struct pw_send_config cfg = config(&files);
	struct pw_send_result res;
	struct pw_err err = {0};
	unsigned int i;

	(void)state;
	paths[0] = (struct path){.sources = sources};
	for (i = 0; i < N; i++) {
		char name[16];

		snprintf(name, sizeof(name), "tiny%u", i);
		sources[i] = source_make(i + 1, name, i < 30 ? 100 : 0, SYMBOL, PW_DIGEST_XXH3_128);
		add_file(&files, &sources[i], name);
	}
	assert_int_equal(run(&cfg, &res, &err), 0);
	assert_int_equal(paths[0].c.payload_bytes, files.total_bytes);
	for (i = 0; i < N; i++)
		source_drop(&sources[i]);
	pw_files_finish(&files);
}

/* The reader fills the ring in the lead, and then waits for a slot longer than a stuck port may take. */
static void a_long_lead_and_a_low_rate_are_no_stuck_port(void **state)
{
	struct source s = source_make(1, "slow.img", 12 * 64 * SYMBOL, SYMBOL, PW_DIGEST_NONE);
	struct pw_files files = {0};
	struct pw_send_config cfg = config(&files);
	struct pw_send_result res;
	struct pw_err err = {0};

	(void)state;
	paths[0] = (struct path){.sources = &s};
	add_file(&files, &s, "slow.img");
	cfg.read_patience_ns = 10000000;
	cfg.set.lead_ns = 200000000;
	cfg.set.rate = (struct pw_rate){.unit = PW_RATE_PPS, .value = 600};
	assert_int_equal(run(&cfg, &res, &err), 0);
	assert_int_equal(paths[0].c.payload_bytes, files.total_bytes);
	source_drop(&s);
	pw_files_finish(&files);
}

/* Lane 0 has sent all it can get, and lane 1 takes its time: the table is still repeated. */
static void tables_go_while_only_another_lane_sends(void **state)
{
	struct source s = source_make(1, "m.img", 500 * SYMBOL, SYMBOL, PW_DIGEST_NONE);
	struct pw_files files = {0};
	struct pw_send_config cfg = config(&files);
	struct pw_send_result res;
	struct pw_err err = {0};

	(void)state;
	paths[0] = (struct path){.sources = &s, .after = &paths[1]};
	paths[1] = (struct path){.sources = &s, .sleep_us = 400000};
	add_file(&files, &s, "m.img");
	cfg.n_paths = 2;
	cfg.open_window = open_mapped_or_streamed;
	cfg.set.digest = PW_DIGEST_NONE;
	cfg.set.fdt_interval_ns = 20000000;
	assert_int_equal(run(&cfg, &res, &err), 0);
	assert_true(n_instances(paths[0].fdts) >= 12);
	source_drop(&s);
	pw_files_finish(&files);
}

static unsigned int n_open_windows, most_open_windows;

static void count_closed(struct pw_window *w)
{
	(void)w;
	n_open_windows--;
}

static int open_counted(void *ctx, struct pw_window *w, const char *name, struct pw_err *err)
{
	int r = open_mapped_or_streamed(ctx, w, name, err);

	w->release = count_closed;
	if (++n_open_windows > most_open_windows)
		most_open_windows = n_open_windows;
	return r;
}

/* One packet that stays with a lane that has no more work keeps one window open, not all later ones. */
static void an_old_packet_keeps_only_its_own_file_open(void **state)
{
	enum { N = 12 * PW_SEND_GROUP };
	static struct source sources[N];
	struct pw_files files = {0};
	struct pw_send_config cfg = config(&files);
	struct pw_send_result res;
	struct pw_err err = {0};
	unsigned int i;

	(void)state;
	paths[0] = (struct path){.sources = sources, .after = &paths[1]};
	paths[1] = (struct path){.sources = sources, .keeps_first = true};
	for (i = 0; i < N; i++) {
		char name[16];

		snprintf(name, sizeof(name), "m%03u", i);
		sources[i] = source_make(i + 1, name, 3, SYMBOL, PW_DIGEST_XXH3_128);
		add_file(&files, &sources[i], name);
	}
	cfg.n_paths = 2;
	cfg.open_window = open_counted;
	cfg.digest_first_bytes = PW_SEND_DIGEST_FIRST;
	assert_int_equal(run(&cfg, &res, &err), 0);
	assert_int_equal(n_open_windows, 0);
	assert_true(most_open_windows <= KEEPS + 2 * PW_SEND_GROUP);
	for (i = 0; i < N; i++)
		source_drop(&sources[i]);
	pw_files_finish(&files);
}

/* Together the paths keep more than the ring has. */
static void lanes_share_a_small_ring(void **state)
{
	struct source s = source_make(1, "small.img", 41 * 64 * SYMBOL, SYMBOL, PW_DIGEST_NONE);
	struct pw_files files = {0};
	struct pw_send_config cfg = config(&files);
	struct pw_send_result res;
	struct pw_err err = {0};
	uint64_t sum = 0;
	unsigned int i;

	(void)state;
	for (i = 0; i < MAX_LANES; i++)
		paths[i] = (struct path){.sources = &s};
	add_file(&files, &s, "small.img");
	cfg.n_paths = MAX_LANES;
	cfg.set.loops = 3;
	assert_int_equal(run(&cfg, &res, &err), 0);
	for (i = 0; i < MAX_LANES; i++)
		sum += paths[i].c.payload_bytes;
	assert_int_equal(sum, 3 * files.total_bytes);
	source_drop(&s);
	pw_files_finish(&files);
}

/* A repair: what the manifest lists is sent, and the digests are those of the whole file. */
static void a_repair_sends_the_gaps_and_the_digests_of_the_whole_file(void **state)
{
	static const uint64_t sizes[] = {3000001, 3000001, 700000};
	static const char *const names[] = {"s-gap", "m-gap", "s-none"};
	enum { N = sizeof(sizes) / sizeof(sizes[0]) };
	struct pw_range missing[] = {{1000, 5000}, {4000, 4100}, {2999999, 3000001}};
	struct source sources[N];
	struct pw_gap_file gaps[N];
	struct pw_files files = {0};
	struct pw_send_config cfg = config(&files);
	struct pw_send_result res;
	struct pw_digest md5;
	struct pw_err err = {0};
	unsigned int i;

	(void)state;
	paths[0] = (struct path){.sources = sources};
	for (i = 0; i < N; i++) {
		sources[i] = source_make(i + 1, names[i], sizes[i], SYMBOL, PW_DIGEST_XXH3_128);
		add_file(&files, &sources[i], names[i]);
		gaps[i] = (struct pw_gap_file){.len_bytes = sizes[i],
			.digest = {.kind = PW_DIGEST_SHA256}, /* not the session's kind */
			.missing = missing,
			.n_missing = i < 2 ? 3 : 0};
		files.v[i].gap = &gaps[i];
	}
	cfg.open_window = open_mapped_or_streamed;
	cfg.set.md5 = true;
	assert_int_equal(run(&cfg, &res, &err), 0);
	/* symbols 0..3 and the last one of each */
	assert_int_equal(paths[0].c.payload_bytes, 2 * (4 * SYMBOL + 3000001 - 2083 * SYMBOL));
	for (i = 0; i < N; i++) {
		pw_digest_buffer(PW_DIGEST_MD5, sources[i].data, sizes[i], &md5, &err);
		assert_memory_equal(files.v[i].md5.bytes, md5.bytes, 16);
		assert_memory_equal(files.v[i].digest.bytes, sources[i].f.digest.bytes, 16);
		source_drop(&sources[i]);
	}
	pw_files_finish(&files);
}

/* Lane 1 takes nothing while the session's thread sends it the first table. */
static int run_with_a_full_lane(struct pw_send_config *cfg, struct source *s,
	struct pw_send_result *res, struct pw_err *err)
{
	uint64_t start = pw_clock_ns();
	int r;

	paths[0] = (struct path){.sources = s};
	paths[1] = (struct path){.sources = s, .is_full = true};
	cfg->n_paths = 2;
	cfg->stream.n_slots *= 2;
	r = run(cfg, res, err);
	assert_true(pw_clock_ns() - start < 10 * PW_NS_PER_S);
	return r;
}

static void a_signal_ends_it_while_a_lane_takes_no_table(void **state)
{
	struct source s = source_make(1, "full.img", 50000, SYMBOL, PW_DIGEST_NONE);
	struct pw_files files = {0};
	struct pw_send_config cfg = config(&files);
	struct pw_send_result res;
	struct pw_err err = {0};

	(void)state;
	add_file(&files, &s, "full.img");
	asked = 0;
	cfg.stopped = stop_soon;
	assert_int_equal(run_with_a_full_lane(&cfg, &s, &res, &err), 0);
	assert_true(res.interrupted);
	source_drop(&s);
	pw_files_finish(&files);
}

static void a_read_error_is_reported_while_a_lane_takes_no_table(void **state)
{
	struct source s = source_make(1, "full.img", 50000, SYMBOL, PW_DIGEST_NONE);
	struct pw_files files = {0};
	struct pw_send_config cfg = config(&files);
	struct pw_send_result res;
	struct pw_err err = {0};

	(void)state;
	add_file(&files, &s, "full.img");
	cfg.open_window = open_bad;
	assert_int_equal(run_with_a_full_lane(&cfg, &s, &res, &err), -EIO);
	assert_non_null(strstr(err.msg, "full.img at byte 0"));
	source_drop(&s);
	pw_files_finish(&files);
}

static void stop_holding(void *ctx, bool starts)
{
	if (!starts)
		((struct path *)ctx)->holds_ns = 0;
}

/* Such a path: its time ends when it has let go, or could have. */
static void a_path_that_holds_the_rate_is_waited_for(void **state)
{
	static const struct {
		uint64_t holds_ns, drain_ns, at_least_ns;
	} cases[] = {{30000000, UINT32_MAX, 30000000}, {UINT64_MAX, 20000000, 20000000}};
	struct source s = source_make(1, "held.img", 50000, SYMBOL, PW_DIGEST_NONE);
	struct pw_files files = {0};
	struct pw_send_config cfg = config(&files);
	struct pw_send_result res;
	struct pw_err err = {0};
	size_t i;

	(void)state;
	add_file(&files, &s, "held.img");
	cfg.stretch = stop_holding;
	cfg.stretch_ctx = &paths[0];
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		paths[0] = (struct path){.sources = &s, .holds_ns = cases[i].holds_ns};
		cfg.drain_ns = cases[i].drain_ns;
		assert_int_equal(run(&cfg, &res, &err), 0);
		assert_int_equal(paths[0].c.payload_bytes, 50000);
		assert_true(res.data_ns >= cases[i].at_least_ns);
		assert_true(res.pace_cycles > 0);
	}
	source_drop(&s);
	pw_files_finish(&files);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_stay_until_the_path_lets_go_and_digests_come_at_the_end),
		cmocka_unit_test(lanes_share_every_kind_of_file),
		cmocka_unit_test(all_tables_are_sent_again_at_the_end),
		cmocka_unit_test(a_signal_ends_it_in_the_middle),
		cmocka_unit_test(a_path_that_holds_the_rate_is_waited_for),
		cmocka_unit_test(a_disk_that_says_nothing_is_reported_with_the_file),
		cmocka_unit_test(a_read_error_ends_the_session_with_its_place),
		cmocka_unit_test(a_repair_sends_the_gaps_and_the_digests_of_the_whole_file),
		cmocka_unit_test(a_path_that_frees_lazily_gets_packets_that_make_it_free),
		cmocka_unit_test(a_long_lead_and_a_low_rate_are_no_stuck_port),
		cmocka_unit_test(lanes_share_a_small_ring),
		cmocka_unit_test(tables_go_while_only_another_lane_sends),
		cmocka_unit_test(an_old_packet_keeps_only_its_own_file_open),
		cmocka_unit_test(a_signal_ends_it_while_a_lane_takes_no_table),
		cmocka_unit_test(a_read_error_is_reported_while_a_lane_takes_no_table),
	};
	int failed;

	dir_make(dir, sizeof(dir));
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	dir_drop(dir);
	return failed;
}
