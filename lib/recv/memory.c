/* SPDX-License-Identifier: BSD-3-Clause */
#include "recv/memory.h"

#include <errno.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "recv/recv_private.h"

/* Makes the session and its object, as a table would. */
static struct pw_object *add_object(struct pw_recv *r, const struct pw_recv_memory *m)
{
	struct pw_session *s = calloc(1, sizeof(*s));
	struct pw_object *o = s ? pw_objtab_add(&r->objs, s, m->toi, "memory") : NULL;

	if (!o) {
		free(s);
		return NULL;
	}
	r->sessions[r->n_sessions++] = s;
	o->len_bytes = m->len_bytes;
	o->symbol_len = m->symbol_len;
	o->max_sbl = m->max_sbl;
	o->has_len = o->has_oti = true;
	r->st.bytes_total = m->len_bytes;
	return o;
}

int pw_recv_memory_open(struct pw_recv *r, struct pw_err *err)
{
	const struct pw_recv_memory *m = r->cfg.memory;
	struct pw_object *o = add_object(r, m);
	struct pw_blocks b;
	int ret;

	if (!o)
		return pw_err_sys(err, ENOMEM, "cannot receive into memory");
	r->memory = o;
	if (m->len_bytes == 0)
		return 0;
	ret = pw_blocks_init(&b, m->len_bytes, m->symbol_len, m->max_sbl, err);
	if (ret < 0)
		return ret;
	o->part = pw_part_create(o, &b, NULL);
	if (!o->part)
		return pw_err_sys(err, ENOMEM, "cannot receive into memory");
	r->part_bytes = pw_part_bytes(&b);
	ret = pw_outfile_open_memory(&o->part->file, m->bytes, m->len_bytes, err);
	if (ret < 0)
		return ret;
	pw_recv_list_add(r, o->part);
	atomic_store(&o->part->shut, false);
	return 0;
}

void pw_recv_memory_end(struct pw_recv *r)
{
	if (pw_object_have(r->memory) == r->memory->len_bytes)
		pw_recv_set_state(r, r->memory, PW_RECV_UNVERIFIED);
}

bool pw_recv_memory_next(struct pw_recv *r, uint64_t *from, uint64_t *to)
{
	const struct pw_part *p = r->memory->part;
	const struct pw_blocks *b = p ? &p->blocks : NULL;
	uint64_t first;

	if (!p || *to >= b->transfer_len)
		return false;
	first = pw_part_next(p, *to / b->symbol_len, b->n_symbols, true);
	*from = first * b->symbol_len;
	*to = pw_min_u64(
		pw_part_next(p, first, b->n_symbols, false) * b->symbol_len, b->transfer_len);
	return first < b->n_symbols;
}
