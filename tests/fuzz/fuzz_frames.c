/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A frame of a capture: its headers, its flow, edits of them, and an Ethernet header in place of its own. The first byte
 * of the input selects the edits; the second is the first of the frame. What was right before an edit is right after it.
 * The whole input is also a cache file of tcpprep.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "wire/capture.h"
#include "wire/edit.h"
#include "wire/ethernet.h"
#include "wire/flow.h"
#include "wire/side.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct pw_edit_text edits[] = {
	{.map = "192.0.2.0/24:10.0.0.0/8,[fe80::/10]:[2001:db8::/32]"},
	{.map = "0.0.0.0/0:10.0.0.0/7,[::/0]:[8000::/1]", .vlan = "push:5"},
	{.ttl = "-1", .vlan = "pop"},
	{.ttl = "+9", .vlan = "77", .dst_mac = "02:00:00:00:00:01"},
	{.src_mac = "02:00:00:00:00:02"},
	{.map = "0.0.0.0/0:10.0.0.0/7,[::/0]:[8000::/1]", .ttl = "1", .vlan = "pop"},
};

/* RFC 1071 */
static uint32_t sum_of(const uint8_t *p, size_t len)
{
	uint32_t sum = 0;
	size_t i;

	for (i = 0; i < len; i++)
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum == 0xffff ? 0 : sum;
}

static void check_headers(const struct pw_headers *h, size_t size)
{
	assert(h->stop <= size && h->stop <= PW_HEADERS_LOOK);
	assert(h->n_tags <= PW_HEADERS_TAGS_MAX && h->l3 <= h->stop && h->l4 <= h->stop);
	assert(!h->family || h->l3 + (h->family == 4 ? 20 : 40) <= (int)PW_HEADERS_LOOK);
	assert(!h->l4 || (h->family && h->l4 > h->l3));
	assert(h->end != PW_HEADERS_WHOLE || h->family);
}

/* header[]: the edited one of a frame with headers h */
static void check_edited(const struct pw_headers *h, const uint8_t *data, const uint8_t *header,
	const struct pw_edit_result *r)
{
	const int shift = (int)r->header_len - r->replaced;
	struct pw_headers after;
	size_t len;

	assert(shift == 0 || shift == 4 || shift == -4);
	pw_headers_find(&after, header, r->header_len);
	if (h->n_tags == PW_HEADERS_TAGS_MAX || !h->family || after.family != h->family)
		return;
	assert(after.l3 == h->l3 + shift && after.type == h->type);
	if (h->family == 4) {
		len = (size_t)(data[h->l3] & 15) * 4;
		if (h->l3 + len > r->replaced)
			return;
		assert(sum_of(data + h->l3, len) == sum_of(header + after.l3, len));
	}
}

static void check_flow(const uint8_t *frame, size_t size)
{
	struct pw_flow_key key, again;

	pw_flow_key_of(&key, frame, size);
	pw_flow_key_of(&again, frame, size);
	assert(memcmp(key.addr[0], key.addr[1], 16) <= 0 && !memcmp(&key, &again, sizeof(key)));
	assert(key.proto || !(key.port[0] | key.port[1]));
	again.is_reversed = !key.is_reversed;
	assert(pw_flow_hash(&key) == pw_flow_hash(&again));
	assert(pw_flow_queue(pw_flow_hash(&key), 3) < 3);
}

static void check_cache(const uint8_t *bytes, size_t size)
{
	struct pw_side_cache cache;

	if (pw_side_cache_parse(&cache, "fuzz", bytes, size, NULL) || cache.n_frames == 0)
		return;
	assert(pw_side_by_cache(&cache, cache.n_frames - 1) <= PW_SIDE_NONE);
	assert(pw_side_by_cache(&cache, cache.n_frames) == PW_SIDE_NONE);
}

/* The same bytes behind other link headers. */
static void check_ethernet(const uint8_t *frame, size_t size)
{
	static const uint16_t links[] = {PW_LINK_NULL, PW_LINK_RAW_BSD, PW_LINK_RAW_OPENBSD,
		PW_LINK_RAW, PW_LINK_LOOP, PW_LINK_SLL, PW_LINK_IPV4, PW_LINK_IPV6, PW_LINK_SLL2};
	const struct pw_ethernet e = {{2, 0, 0, 0, 0, 2, 2}};
	uint8_t header[PW_HEADERS_LOOK];
	uint32_t len;
	size_t i;

	for (i = 0; i < PW_ARRAY_LEN(links); i++) {
		const int n = pw_ethernet_head(&e, links[i], frame, (uint32_t)size, header, &len);

		assert(pw_ethernet_replaces(links[i]));
		assert(n >= -1 && n <= (int)PW_ETHERNET_LINK_MAX && n <= (int)size);
		assert(n < 0 ||
			(pw_be16_load(header + 12) >= 0x600 && len == size - (size_t)n + 14));
	}
	assert(pw_ethernet_head(&e, PW_LINK_ETHERNET, frame, (uint32_t)size, header, &len) == -1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t header[PW_EDIT_HEADER_MAX], *frame;
	struct pw_edit_result r = {0};
	struct pw_headers h;
	struct pw_edit e;

	check_cache(data, size);
	if (size == 0 || pw_edit_parse(&e, &edits[data[0] % PW_ARRAY_LEN(edits)], NULL))
		return 0;
	size--;
	frame = malloc(size ? size : 1); /* so that a sanitizer sees a read beyond either end */
	assert(frame);
	memcpy(frame, data + 1, size);
	pw_headers_find(&h, frame, size);
	check_headers(&h, size);
	check_flow(frame, size);
	check_ethernet(frame, size);
	if (pw_edit_apply(&e, frame, size, header, &r) == PW_EDIT_DONE) {
		assert(r.replaced <= size && r.header_len <= PW_EDIT_HEADER_MAX &&
			r.header_len >= 14);
		check_edited(&h, frame, header, &r);
	}
	assert(!memcmp(frame, data + 1, size));
	free(frame);
	return 0;
}
