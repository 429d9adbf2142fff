/* SPDX-License-Identifier: BSD-3-Clause */
/* Lets the kernel encrypt or decrypt a TCP connection with a fixed key. */
#include "kernel/ktls.h"

#include <errno.h>
#include <linux/tls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

/* Younger than glibc 2.36's headers */
#ifndef TCP_ULP
#define TCP_ULP 31
#endif
#ifndef SOL_TLS
#define SOL_TLS 282
#endif

#define READY_MS 10000

static int signal_ready(int fd, struct pw_err *err)
{
	if (send(fd, "", 1, MSG_NOSIGNAL) == 1)
		return 0;
	return pw_err_sys(err, errno, "cannot tell the sender that it may encrypt");
}

static int wait_ready(int fd, struct pw_err *err)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char byte;

	if (poll(&p, 1, READY_MS) == 1 && recv(fd, &byte, 1, MSG_DONTWAIT) == 1)
		return 0;
	return pw_err_set(err, ECONNRESET,
		"cannot encrypt: the receiver is not ready to decrypt; look at its messages");
}

int pw_ktls_start(int fd, enum pw_ktls_side side, struct pw_err *err)
{
	struct tls12_crypto_info_aes_gcm_128 info = {
		.info = {.version = TLS_1_2_VERSION, .cipher_type = TLS_CIPHER_AES_GCM_128},
	};
	const int option = side == PW_KTLS_SENDS ? TLS_TX : TLS_RX;

	memset(info.key, 0x6b, sizeof(info.key));
	memset(info.salt, 0x73, sizeof(info.salt));
	if (setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls")) == 0 &&
		setsockopt(fd, SOL_TLS, option, &info, sizeof(info)) == 0)
		return side == PW_KTLS_SENDS ? wait_ready(fd, err) : signal_ready(fd, err);
	if (errno == ENOENT || errno == ENOPROTOOPT)
		return pw_err_set(err, EOPNOTSUPP,
			"cannot encrypt: this kernel has no TLS with AES-128-GCM; modprobe tls, or "
			"use a kernel with CONFIG_TLS");
	return pw_err_sys(err, errno, "cannot encrypt the connection by the kernel's TLS");
}
