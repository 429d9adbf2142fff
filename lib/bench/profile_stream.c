/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * --profile stream: transfers from a disk to the wire, and from the wire to a disk, past the page cache;
 * compared with fio's sequential O_DIRECT reads and writes of the same length on the same disk.
 *
 *   disk --O_DIRECT--> send --pages stream --port null         |  fio --rw=read
 *   tmpfs, in place -> send === vhost === recv --write direct --O_DIRECT--> disk  |  fio --rw=write
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "bench/profiles.h"
#include "bench/prog.h"
#include "bench/store.h"

#define FILE_BYTES  (1ull << 30)
#define EAL_BYTES   (448ull << 20)
#define LIMIT_NS    (120 * PW_NS_PER_S)
#define READ_RATIO  0.95 /* asked for */
#define WRITE_RATIO 0.9
#define CACHE_MAX   (FILE_BYTES / 100)

/* Huge pages also for fio's buffers: a disk's driver takes half the time for them that it takes for
 * pages of 4 KiB. */
#define FIO_OPTIONS                                                                      \
	"--direct=1", "--ioengine=io_uring", "--iodepth=32", "--bs=1M", "--fixedbufs=1", \
		"--mem=mmaphuge", "--output-format=json"
#define FIO_TEXT "--direct=1 --ioengine=io_uring --iodepth=32 --bs=1M --fixedbufs=1 --mem=mmaphuge"

struct stream {
	const struct pw_profile_options *opt;
	struct pw_store store;
	char out[256]; /* a directory on the disk */
};

/* Bytes of the file that are in the page cache. */
static int cached_bytes(const char *path, uint64_t *bytes, struct pw_err *err)
{
	unsigned char *seen = malloc(FILE_BYTES / 4096);
	int fd = open(path, O_RDONLY | O_CLOEXEC), r = 0;
	void *map = MAP_FAILED;
	uint64_t i;

	if (seen && fd >= 0)
		map = mmap(NULL, FILE_BYTES, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED || mincore(map, FILE_BYTES, seen))
		r = pw_err_sys(
			err, seen ? errno : ENOMEM, "cannot look for %s in the page cache", path);
	*bytes = 0;
	for (i = 0; r == 0 && i < FILE_BYTES / 4096; i++)
		*bytes += (uint64_t)(seen[i] & 1) * 4096;
	if (map != MAP_FAILED)
		munmap(map, FILE_BYTES);
	if (fd >= 0)
		close(fd);
	free(seen);
	return r;
}

/* What went past the page cache left nothing there. */
static int check_cache(const char *path, struct pw_err *err)
{
	uint64_t bytes;
	int r = cached_bytes(path, &bytes, err);

	if (r == 0 && bytes > CACHE_MAX)
		r = pw_err_set(err, EIO, "%llu bytes of %s are in the page cache",
			(unsigned long long)bytes, path);
	return r;
}

/* No lead: the ring is not filled before the clock runs. */
static int measure_send(void *arg, double *value, struct pw_err *err)
{
	const struct stream *s = arg;
	const char *path = s->store.files[0].disk;
	char self[256], core[16];
	const char *const argv[] = {pw_prog_self(self, sizeof(self)), "send", path, "--port",
		"null", "--to", "239.77.0.1", "--pages", "stream", "--lead", "0", "--core", core,
		"--json", "--quiet", NULL};
	struct pw_prog p = {0};
	int r = pw_store_drop(path, err);

	snprintf(core, sizeof(core), "%d", s->opt->source_cpu);
	if (r == 0)
		r = pw_prog_run(&p, argv, -1, LIMIT_NS, s->opt->stopped, err);
	*value = pw_prog_number(&p, "goodput_bps") / 8e6;
	if (r == 0 && pw_prog_number(&p, "page_in_copies") > 0)
		r = pw_err_set(err, EOPNOTSUPP,
			"cannot stream %s: its file system takes no O_DIRECT; name another with "
			"--dir",
			path);
	if (r == 0)
		r = check_cache(path, err);
	pw_prog_drop(&p);
	return r;
}

static int measure_fio_read(void *arg, double *value, struct pw_err *err)
{
	const struct stream *s = arg;
	char file[544];
	const char *const argv[] = {
		"fio", "--name=read", "--rw=read", "--readonly", file, FIO_OPTIONS, NULL};
	struct pw_prog p = {0};
	int r = pw_store_drop(s->store.files[0].disk, err);

	snprintf(file, sizeof(file), "--filename=%s", s->store.files[0].disk);
	if (r == 0)
		r = pw_prog_run(&p, argv, s->opt->source_cpu, LIMIT_NS, s->opt->stopped, err);
	*value = pw_prog_number(&p, "jobs.0.read.bw_bytes") / 1e6;
	pw_prog_drop(&p);
	return r;
}

static int start_pair(const struct stream *s, const char *socket, struct pw_prog *send,
	struct pw_prog *recv, struct pw_err *err)
{
	char self[256], tx_port[128], rx_port[128], tx_core[16], rx_core[16];
	const char *const rx[] = {pw_prog_self(self, sizeof(self)), "recv", "--port", rx_port,
		"--core", rx_core, "--mtu", "9000", "--out", s->out, "--write", "direct",
		"--write-memory", "64MiB", "--force", "--json", "--quiet", NULL};
	const char *const tx[] = {self, "send", s->store.files[0].tmpfs, "--port", tx_port, "--to",
		"239.77.0.1", "--core", tx_core, "--mtu", "9000", "--pages", "pagecache", "--json",
		"--quiet", NULL};
	int r;

	snprintf(rx_port, sizeof(rx_port), "virtio-user:%s", socket);
	snprintf(tx_port, sizeof(tx_port), "vhost:%s", socket);
	snprintf(rx_core, sizeof(rx_core), "%d", s->opt->sink_cpu);
	snprintf(tx_core, sizeof(tx_core), "%d", s->opt->source_cpu);
	r = pw_prog_start(recv, rx, -1, s->opt->stopped, err);
	return r ? r : pw_prog_start(send, tx, -1, s->opt->stopped, err);
}

/* The receiver's clock, until the last chunk is on the disk, the digest was compared and the file has
 * its name. */
static int measure_recv(void *arg, double *value, struct pw_err *err)
{
	const struct stream *s = arg;
	struct pw_prog send = {0}, recv = {0};
	char socket[96], received[288];
	struct pw_err why = {0};
	int r;

	snprintf(socket, sizeof(socket), "%s/stream.sock", s->store.dir);
	snprintf(received, sizeof(received), "%s/file0", s->out);
	r = start_pair(s, socket, &send, &recv, err);
	if (r == 0)
		r = pw_prog_wait(&recv, LIMIT_NS, err);
	if (r == 0)
		r = pw_prog_wait(&send, LIMIT_NS, err);
	else if (r != -ECANCELED && send.pid && pw_prog_wait(&send, PW_NS_PER_S, &why) == -EIO)
		*err = why; /* a receiver that found no sender: what kept that */
	*value = FILE_BYTES / 1e6 / pw_prog_number(&recv, "verified_seconds");
	if (r == 0)
		r = check_cache(received, err);
	pw_prog_drop(&send);
	pw_prog_drop(&recv);
	unlink(received);
	unlink(socket);
	return r;
}

static int measure_fio_write(void *arg, double *value, struct pw_err *err)
{
	const struct stream *s = arg;
	char file[320], size[32], path[288];
	const char *const argv[] = {
		"fio", "--name=write", "--rw=write", file, size, FIO_OPTIONS, NULL};
	struct pw_prog p = {0};
	int r;

	snprintf(path, sizeof(path), "%s/fio", s->out);
	snprintf(file, sizeof(file), "--filename=%s", path);
	snprintf(size, sizeof(size), "--size=%llu", FILE_BYTES);
	r = pw_prog_run(&p, argv, s->opt->sink_cpu, LIMIT_NS, s->opt->stopped, err);
	*value = pw_prog_number(&p, "jobs.0.write.bw_bytes") / 1e6;
	pw_prog_drop(&p);
	unlink(path);
	return r;
}

static void add_read(struct pw_profile_run *run, struct stream *s)
{
	struct pw_contest *c =
		pw_profile_add(run, "1 GiB from a disk, past the page cache", "MB/s");
	struct pw_contender *who = pw_contest_add(c, "send --pages stream", measure_send, s);

	snprintf(c->note, sizeof(c->note),
		"send: read, digested and handed to a port that throws it away; void when more "
		"than 1 %% of the file is in the page cache afterwards (mincore). fio reads and "
		"does nothing with it. The host below a virtual machine may cache for both.");
	snprintf(who->how, sizeof(who->how),
		"pagewire send FILE --port null --to 239.77.0.1 --pages stream --lead 0 --core A "
		"--json");
	who = pw_contest_add(c, "fio read", measure_fio_read, s);
	snprintf(who->how, sizeof(who->how), "fio --name=read --rw=read --filename=FILE " FIO_TEXT);
	pw_contest_claim(c, 0, 1, false, READ_RATIO);
}

static void add_write(struct pw_profile_run *run, struct stream *s)
{
	struct pw_contest *c =
		pw_profile_add(run, "1 GiB to a new file on a disk, past the page cache", "MB/s");
	struct pw_contender *who = pw_contest_add(c, "recv --write direct", measure_recv, s);

	snprintf(c->note, sizeof(c->note),
		"recv: from the first byte until all is on the disk, the digest is compared and "
		"the file has its name; MTU 9000. Both allocate the file first, neither calls "
		"fsync.");
	snprintf(who->how, sizeof(who->how),
		"pagewire recv --port virtio-user:SOCK --mtu 9000 --out DIR --write direct "
		"--write-memory 64MiB --core "
		"B --json; pagewire send TMPFS-FILE --port vhost:SOCK --to 239.77.0.1 --mtu 9000 "
		"--core A; bytes / verified_seconds");
	who = pw_contest_add(c, "fio write", measure_fio_write, s);
	snprintf(who->how, sizeof(who->how),
		"fio --name=write --rw=write --filename=DIR/fio --size=1GiB " FIO_TEXT);
	pw_contest_claim(c, 0, 1, false, WRITE_RATIO);
}

static int stream_open(struct pw_profile_run *run, struct pw_err *err)
{
	const char *dir = run->opt.dir ? run->opt.dir : "/var/tmp";
	const uint64_t size = FILE_BYTES;
	struct stream *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return pw_err_sys(err, ENOMEM, "cannot open profile stream");
	run->state = s;
	s->opt = &run->opt;
	r = pw_store_make(&s->store, &size, 1, NULL, dir, EAL_BYTES, err);
	if (r)
		return r;
	snprintf(s->out, sizeof(s->out), "%.200s/pagewire-stream.XXXXXX", dir);
	if (!mkdtemp(s->out)) {
		r = pw_err_sys(err, errno, "cannot make a directory in %s", dir);
		s->out[0] = '\0';
		return r;
	}
	add_read(run, s);
	add_write(run, s);
	return 0;
}

static void stream_close(struct pw_profile_run *run)
{
	struct stream *s = run->state;

	if (!s)
		return;
	if (s->out[0])
		rmdir(s->out);
	pw_store_remove(&s->store);
	free(s);
}

const struct pw_profile pw_profile_stream = {
	.name = "stream",
	.summary = "disk to wire and wire to disk, past the page cache, against fio",
	.rounds = 9,
	.open = stream_open,
	.close = stream_close,
};
