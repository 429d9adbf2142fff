/* SPDX-License-Identifier: BSD-3-Clause */
/* Measures the textbook's ways: read + write, mmap + write, sendfile. */
#include "cell/textbook.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#define SOCKET_BYTES (4 << 20) /* the whole buffer fits: no call waits for a reader */

struct textbook {
	int file, sender, receiver; /* -1: not open */
	char *buffer, *other;       /* PW_TEXTBOOK_BYTES each */
};

/* Both ends of a TCP connection over loopback. */
static int connect_ourselves(struct textbook *t, struct pw_err *err)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const struct timeval limit = {.tv_sec = 5};
	socklen_t len = sizeof(sin);
	int bytes = SOCKET_BYTES, server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), r = 0;

	t->sender = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(server, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
	setsockopt(t->sender, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes));
	if (server < 0 || t->sender < 0 || bind(server, (struct sockaddr *)&sin, sizeof(sin)) ||
		listen(server, 1) || getsockname(server, (struct sockaddr *)&sin, &len) ||
		connect(t->sender, (struct sockaddr *)&sin, sizeof(sin)) ||
		(t->receiver = accept4(server, NULL, NULL, SOCK_CLOEXEC)) < 0)
		r = pw_err_sys(err, errno, "cannot connect to this process over TCP");
	if (server >= 0)
		close(server);
	if (r)
		return r;
	setsockopt(t->sender, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	setsockopt(t->receiver, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return 0;
}

/* What the textbook draws. Nothing else happens between the meter's start and stop. */
static ssize_t do_it(enum pw_textbook_way way, const struct textbook *t)
{
	ssize_t n;
	void *map;

	switch (way) {
	case PW_TEXTBOOK_READ_WRITE:
		n = read(t->file, t->buffer, PW_TEXTBOOK_BYTES);
		return n > 0 ? write(t->sender, t->buffer, (size_t)n) : n;
	case PW_TEXTBOOK_MMAP_WRITE:
		map = mmap(NULL, PW_TEXTBOOK_BYTES, PROT_READ, MAP_SHARED, t->file, 0);
		return map == MAP_FAILED ? -1 : write(t->sender, map, PW_TEXTBOOK_BYTES);
	default:
		return sendfile(t->sender, t->file, NULL, PW_TEXTBOOK_BYTES);
	}
}

/* Reads the other end and compares it with the file. */
static void compare(const struct textbook *t, struct pw_cell_end *end)
{
	const size_t all = PW_TEXTBOOK_BYTES;
	ssize_t n;

	while (end->bytes < all &&
		(n = recv(t->receiver, t->other + end->bytes, all - end->bytes, 0)) > 0)
		end->bytes += (uint64_t)n;
	end->whole = end->bytes == all;
	end->wrong = pread(t->file, t->buffer, all, 0) != (ssize_t)all ||
		     memcmp(t->buffer, t->other, end->bytes) != 0;
	end->compared = true;
}

static int run(struct textbook *t, const struct pw_cell *cell, enum pw_textbook_way way,
	struct pw_cell_end *end)
{
	struct pw_stretch s;
	ssize_t n;
	int r;

	if (t->file < 0)
		return pw_err_sys(&end->err, errno, "cannot open %s", cell->file);
	if (!t->buffer || !t->other)
		return pw_err_sys(&end->err, ENOMEM, "cannot send %s", cell->file);
	memset(t->buffer, 0xa5, PW_TEXTBOOK_BYTES); /* its own first touch is not the way's */
	r = connect_ourselves(t, &end->err);
	if (r == 0)
		r = pw_cell_stretch_open(&s, cell, end);
	if (r)
		return r;
	pw_cell_stretch(&s, true);
	n = do_it(way, t);
	r = n < 0 ? errno : EIO;
	pw_cell_stretch(&s, false);
	pw_meter_close(s.meter);
	if (n != PW_TEXTBOOK_BYTES)
		return pw_err_sys(&end->err, r, "cannot send %s by the textbook", cell->file);
	compare(t, end);
	return 0;
}

void pw_cell_textbook(const struct pw_cell *cell, enum pw_textbook_way way, struct pw_cell_end *end)
{
	struct textbook t = {
		.file = open(cell->file, O_RDONLY | O_CLOEXEC),
		.sender = -1,
		.receiver = -1,
		.buffer = malloc(PW_TEXTBOOK_BYTES),
		.other = malloc(PW_TEXTBOOK_BYTES),
	};

	end->result = run(&t, cell, way, end);
	free(t.buffer);
	free(t.other);
	if (t.file >= 0)
		close(t.file);
	if (t.sender >= 0)
		close(t.sender);
	if (t.receiver >= 0)
		close(t.receiver);
}
