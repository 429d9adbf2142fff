/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ed25519 signatures of file tables (FDT instances), by libcrypto. The signature is the last thing in the text,
 * a processing instruction, which receivers that do not know it ignore:
 *
 *   <?xml ...?><FDT-Instance ...>...</FDT-Instance>     these bytes are signed
 *   <?pagewire-signature ed25519 KEYID BASE64?>         PW_SIGNATURE_LEN bytes
 *
 * KEYID is the first 8 bytes of the SHA-256 of the public key (its 32 bytes), in hexadecimal digits. Keys are PEM
 * files, as `openssl genpkey -algorithm ed25519` and `openssl pkey -pubout` write them. Any thread may sign and
 * verify.
 */
#ifndef PW_FILE_SIGN_H
#define PW_FILE_SIGN_H

#include <stddef.h>

#include "base/err.h"
#include "base/log.h"

#define PW_KEY_ID_LEN    16u
#define PW_SIGNATURE_LEN 136u /* bytes after those that are signed */
#define PW_KEYS_MAX      64u

struct pw_signer; /* a private key; opaque */

/* Loads a private key. Warns when other users may read the file. log may be NULL. */
int pw_signer_open(
	struct pw_signer **s, const char *path, const struct pw_log *log, struct pw_err *err);
const char *pw_signer_id(const struct pw_signer *s); /* KEYID */
/* Appends the signature to *text (malloc), which may move; *len grows by PW_SIGNATURE_LEN. No NUL is added. */
int pw_signer_sign(const struct pw_signer *s, char **text, size_t *len, struct pw_err *err);
void pw_signer_close(struct pw_signer *s); /* wipes the key; accepts NULL */

struct pw_keys; /* public keys; opaque */

/* Loads the public key of a PEM file, or those of all files *.pem of a directory. -ENOENT: it has none. */
int pw_keys_open(struct pw_keys **k, const char *path, struct pw_err *err);
size_t pw_keys_n(const struct pw_keys *k);
const char *pw_keys_id(const struct pw_keys *k, size_t i);
/* Which key signed the text: its number. -ENODATA: there is no signature at its end; -ENOKEY: it is by another
 * key; -EBADMSG: it is not the signature of these bytes. Bytes [0, len - PW_SIGNATURE_LEN) are the signed ones. */
int pw_keys_verify(const struct pw_keys *k, const void *text, size_t len);
void pw_keys_close(struct pw_keys *k); /* accepts NULL */

#endif
