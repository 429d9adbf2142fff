/* SPDX-License-Identifier: BSD-3-Clause */
/* Statistics of a capture, in memory of a fixed size. */
#include "wire/capture_stats.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

#define N_SLOTS (PW_CAPTURE_STATS_FLOWS * 2u)
#define PROBES  64u /* slots that are looked at, whatever hashes come */
#define ETH_FCS 4u

static const struct {
	const char *name;
	uint32_t max; /* bytes with the check sequence */
} classes[PW_SIZE_N_CLASSES] = {
	[PW_SIZE_BELOW_64] = {"below 64", 63},
	[PW_SIZE_64] = {"64", 64},
	[PW_SIZE_65_127] = {"65-127", 127},
	[PW_SIZE_128_255] = {"128-255", 255},
	[PW_SIZE_256_511] = {"256-511", 511},
	[PW_SIZE_512_1023] = {"512-1023", 1023},
	[PW_SIZE_1024_1518] = {"1024-1518", 1518},
	[PW_SIZE_ABOVE_1518] = {"above 1518", UINT32_MAX},
};

const char *pw_size_class_name(enum pw_size_class c)
{
	return classes[c].name;
}

int pw_capture_stats_init(struct pw_capture_stats *s, struct pw_err *err)
{
	memset(s, 0, sizeof(*s));
	s->flows = calloc(N_SLOTS, sizeof(*s->flows));
	if (!s->flows)
		return pw_err_set(err, ENOMEM,
			"cannot count the capture's flows: no memory for their table; free %zu MiB",
			N_SLOTS * sizeof(*s->flows) >> 20);
	return 0;
}

void pw_capture_stats_finish(struct pw_capture_stats *s)
{
	free(s->flows);
	memset(s, 0, sizeof(*s));
}

static void add_size(struct pw_capture_stats *s, uint32_t full_len)
{
	const uint64_t len = (uint64_t)full_len + ETH_FCS;
	unsigned c = 0;

	while (c < PW_SIZE_ABOVE_1518 && len > classes[c].max)
		c++;
	s->n_by_size[c]++;
	if (s->n_frames == 1 || full_len < s->len_min)
		s->len_min = full_len;
	if (full_len > s->len_max)
		s->len_max = full_len;
}

static void add_flow(struct pw_capture_stats *s, uint64_t hash)
{
	uint64_t i;

	hash += hash == 0; /* 0 is an empty slot */
	for (i = 0; i < PROBES; i++) {
		uint64_t *slot = &s->flows[(hash + i) % N_SLOTS];

		if (*slot == hash)
			return;
		if (*slot)
			continue;
		if (s->n_flows == PW_CAPTURE_STATS_FLOWS)
			break;
		*slot = hash;
		s->n_flows++;
		return;
	}
	s->flows_more = true;
}

static void add_to_window(struct pw_capture_stats *s, int64_t time_ns, uint32_t full_len)
{
	const uint64_t since = (uint64_t)time_ns - (uint64_t)s->window.start_ns;

	/* since of a frame before the first one has wrapped, but latest_ns has not */
	if (time_ns == s->latest_ns && since / PW_CAPTURE_STATS_WINDOW_NS != s->window.index) {
		pw_capture_stats_end(s);
		s->window.index = since / PW_CAPTURE_STATS_WINDOW_NS;
		s->window.bytes = s->window.frames = 0;
	}
	s->window.bytes += full_len;
	s->window.frames++;
}

static void add_time(struct pw_capture_stats *s, int64_t time_ns, uint32_t full_len)
{
	if (s->n_timed++ == 0)
		s->earliest_ns = s->latest_ns = s->window.start_ns = time_ns;
	if (time_ns < s->latest_ns) {
		s->n_backwards++;
		s->backwards_max_ns =
			pw_max_u64(s->backwards_max_ns, (uint64_t)s->latest_ns - (uint64_t)time_ns);
	} else {
		s->latest_ns = time_ns;
	}
	if (time_ns < s->earliest_ns)
		s->earliest_ns = time_ns;
	add_to_window(s, time_ns, full_len);
}

void pw_capture_stats_add(struct pw_capture_stats *s, const struct pw_capture_seen *frame)
{
	s->n_frames++;
	s->n_bytes += frame->len;
	s->n_wire_bytes += frame->full_len;
	s->n_cut += frame->full_len > frame->len;
	add_size(s, frame->full_len);
	if (frame->has_flow)
		add_flow(s, frame->flow_hash);
	if (frame->has_time)
		add_time(s, frame->time_ns, frame->full_len);
}

void pw_capture_stats_end(struct pw_capture_stats *s)
{
	s->peak_bytes = pw_max_u64(s->peak_bytes, s->window.bytes);
	s->peak_frames = pw_max_u64(s->peak_frames, s->window.frames);
}
