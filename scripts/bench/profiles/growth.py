# SPDX-License-Identifier: BSD-3-Clause
"""Checks that ten times the work takes at most ten times the time and memory: many small files in one session, and
one file through 256 MiB of memory. Through the null port: what is left is what a file costs pagewire."""
from bench.contest import Lab, profile

SMALL_BYTES = 4096
COUNTS = [1, 10, 100, 1000, 10_000, 100_000]
SIZES = {"1 MiB": 1 << 20, "64 MiB": 64 << 20, "1 GiB": 1 << 30, "4 GiB": 4 << 30, "16 GiB": 16 << 30,
         "64 GiB": 64 << 30}


def make_hole(path: str, length: int) -> str:
    """A file without bytes of its own, which reads as zeros."""
    with open(path, "xb") as f:
        f.truncate(length)
    return path


def make_files(lab: Lab, parent: str, n: int) -> str:
    directory = lab.directory(parent)
    for i in range(n):
        make_hole(f"{directory}/{i:06}", SMALL_BYTES)
    return directory


def send(lab: Lab, path: str, pages: str, unit: str) -> float:
    done = lab.run([lab.pagewire, "send", path, "--port", "null", "--to", "239.77.0.1", "--pages", pages, "--no-huge",
                    "--lead", "0", "--quiet"], limit=180)
    return done.seconds if unit == "seconds" else done.peak_bytes / 2**20


@profile("growth", "time and memory over the number and the size of files: no worse than linear", rounds=3)
def growth(lab: Lab) -> None:
    store = lab.store()
    sparse = lab.directory(lab.dir)
    # name, work, path
    many = [(f"{n} file{'s' * (n > 1)}", n, make_files(lab, f"{store.dir}/tmpfs", n)) for n in COUNTS]
    large = [(name, size, make_hole(f"{sparse}/{size}", size)) for name, size in SIZES.items()]
    for title, over, pages, jobs, how in (
            ("many small files in one session", "files of 4 KiB", "pagecache", many, "in DIR: files of 4096 bytes"),
            ("one file through 256 MiB of memory", "size of the file", "stream", large, "truncate -s makes the file")):
        for what, unit in ("start to end", "seconds"), ("peak memory", "MiB"):
            contest = lab.contest(f"{title}, {what}", unit, over=over)
            steps = [contest.contender(name, send, lab, path, pages, unit, work=work, how=how)
                     for name, work, path in jobs]
            # before the last three steps it is what starting a program costs
            for i in range(len(jobs) - 3, len(jobs)):
                contest.target(steps[i], steps[i - 1], at_most=jobs[i][1] / jobs[i - 1][1])
