/* SPDX-License-Identifier: BSD-3-Clause */
/* Signatures of file tables, and keys. */
#include "recv_util.h"
/* cmocka first */
#include "file/sign.h"
#include "sign_util.h"

static char dir[64];

static int setup(void **state)
{
	(void)state;
	dir_make(dir, sizeof(dir));
	key_make(dir, "a");
	key_make(dir, "b");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	dir_drop(dir);
	return 0;
}

static struct pw_signer *signer(const char *name)
{
	struct pw_signer *s;
	struct pw_err err = {0};

	if (pw_signer_open(&s, in_dir(dir, name), NULL, &err))
		fail_msg("%s", err.msg);
	return s;
}

static struct pw_keys *keys(const char *name)
{
	struct pw_keys *k;
	struct pw_err err = {0};

	if (pw_keys_open(&k, in_dir(dir, name), &err))
		fail_msg("%s", err.msg);
	return k;
}

static char *sign(const char *name, const char *text, size_t *len)
{
	struct pw_signer *s = signer(name);
	struct pw_err err = {0};
	char *copy = strdup(text);

	*len = strlen(text);
	assert_int_equal(pw_signer_sign(s, &copy, len, &err), 0);
	assert_int_equal(*len, strlen(text) + PW_SIGNATURE_LEN);
	pw_signer_close(s);
	return copy;
}

static void a_signature_verifies_and_names_its_key(void **state)
{
	static const char text[] = "<FDT-Instance/>\n";
	struct pw_signer *s = signer("b.key");
	struct pw_keys *k = keys(".");
	size_t len;
	char *signed_text = sign("b.key", text, &len);
	int key;

	(void)state;
	assert_int_equal(pw_keys_n(k), 2);
	key = pw_keys_verify(k, signed_text, len);
	assert_int_equal(key, 1); /* b.pem comes after a.pem */
	assert_string_equal(pw_keys_id(k, 1), pw_signer_id(s));
	assert_memory_equal(signed_text, text, strlen(text));
	free(signed_text);
	pw_keys_close(k);
	pw_signer_close(s);
}

static void any_changed_or_missing_byte_is_found(void **state)
{
	struct pw_keys *k = keys("a.pem");
	size_t len, i;
	char *text = sign("a.key", "<FDT-Instance Expires=\"1\"/>\n", &len);
	int r;

	(void)state;
	for (i = 0; i < len; i++) {
		text[i] ^= 1;
		r = pw_keys_verify(k, text, len);
		assert_true(r == -EBADMSG || r == -ENODATA || r == -ENOKEY);
		text[i] ^= 1;
	}
	for (i = 0; i < len; i++)
		assert_int_equal(pw_keys_verify(k, text, i), -ENODATA);
	/* cut at the front: the signature is whole, but of other bytes */
	assert_int_equal(pw_keys_verify(k, text + 1, len - 1), -EBADMSG);
	assert_int_equal(pw_keys_verify(k, text, len), 0);
	free(text);
	pw_keys_close(k);
}

static void another_keys_signature_is_not_taken(void **state)
{
	struct pw_keys *k = keys("a.pem");
	size_t len, len_a;
	char *text = sign("b.key", "<FDT-Instance/>", &len);
	char *by_a = sign("a.key", "<FDT-Instance />", &len_a);

	(void)state;
	assert_int_equal(pw_keys_verify(k, text, len), -ENOKEY);
	/* a's signature of another text; b's signature under a's name */
	memcpy(text + len - PW_SIGNATURE_LEN, by_a + len_a - PW_SIGNATURE_LEN, PW_SIGNATURE_LEN);
	assert_int_equal(pw_keys_verify(k, text, len), -EBADMSG);
	assert_int_equal(pw_keys_verify(k, "<FDT-Instance/>", 15), -ENODATA);
	free(text);
	free(by_a);
	pw_keys_close(k);
}

static void a_table_can_be_renewed_and_signed_again(void **state)
{
	struct pw_fdt_file file = {.location = (char *)(uintptr_t) "a Expires=", .toi = 1};
	const struct pw_fdt fdt = {
		.expires_ntp = 4000000000, .sequence = 5, .files = &file, .n_files = 1};
	struct pw_signer *s = signer("a.key");
	struct pw_keys *k = keys("a.pem");
	struct pw_fdt back;
	size_t len, n;
	char *xml;

	(void)state;
	assert_int_equal(pw_fdt_build(&fdt, &xml, &len, NULL), 0);
	n = len;
	assert_int_equal(pw_signer_sign(s, &xml, &len, NULL), 0);
	assert_int_equal(pw_fdt_renew(xml, n, 4000000060), 0);
	assert_int_equal(pw_keys_verify(k, xml, len), -EBADMSG);
	assert_int_equal(pw_signer_sign(s, &xml, &n, NULL), 0);
	assert_int_equal(n, len);
	assert_int_equal(pw_keys_verify(k, xml, len), 0);
	assert_int_equal(pw_fdt_parse(xml, len, &back, NULL), 0);
	assert_int_equal(back.expires_ntp, 4000000060);
	assert_int_equal(back.sequence, 5);
	assert_string_equal(back.files[0].location, file.location);
	pw_fdt_finish(&back);
	assert_int_equal(pw_fdt_renew(xml, len, 99), -EINVAL);
	assert_int_equal(pw_fdt_renew(xml, 30, 4000000060), -EINVAL);
	free(xml);
	pw_signer_close(s);
	pw_keys_close(k);
}

static void a_file_that_is_no_key_is_refused_with_the_command_that_makes_one(void **state)
{
	struct pw_signer *s;
	struct pw_keys *k;
	struct pw_err err = {0};

	(void)state;
	write_text(in_dir(dir, "text"), "no key\n");
	assert_int_equal(pw_signer_open(&s, in_dir(dir, "text"), NULL, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "openssl genpkey -algorithm ed25519"));
	assert_int_equal(pw_signer_open(&s, in_dir(dir, "a.pem"), NULL, &err), -EINVAL);
	assert_int_equal(pw_signer_open(&s, in_dir(dir, "none"), NULL, &err), -ENOENT);
	assert_int_equal(pw_keys_open(&k, in_dir(dir, "a.key"), &err), -EINVAL);
	assert_non_null(strstr(err.msg, "openssl pkey"));
	assert_int_equal(mkdir(in_dir(dir, "empty"), 0700), 0);
	assert_int_equal(pw_keys_open(&k, in_dir(dir, "empty"), &err), -ENOENT);
	assert_null(k);
	assert_null(s);
}

static void count_warnings(void *ctx, enum pw_log_level level, const char *text)
{
	unsigned int *n = ctx;

	*n += level == PW_LOG_WARN && strstr(text, "chmod 600") != NULL;
}

static void a_private_key_that_others_can_read_is_warned_about(void **state)
{
	unsigned int n = 0;
	const struct pw_log log = {.sink = count_warnings, .ctx = &n, .level = PW_LOG_INFO};
	struct pw_signer *s;

	(void)state;
	assert_int_equal(pw_signer_open(&s, in_dir(dir, "a.key"), &log, NULL), 0);
	pw_signer_close(s);
	assert_int_equal(n, 0);
	assert_int_equal(chmod(in_dir(dir, "a.key"), 0640), 0);
	assert_int_equal(pw_signer_open(&s, in_dir(dir, "a.key"), &log, NULL), 0);
	pw_signer_close(s);
	assert_int_equal(n, 1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_signature_verifies_and_names_its_key),
		cmocka_unit_test(any_changed_or_missing_byte_is_found),
		cmocka_unit_test(another_keys_signature_is_not_taken),
		cmocka_unit_test(a_table_can_be_renewed_and_signed_again),
		cmocka_unit_test(a_file_that_is_no_key_is_refused_with_the_command_that_makes_one),
		cmocka_unit_test(a_private_key_that_others_can_read_is_warned_about),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
