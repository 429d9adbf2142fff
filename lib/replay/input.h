/* SPDX-License-Identifier: BSD-3-Clause */
/* The bytes of a capture in order: a file past the page cache, a compressed file, or standard input ("-"). */
#ifndef PW_REPLAY_INPUT_H
#define PW_REPLAY_INPUT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "file/filereader.h"
#include "file/unpack.h"

struct pw_replay_input {
	const char *path; /* the caller's */
	int fd;           /* of what is unpacked; -1: `file` is read */
	struct pw_unpack *unpack;
	bool (*stopped)(void *ctx); /* a read of standard input ends; may be NULL */
	void *stop_ctx;
	struct pw_filereader file;
	uint64_t at; /* of `file` */
};

/* Whether the name stands for standard input. */
bool pw_replay_input_is_stdin(const char *path);
/* Whether the file is compressed, by its first bytes. -errno: it cannot be read. */
int pw_replay_input_kind(const char *path, enum pw_unpack_kind *kind, struct pw_err *err);

/* Reads of standard input and of compressed files look at stopped(stop_ctx), and return -ECANCELED without a message. */
int pw_replay_input_open(struct pw_replay_input *in, const char *path, bool (*stopped)(void *ctx),
	void *stop_ctx, struct pw_err *err);
/* Fills buf[len]: both multiples of PW_FILEREADER_ALIGN. Returns len, or less before the end or an error, 0 at the end; -errno. */
ssize_t pw_replay_input_read(struct pw_replay_input *in, void *buf, size_t len, struct pw_err *err);
/* From byte 0 again; not for standard input. */
int pw_replay_input_rewind(struct pw_replay_input *in, struct pw_err *err);
/* Copies of a byte by the CPU on its way into buf: 0 with O_DIRECT, 1 through the page cache or unpacked. */
uint8_t pw_replay_input_copies(const struct pw_replay_input *in);
void pw_replay_input_close(struct pw_replay_input *in);

#endif
