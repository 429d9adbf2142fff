/* SPDX-License-Identifier: BSD-3-Clause */
#include "replay/input.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"

#define STOP_LOOK_MS 100

static ssize_t read_fd(void *ctx, void *buf, size_t len, struct pw_err *err)
{
	const struct pw_replay_input *in = ctx;
	struct pollfd wait = {.fd = in->fd, .events = POLLIN};
	ssize_t n;

	do {
		n = poll(&wait, 1, STOP_LOOK_MS);
		if (in->stopped && in->stopped(in->stop_ctx))
			return -ECANCELED;
		if (n > 0)
			n = read(in->fd, buf, len);
		else if (n == 0)
			n = -1, errno = EINTR;
	} while (n < 0 && errno == EINTR);
	return n < 0 ? pw_err_sys(err, errno, "cannot read %s", in->path) : n;
}

bool pw_replay_input_is_stdin(const char *path)
{
	return !strcmp(path, "-");
}

int pw_replay_input_kind(const char *path, enum pw_unpack_kind *kind, struct pw_err *err)
{
	uint8_t magic[PW_UNPACK_MAGIC_LEN];
	struct pw_regfile f;
	ssize_t n;
	int r = pw_regfile_open(&f, path, O_RDONLY, "replay", err);

	if (r)
		return r;
	n = pread(f.fd, magic, sizeof(magic), 0);
	if (n < 0)
		r = pw_err_sys(err, errno, "cannot read %s", path);
	else
		*kind = pw_unpack_kind_of(magic, (size_t)n);
	pw_regfile_close(&f);
	return r;
}

static int open_unpack(struct pw_replay_input *in, struct pw_err *err)
{
	const struct pw_unpack_source source = {.read = read_fd, .ctx = in, .path = in->path};

	return pw_unpack_open(&in->unpack, &source, err);
}

int pw_replay_input_open(struct pw_replay_input *in, const char *path, bool (*stopped)(void *ctx),
	void *stop_ctx, struct pw_err *err)
{
	enum pw_unpack_kind kind = PW_UNPACK_PLAIN;
	int r;

	*in = (struct pw_replay_input){
		.path = path, .fd = -1, .stopped = stopped, .stop_ctx = stop_ctx};
	if (pw_replay_input_is_stdin(path)) {
		in->fd = STDIN_FILENO;
		return open_unpack(in, err);
	}
	r = pw_replay_input_kind(path, &kind, err);
	if (r || kind == PW_UNPACK_PLAIN)
		return r ? r : pw_filereader_open(&in->file, path, "replay", err);
	in->fd = open(path, O_RDONLY | O_CLOEXEC);
	return in->fd < 0 ? pw_err_sys(err, errno, "cannot read %s", path) : open_unpack(in, err);
}

ssize_t pw_replay_input_read(struct pw_replay_input *in, void *buf, size_t len, struct pw_err *err)
{
	uint64_t part;
	int r;

	if (in->fd >= 0)
		return pw_unpack_read(in->unpack, buf, len, err);
	part = pw_min_u64(len, in->file.len_bytes - in->at);
	r = part ? pw_filereader_read(&in->file, in->at, buf, part, err) : 0;
	in->at += part;
	return r ? r : (ssize_t)part;
}

int pw_replay_input_rewind(struct pw_replay_input *in, struct pw_err *err)
{
	in->at = 0;
	if (in->fd < 0)
		return pw_filereader_check_unchanged(&in->file, err);
	pw_unpack_close(in->unpack);
	in->unpack = NULL;
	if (lseek(in->fd, 0, SEEK_SET) < 0)
		return pw_err_sys(err, errno, "cannot read %s again", in->path);
	return open_unpack(in, err);
}

uint8_t pw_replay_input_copies(const struct pw_replay_input *in)
{
	return in->fd >= 0 ? 1 : in->file.cpu_copies;
}

void pw_replay_input_close(struct pw_replay_input *in)
{
	pw_unpack_close(in->unpack);
	if (in->fd > STDIN_FILENO)
		close(in->fd);
	pw_filereader_close(&in->file);
}
