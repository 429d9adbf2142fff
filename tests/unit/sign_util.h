/* SPDX-License-Identifier: BSD-3-Clause */
/* Keys for the tests of signatures: made anew each time, in a directory. */
#ifndef PW_TESTS_SIGN_UTIL_H
#define PW_TESTS_SIGN_UTIL_H

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <sys/stat.h>

/* Writes WHERE/NAME.key and WHERE/NAME.pem (the public one). */
static inline void key_make(const char *where, const char *name)
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	char path[4096];
	FILE *f;

	assert_non_null(key);
	snprintf(path, sizeof(path), "%s/%s.key", where, name);
	f = fopen(path, "we");
	assert_non_null(f);
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL), 1);
	fclose(f);
	snprintf(path, sizeof(path), "%s/%s.pem", where, name);
	f = fopen(path, "we");
	assert_non_null(f);
	assert_int_equal(PEM_write_PUBKEY(f, key), 1);
	fclose(f);
	EVP_PKEY_free(key);
}

#endif
