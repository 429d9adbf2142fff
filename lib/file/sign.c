/* SPDX-License-Identifier: BSD-3-Clause */
#include "file/sign.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base64.h"

#define HEAD      "<?pagewire-signature ed25519 "
#define TAIL      "?>"
#define HEAD_LEN  (sizeof(HEAD) - 1)
#define TAIL_LEN  (sizeof(TAIL) - 1)
#define RAW_LEN   32u /* of a public key */
#define SIG_LEN   64u
#define SIG_TEXT  88u
#define PEM_BYTES 8192u /* a key's file has about 120 */

_Static_assert(HEAD_LEN + PW_KEY_ID_LEN + 1 + SIG_TEXT + TAIL_LEN == PW_SIGNATURE_LEN,
	"length of the signature");

struct key {
	EVP_PKEY *pkey;
	char id[PW_KEY_ID_LEN + 1];
};

struct pw_signer {
	struct key key;
};

struct pw_keys {
	size_t n;
	struct key v[PW_KEYS_MAX];
};

static bool set_id(struct key *k)
{
	uint8_t raw[RAW_LEN], hash[SHA256_DIGEST_LENGTH];
	size_t len = sizeof(raw), i;

	if (EVP_PKEY_get_id(k->pkey) != EVP_PKEY_ED25519 ||
		EVP_PKEY_get_raw_public_key(k->pkey, raw, &len) != 1 || len != sizeof(raw))
		return false;
	SHA256(raw, sizeof(raw), hash);
	for (i = 0; i < PW_KEY_ID_LEN / 2; i++)
		snprintf(k->id + 2 * i, 3, "%02x", hash[i]);
	return true;
}

/* Reads the file into buf[PEM_BYTES]. */
static int read_file(const char *path, char *buf, size_t *len, struct stat *st, struct pw_err *err)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	ssize_t n = 0;

	*len = 0;
	if (fd < 0)
		return pw_err_sys(err, errno, "cannot open the key %s", path);
	if (fstat(fd, st) < 0)
		n = -1;
	while (n >= 0 && *len < PEM_BYTES && (n = read(fd, buf + *len, PEM_BYTES - *len)) > 0)
		*len += (size_t)n;
	if (n < 0)
		pw_err_sys(err, errno, "cannot read the key %s", path);
	close(fd);
	return n < 0 ? -EIO : 0;
}

/* Of a key that is encrypted: there is nobody to ask. */
static int no_password(char *buf, int size, int is_writing, void *ctx)
{
	(void)buf, (void)size, (void)is_writing, (void)ctx;
	return -1;
}

static int load(
	struct key *k, const char *path, bool is_private, struct stat *st, struct pw_err *err)
{
	char buf[PEM_BYTES];
	size_t len;
	int r = read_file(path, buf, &len, st, err);
	BIO *bio = r ? NULL : BIO_new_mem_buf(buf, (int)len);

	if (bio && is_private)
		k->pkey = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
	else if (bio)
		k->pkey = PEM_read_bio_PUBKEY(bio, NULL, no_password, NULL);
	BIO_free(bio);
	OPENSSL_cleanse(buf, sizeof(buf));
	if (r)
		return r;
	if (k->pkey && set_id(k))
		return 0;
	EVP_PKEY_free(k->pkey);
	k->pkey = NULL;
	if (is_private)
		return pw_err_set(err, EINVAL,
			"cannot sign with %s: it is no private Ed25519 key in PEM without a "
			"password; "
			"make one: openssl genpkey -algorithm ed25519 -out KEY.pem",
			path);
	return pw_err_set(err, EINVAL,
		"cannot trust %s: it is no public Ed25519 key in PEM; make it from the sender's "
		"key: "
		"openssl pkey -in KEY.pem -pubout -out PUB.pem",
		path);
}

int pw_signer_open(
	struct pw_signer **out, const char *path, const struct pw_log *log, struct pw_err *err)
{
	struct pw_signer *s = calloc(1, sizeof(*s));
	struct stat st;
	int r;

	*out = NULL;
	if (!s)
		return pw_err_sys(err, ENOMEM, "cannot sign with %s", path);
	r = load(&s->key, path, true, &st, err);
	if (r) {
		free(s);
		return r;
	}
	if (st.st_mode & (S_IRWXG | S_IRWXO))
		pw_warn(log,
			"other users of this host may use the private key %s (its mode is %04o): "
			"chmod 600 %s",
			path, (unsigned int)st.st_mode & 07777, path);
	*out = s;
	return 0;
}

const char *pw_signer_id(const struct pw_signer *s)
{
	return s->key.id;
}

int pw_signer_sign(const struct pw_signer *s, char **text, size_t *len, struct pw_err *err)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	char *longer = realloc(*text, *len + PW_SIGNATURE_LEN), *at;
	uint8_t sig[SIG_LEN];
	size_t sig_len = sizeof(sig);
	bool ok;

	if (longer)
		*text = longer;
	ok = ctx && longer && EVP_DigestSignInit(ctx, NULL, NULL, NULL, s->key.pkey) == 1 &&
	     EVP_DigestSign(ctx, sig, &sig_len, (const uint8_t *)*text, *len) == 1 &&
	     sig_len == sizeof(sig);
	EVP_MD_CTX_free(ctx);
	if (!ok)
		return pw_err_set(err, ENOMEM, "cannot sign a file table: libcrypto failed");
	at = *text + *len;
	memcpy(at, HEAD, HEAD_LEN);
	at += HEAD_LEN;
	memcpy(at, s->key.id, PW_KEY_ID_LEN);
	at += PW_KEY_ID_LEN;
	*at++ = ' ';
	pw_base64_encode(at, sig, sizeof(sig));
	memcpy(at + SIG_TEXT, TAIL, TAIL_LEN);
	*len += PW_SIGNATURE_LEN;
	return 0;
}

void pw_signer_close(struct pw_signer *s)
{
	if (!s)
		return;
	EVP_PKEY_free(s->key.pkey); /* libcrypto wipes it */
	free(s);
}

static int add(struct pw_keys *k, const char *path, struct pw_err *err)
{
	struct stat st;
	int r;

	if (k->n == PW_KEYS_MAX)
		return pw_err_set(err, E2BIG,
			"cannot trust %s: at most %u keys are possible; name a directory with "
			"fewer",
			path, PW_KEYS_MAX);
	r = load(&k->v[k->n], path, false, &st, err);
	k->n += r == 0;
	return r;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_pem(const struct dirent *e)
{
	const size_t len = strlen(e->d_name);

	return len > 4 && !strcmp(e->d_name + len - 4, ".pem");
}

static int add_directory(struct pw_keys *k, const char *dir, struct pw_err *err)
{
	struct dirent **list;
	int i, r = 0, n = scandir(dir, &list, is_pem, by_name);
	char *path;

	if (n < 0)
		return pw_err_sys(err, errno, "cannot list the keys of %s", dir);
	for (i = 0; i < n; i++) {
		if (r == 0 && asprintf(&path, "%s/%s", dir, list[i]->d_name) < 0)
			r = pw_err_sys(err, ENOMEM, "cannot list the keys of %s", dir);
		else if (r == 0) {
			r = add(k, path, err);
			free(path);
		}
		free(list[i]);
	}
	free(list);
	if (r == 0 && k->n == 0)
		return pw_err_set(err, ENOENT,
			"cannot trust anybody: %s has no file *.pem; put the senders' public keys "
			"there: openssl pkey -in KEY.pem -pubout -out %s/SENDER.pem",
			dir, dir);
	return r;
}

int pw_keys_open(struct pw_keys **out, const char *path, struct pw_err *err)
{
	struct pw_keys *k = calloc(1, sizeof(*k));
	struct stat st;
	int r;

	*out = NULL;
	if (!k)
		return pw_err_sys(err, ENOMEM, "cannot trust %s", path);
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		r = add_directory(k, path, err);
	else
		r = add(k, path, err);
	if (r) {
		pw_keys_close(k);
		return r;
	}
	*out = k;
	return 0;
}

size_t pw_keys_n(const struct pw_keys *k)
{
	return k->n;
}

const char *pw_keys_id(const struct pw_keys *k, size_t i)
{
	return k->v[i].id;
}

static bool verify(EVP_PKEY *key, const uint8_t sig[SIG_LEN], const void *data, size_t len)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	const bool good = ctx && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) == 1 &&
			  EVP_DigestVerify(ctx, sig, SIG_LEN, data, len) == 1;

	EVP_MD_CTX_free(ctx);
	return good;
}

int pw_keys_verify(const struct pw_keys *k, const void *text, size_t len)
{
	uint8_t sig[SIG_LEN];
	const char *at;
	size_t i;

	if (len < PW_SIGNATURE_LEN)
		return -ENODATA;
	len -= PW_SIGNATURE_LEN;
	at = (const char *)text + len;
	if (memcmp(at, HEAD, HEAD_LEN) != 0 || at[HEAD_LEN + PW_KEY_ID_LEN] != ' ' ||
		memcmp(at + PW_SIGNATURE_LEN - TAIL_LEN, TAIL, TAIL_LEN) != 0 ||
		!pw_base64_decode(at + HEAD_LEN + PW_KEY_ID_LEN + 1, SIG_TEXT, sig, sizeof(sig)))
		return -ENODATA;
	for (i = 0; i < k->n; i++)
		if (memcmp(k->v[i].id, at + HEAD_LEN, PW_KEY_ID_LEN) == 0)
			return verify(k->v[i].pkey, sig, text, len) ? (int)i : -EBADMSG;
	return -ENOKEY;
}

void pw_keys_close(struct pw_keys *k)
{
	size_t i;

	for (i = 0; k && i < k->n; i++)
		EVP_PKEY_free(k->v[i].pkey);
	free(k);
}
