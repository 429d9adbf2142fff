/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Internal to lib/kernel: TLS 1.2 records with AES-128-GCM by the kernel (module tls), for the comparison: what
 * encrypted delivery costs. There is no handshake and no secret: both ends use the same fixed key.
 *
 *   sender     <-- one byte: ready                                                      receiver
 *   sendfile() --> records: 8-byte nonce, ciphertext of 16 KiB, 16-byte tag --> recv(): plaintext
 *
 * The byte takes the place of the handshake: a connection that the sender has closed already cannot be decrypted.
 */
#ifndef PW_KERNEL_KTLS_H
#define PW_KERNEL_KTLS_H

#include "base/err.h"

enum pw_ktls_side { PW_KTLS_SENDS, PW_KTLS_RECEIVES };

/* fd: a connected TCP socket; the receiver must not have read from it. The sender waits for the receiver, 10 s at
 * most. -EOPNOTSUPP: the kernel lacks the module or the cipher. */
int pw_ktls_start(int fd, enum pw_ktls_side side, struct pw_err *err);

#endif
