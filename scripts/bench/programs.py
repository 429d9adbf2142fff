# SPDX-License-Identifier: BSD-3-Clause
"""Runs the programs that a profile measures: pagewire itself, testpmd, fio, iperf3.

They are started without a shell, have a time limit, and end with the bench, even if it is killed.

    Program(argv)  ->  until("Press enter")  ->  say("stop\n")  ->  wait()  ->  Finished
"""
from __future__ import annotations

import json
import os
import re
import resource
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Any

from bench import linux
from bench.model import BenchError, Lacking
from bench.wires import enter

LIMIT_S = 60.0
TEXT_MAX = 1 << 20   # bytes of each stream; what goes beyond is dropped
PATIENCE_S = 2.0     # between SIGINT and SIGKILL
POLL_S = 0.02
ENVIRONMENT = 77     # exit code of a program that says: this host lacks something


@dataclass(frozen=True)
class Finished:
    """What a program said, and what it cost."""
    name: str
    stdout: str
    stderr: str
    seconds: float      # from just before its start until it has ended
    cpu_seconds: float  # user and system, with the children that it waited for
    peak_bytes: int     # largest resident set; not below that of the bench itself, about 25 MB

    def _at(self, path: str) -> Any:
        at = json.loads(self.stdout)
        for key in path.split("."):
            at = at[int(key) if isinstance(at, list) else key]
        return at

    def number(self, path: str) -> float:
        """A number of the JSON object on its standard output: "end.sum.lost_percent", "jobs.0.read.bw_bytes"."""
        try:
            at = self._at(path)
            if isinstance(at, bool) or not isinstance(at, (int, float)):
                raise TypeError
        except (ValueError, KeyError, IndexError, TypeError):
            raise BenchError(f"cannot read the output of {self.name}: it has no number {path}") from None
        return float(at)

    def pairs(self, path: str) -> list[tuple[float, int]]:
        """A histogram of that object: ends of its classes, and counts."""
        try:
            return [(float(end), int(n)) for end, n in self._at(path)]
        except (ValueError, KeyError, IndexError, TypeError):
            raise BenchError(f"cannot read the output of {self.name}: it has no pairs {path}") from None

    def find(self, pattern: str) -> float:
        """The number that the first group of a regular expression finds in its standard output, or in its errors."""
        for text in (self.stdout, self.stderr):
            match = re.search(pattern, text)
            if match:
                return float(match[1])
        raise BenchError(f"cannot read the output of {self.name}: nothing there matches {pattern}")


class _Stream:
    """What a program writes into one of its two pipes."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self.pipe = pipe
        self.bytes = bytearray()

    def take(self) -> None:
        """Reads what is there; closes the pipe at its end."""
        got = os.read(self.pipe.fileno(), 65536)
        self.bytes += got[:TEXT_MAX - len(self.bytes)]
        if not got:
            self.pipe.close()

    def text(self) -> str:
        return self.bytes.decode(errors="replace")


class Program:
    """A program that was started. end() must follow in every case; as a context manager it does."""

    def __init__(self, argv: Sequence[object], cpu: int | None = None, limit: float = LIMIT_S,
                 namespace: int = -1) -> None:
        """cpu: it runs there only. limit: in seconds, for each until() and for wait(). namespace: descriptor of a
        network namespace, -1: ours. Lacking: there is no such program."""
        words = [str(word) for word in argv]
        self.name = os.path.basename(words[0])
        self.limit = limit
        if not shutil.which(words[0]):
            raise Lacking(f"cannot run {self.name}: it is not installed here; run scripts/setup.sh")
        parent = os.getpid()

        def become() -> None:
            linux.die_with(parent)
            if cpu is not None:
                os.sched_setaffinity(0, {cpu})

        self._start_ns = time.monotonic_ns()
        self._process = subprocess.Popen(
            enter(namespace, words), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0,
            process_group=0, preexec_fn=become)
        assert self._process.stdout and self._process.stderr
        self._out, self._err = _Stream(self._process.stdout), _Stream(self._process.stderr)

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def _listen(self) -> bool:
        """Takes what it has said meanwhile. False: both streams are at their ends."""
        pipes = {s.pipe: s for s in (self._out, self._err) if not s.pipe.closed}
        if not pipes:
            return False
        for pipe in select.select(list(pipes), [], [], POLL_S)[0]:
            pipes[pipe].take()
        return True

    def _check_time(self, deadline: float) -> None:
        if time.monotonic() > deadline:
            raise BenchError(f"cannot run {self.name}: it exceeded its time limit of {self.limit:g} s")

    def _failure(self, what: str) -> str:
        """With its last line, which most likely says why."""
        said = (self._err.text().strip() or self._out.text().strip()).splitlines()
        return f"cannot run {self.name}: {what}" + (f": {said[-1].strip()[:200]}" if said else "")

    def until(self, text: str) -> None:
        """Waits until the text is in one of its streams."""
        deadline = time.monotonic() + self.limit
        while text.encode() not in self._out.bytes and text.encode() not in self._err.bytes:
            if not self._listen():
                raise BenchError(self._failure("it ended early"))
            self._check_time(deadline)

    def until_exists(self, path: str) -> None:
        """Waits until it has made the file or the socket."""
        deadline = time.monotonic() + self.limit
        while not os.path.exists(path):
            if not self._listen():
                raise BenchError(self._failure("it ended early"))
            self._check_time(deadline)

    def say(self, text: str) -> None:
        """Writes to its standard input."""
        assert self._process.stdin
        try:
            self._process.stdin.write(text.encode())
        except (OSError, ValueError):
            raise BenchError(self._failure("it takes no more commands")) from None

    def wait(self) -> Finished:
        """Closes its input and waits until it has ended with exit code 0. Other codes: BenchError, 77: Lacking."""
        assert self._process.stdin
        deadline = time.monotonic() + self.limit
        self._process.stdin.close()
        while not self.has_ended():
            self._check_time(deadline)
        seconds = (time.monotonic_ns() - self._start_ns) / 1e9
        usage = self._reap()
        while self._listen():  # its children have ended as well: the pipes have no writer
            pass
        code = self._process.returncode
        if code == ENVIRONMENT:
            raise Lacking(self._failure(f"exit code {code}"))
        if code:
            raise BenchError(self._failure(f"exit code {code}" if code > 0 else f"signal {-code}"))
        return Finished(self.name, self._out.text(), self._err.text(), seconds,
                        usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)

    def has_ended(self) -> bool:
        """Takes what it says meanwhile. Leaves it unreaped: its number, which is that of its group, stays taken."""
        if not self._listen():
            time.sleep(0.001)
        return os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def _reap(self) -> resource.struct_rusage:
        """Kills what is left of its group, and takes its exit status."""
        os.killpg(self._process.pid, signal.SIGKILL)
        usage: resource.struct_rusage
        _, status, usage = os.wait4(self._process.pid, 0)
        self._process.returncode = os.waitstatus_to_exitcode(status)
        return usage

    def end(self) -> None:
        """Ends it and its children by SIGINT, and after two seconds by SIGKILL."""
        if self._process.returncode is None:
            os.killpg(self._process.pid, signal.SIGINT)
            deadline = time.monotonic() + PATIENCE_S
            while not self.has_ended() and time.monotonic() < deadline:
                pass
            self._reap()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe:
                pipe.close()


def wait_all(*programs: Program) -> list[Finished]:
    """Waits for programs that work together. The first to fail is the error: the others fail because of it."""
    ended: dict[Program, Finished] = {}
    deadline = time.monotonic() + max(p.limit for p in programs)
    while len(ended) < len(programs):
        for p in programs:
            if p not in ended and (p.has_ended() or time.monotonic() > deadline):
                ended[p] = p.wait()
    return [ended[p] for p in programs]
