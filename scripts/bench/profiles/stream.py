# SPDX-License-Identifier: BSD-3-Clause
"""Transfers from a disk to the wire, and from the wire to a disk, past the page cache; compared with fio's
sequential O_DIRECT reads and writes of the same length on the same disk.

    disk --O_DIRECT--> send --pages stream --port null                            |  fio --rw=read
    tmpfs, in place -> send === vhost === recv --write direct --O_DIRECT--> disk  |  fio --rw=write
"""
from bench import store as stores
from bench.contest import Lab, profile
from bench.model import BenchError, Lacking
from bench.programs import wait_all
from bench.store import Store

FILE_BYTES = 1 << 30
EAL_BYTES = 448 << 20
LIMIT = 120.0
CACHE_MAX = FILE_BYTES // 100
# Huge pages also for fio's buffers: a disk's driver takes half the time for them that it takes for pages of 4 KiB.
FIO = "--direct=1 --ioengine=io_uring --iodepth=32 --bs=1M --fixedbufs=1 --mem=mmaphuge"


def check_cache(lab: Lab, path: str) -> None:
    """What went past the page cache left nothing there."""
    cached = lab.run(["fincore", "--bytes", "--noheadings", "--output", "RES", path]).find(r"(\d+)")
    if cached > CACHE_MAX:
        raise BenchError(f"{cached:.0f} bytes of {path} are in the page cache")


def send(lab: Lab, path: str) -> float:
    """No lead: the ring is not filled before the clock runs."""
    stores.drop(path)
    done = lab.run([lab.pagewire, "send", path, "--port", "null", "--to", "239.77.0.1", "--pages", "stream", "--lead",
                    "0", "--core", lab.source_cpu, "--json", "--quiet"], limit=LIMIT)
    if done.number("page_in_copies") > 0:
        raise Lacking(f"cannot stream {path}: its file system takes no O_DIRECT; name another with --dir")
    check_cache(lab, path)
    return done.number("goodput_bps") / 8e6


def fio_read(lab: Lab, path: str) -> float:
    stores.drop(path)
    return lab.run(["fio", "--name=read", "--rw=read", "--readonly", f"--filename={path}", *FIO.split(),
                    "--output-format=json"], cpu=lab.source_cpu, limit=LIMIT).number("jobs.0.read.bw_bytes") / 1e6


def recv(lab: Lab, store: Store, out: str) -> float:
    """The receiver's clock, until the last chunk is on the disk, the digest was compared and the file has its
    name."""
    socket, received = lab.temporary(f"{store.dir}/stream.sock"), lab.temporary(f"{out}/file0")
    to = lab.start([lab.pagewire, "recv", "--port", f"virtio-user:{socket}", "--core", lab.sink_cpu, "--mtu", 9000,
                    "--out", out, "--write", "direct", "--write-memory", "64MiB", "--force", "--json", "--quiet"],
                   limit=LIMIT)
    of = lab.start([lab.pagewire, "send", store.files[0].tmpfs, "--port", f"vhost:{socket}", "--to", "239.77.0.1",
                    "--core", lab.source_cpu, "--mtu", 9000, "--pages", "pagecache", "--json", "--quiet"],
                   limit=LIMIT)
    done, _ = wait_all(to, of)
    check_cache(lab, received)
    return FILE_BYTES / 1e6 / done.number("verified_seconds")


def fio_write(lab: Lab, out: str) -> float:
    path = lab.temporary(f"{out}/fio")
    return lab.run(["fio", "--name=write", "--rw=write", f"--filename={path}", f"--size={FILE_BYTES}",
                    *FIO.split(), "--output-format=json"],
                   cpu=lab.sink_cpu, limit=LIMIT).number("jobs.0.write.bw_bytes") / 1e6


@profile("stream", "disk to wire and wire to disk, past the page cache, against fio", rounds=9)
def stream(lab: Lab) -> None:
    store = lab.store(FILE_BYTES, eal_bytes=EAL_BYTES, on_disk=True)
    out = lab.directory(lab.dir)
    path = store.files[0].disk
    contest = lab.contest(
        "1 GiB from a disk, past the page cache", "MB/s",
        note="send: read, digested and handed to a port that throws it away; void when more than 1 % of the file is "
             "in the page cache afterwards (mincore). fio reads and does nothing with it. The host below a virtual "
             "machine may cache for both.")
    ours = contest.contender("send --pages stream", send, lab, path, how="goodput_bps")
    fio = contest.contender("fio read", fio_read, lab, path)
    contest.target(ours, fio, at_least=0.95)

    contest = lab.contest(
        "1 GiB to a new file on a disk, past the page cache", "MB/s",
        note="recv: from the first byte until all is on the disk, the digest is compared and the file has its name; "
             "MTU 9000. Both allocate the file first, neither calls fsync.")
    ours = contest.contender("recv --write direct", recv, lab, store, out, how="bytes / verified_seconds")
    fio = contest.contender("fio write", fio_write, lab, out)
    contest.target(ours, fio, at_least=0.9)
