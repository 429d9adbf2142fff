/* SPDX-License-Identifier: BSD-3-Clause */
/* Builds the msghdr of a datagram, or of a train of them, from the symbols of a burst. */
#include "kernel/udpmsg.h"

#include <assert.h>
#include <netinet/in.h>
#include <netinet/udp.h>

void pw_udpmsg_init(struct pw_udpmsg *m, struct iovec *iov, uint8_t *headers)
{
	*m = (struct pw_udpmsg){.msg = {.msg_iov = iov}, .headers = headers};
}

/* Adds a symbol's bytes, extent by extent. Returns the number of iovecs; 0: more than room. */
static uint16_t put_symbol(struct iovec *iov, uint16_t room, const struct pw_symbol *sym)
{
	const struct pw_extent *extent = sym->extent;
	const uint8_t *va = sym->va;
	uint64_t left = sym->len, part;
	uint16_t n;

	for (n = 0; n < room; n++) {
		part = pw_min_u64(left, extent->len_bytes - (uint64_t)(va - extent->va));
		iov[n] = (struct iovec){(void *)(uintptr_t)va, part};
		left -= part;
		if (left == 0)
			return (uint16_t)(n + 1);
		va = (++extent)->va;
	}
	return 0;
}

/* An skb counts adjacent bytes of a (compound) page as one piece. */
static uint32_t count_pieces(const struct iovec *iov, uint16_t n, uint64_t page_bytes)
{
	uint32_t pieces = 0;
	uint16_t i;

	for (i = 0; i < n; i++) {
		uintptr_t first = (uintptr_t)iov[i].iov_base / page_bytes;
		uintptr_t last = ((uintptr_t)iov[i].iov_base + iov[i].iov_len - 1) / page_bytes;

		pieces += (uint32_t)(last - first) + 1;
	}
	return pieces;
}

static void set_segment(struct pw_udpmsg *m, uint16_t bytes)
{
	struct cmsghdr *c;

	m->msg.msg_control = m->n > 1 ? m->ctrl : NULL;
	m->msg.msg_controllen = m->n > 1 ? sizeof(m->ctrl) : 0;
	if (m->n == 1)
		return;
	c = CMSG_FIRSTHDR(&m->msg);
	c->cmsg_level = SOL_UDP;
	c->cmsg_type = UDP_SEGMENT;
	c->cmsg_len = CMSG_LEN(sizeof(bytes));
	memcpy(CMSG_DATA(c), &bytes, sizeof(bytes));
}

void pw_udpmsg_fill(struct pw_udpmsg *m, const struct pw_udpmsg_room *room, struct pw_symbols *walk,
	uint16_t left)
{
	const uint64_t win_page = walk->b->obj->win->page_bytes;
	const uint64_t page_bytes = win_page ? win_page : 4096;
	const uint16_t most = (uint16_t)pw_min_u64(left, room->datagrams);
	uint32_t bytes = 0, segment = 0, pieces = 0;
	struct pw_symbols next = *walk;
	uint16_t used = 0;

	for (m->n = 0; m->n < most; m->n++) {
		uint8_t *header = m->headers + (size_t)m->n * PW_ALC_HDR_MAX;
		struct iovec *iov = m->msg.msg_iov + used;
		struct pw_symbol sym;
		uint16_t len, k = 0;

		pw_symbols_next(&next, &sym);
		len = (uint16_t)(sym.tmpl->len - sym.tmpl->alc_off);
		if (room->iovs > used + 1)
			k = put_symbol(iov + 1, (uint16_t)(room->iovs - used - 1), &sym);
		assert(k || m->n);
		pieces += k ? 1 + count_pieces(iov + 1, k, page_bytes) : 0;
		if (k == 0 || (m->n && (pieces > room->pieces ||
					       bytes + len + sym.len > PW_UDPMSG_BYTES_MAX)))
			break;
		pw_udpmsg_header(header, sym.tmpl, sym.fec_id);
		iov[0] = (struct iovec){header, len};
		bytes += (uint32_t)len + sym.len;
		segment = m->n ? segment : bytes;
		used = (uint16_t)(used + 1 + k);
		m->pieces = (uint16_t)pieces;
		*walk = next;
	}
	m->msg.msg_iovlen = used;
	set_segment(m, (uint16_t)segment);
}
