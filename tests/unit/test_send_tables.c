/* SPDX-License-Identifier: BSD-3-Clause */
/* File tables that are signed: what is sent again late in a session is signed anew. */
#include "recv_util.h"
/* cmocka first */
#include "send/tables.h"
#include "sign_util.h"

/* The text of the packets that the lane has sent last, put together. */
struct sent {
	char text[1 << 16];
	size_t len;
	unsigned int version;
};

static uint16_t take(void *path, const struct pw_frame_tmpl *t, const void *payload, size_t len)
{
	struct sent *s = path;
	struct pw_alc_hdr hdr;
	const uint8_t *body;
	size_t body_len;

	assert_int_equal(
		pw_alc_parse(t->bytes + 42, t->len - 42, &hdr, &body, &body_len), PW_ALC_OK);
	if (hdr.esi == 0)
		s->len = 0;
	memcpy(s->text + s->len, payload, len);
	s->len += len;
	s->version = hdr.fdt_version;
	return 1;
}

static int look(struct pw_send_lane *lane, uint64_t now_ns, uint64_t stalled_ns, struct pw_err *err)
{
	(void)lane, (void)now_ns, (void)stalled_ns, (void)err;
	return 0;
}

static void an_old_signed_table_is_renewed_before_it_is_sent_again(void **state)
{
	static struct sent sent;
	const struct pw_tx_ops ops = {.send_copy = take};
	struct pw_send_lane lane = {.ops = &ops, .path = &sent, .look = look};
	struct pw_files files = {.n = 2};
	struct pw_send_config cfg = {
		.files = &files, .mtu = 1500, .tsi = 7, .symbol_len = 1440, .set.flute_version = 1};
	struct pw_fdt_file entry = {.location = (char *)(uintptr_t) "a", .toi = 1};
	struct pw_send_tables t;
	struct pw_signer *signer;
	struct pw_keys *keys;
	struct pw_fdt first, again;
	char dir[64];

	(void)state;
	dir_make(dir, sizeof(dir));
	key_make(dir, "k");
	assert_int_equal(pw_signer_open(&signer, in_dir(dir, "k.key"), NULL, NULL), 0);
	assert_int_equal(pw_keys_open(&keys, in_dir(dir, "k.pem"), NULL), 0);
	cfg.signer = signer;
	assert_int_equal(pw_addr_parse("to", "10.0.0.1:4001", 1, &cfg.flow.dst, NULL), 0);
	cfg.flow.src = cfg.flow.dst;
	cfg.flow.vlan = PW_VLAN_NONE;
	pw_send_tables_init(&t, &cfg);
	assert_int_equal(pw_send_tables_build(&t, &entry, 1, 0, false, NULL), 0);
	assert_int_equal(pw_send_tables_send_all(&t, &lane, NULL), 0);
	assert_int_equal(sent.version, 1);
	assert_int_equal(pw_keys_verify(keys, sent.text, sent.len), 0);
	assert_int_equal(pw_fdt_parse(sent.text, sent.len, &first, NULL), 0);
	assert_int_equal(t.v[0].instance, 0);
	assert_false(pw_send_tables_is_old(&t, pw_clock_ns()));

	sleep(1);
	t.v[0].built_ns -= 31 * PW_NS_PER_S; /* half a minute ago and more */
	assert_true(pw_send_tables_is_old(&t, pw_clock_ns()));
	assert_int_equal(pw_send_tables_send_all(&t, &lane, NULL), 0);
	assert_int_equal(pw_keys_verify(keys, sent.text, sent.len), 0);
	assert_int_equal(pw_fdt_parse(sent.text, sent.len, &again, NULL), 0);
	assert_true(again.expires_ntp > first.expires_ntp);
	assert_int_equal(again.sequence, first.sequence);
	assert_int_equal(t.v[0].instance, 1);
	assert_false(pw_send_tables_is_old(&t, pw_clock_ns()));
	pw_fdt_finish(&first);
	pw_fdt_finish(&again);
	pw_send_tables_finish(&t);
	pw_signer_close(signer);
	pw_keys_close(keys);
	dir_drop(dir);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_old_signed_table_is_renewed_before_it_is_sent_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
