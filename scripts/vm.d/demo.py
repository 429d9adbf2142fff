# SPDX-License-Identifier: BSD-3-Clause
"""scripts/vm demo: a file from a guest's huge pages through testpmd to a receiver that verifies it.

    guest                                        this host
    movie.bin on hugetlbfs                       in/movie.bin, verified
      | pagewire send, vfio-pci                    ^ pagewire recv
    0000:00:10.0 (virtio) == vhost-user == dpdk-testpmd, port 0 -> port 1 == virtio-user

It needs neither a privilege nor huge pages of this host. What it starts and makes ends with it.
"""
import argparse
import filecmp
import os
import re
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

from image import Missing
from machine import Broken, Machine, die_with_parent

FILE_BYTES = 4 << 20
START_SECONDS = 60  # for testpmd and the receiver, on a busy machine
MBUFS = 8192
# Two passes: a busy host may lose packets of the first one. Emulated CPUs carry no more.
SEND = "--to 239.77.0.1 --rate 40Mbit/s --loop 2"


def show(argv: list[str]) -> None:
    print("+ " + shlex.join(argv), flush=True)


class Program:
    """A process of the demo. What it says goes to a file in `work`."""

    def __init__(self, work: str, argv: list[str]) -> None:
        show(argv)
        self.name = os.path.basename(argv[2] if argv[0] == "stdbuf" else argv[0])
        self.log = os.path.join(work, self.name + ".log")
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(  # pylint: disable=consider-using-with,subprocess-popen-preexec-fn
                argv, stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT, preexec_fn=die_with_parent)
        assert self.process.stdin
        self.stdin: BinaryIO = self.process.stdin  # type: ignore[assignment]

    @property
    def said(self) -> str:
        with open(self.log, encoding="utf-8", errors="replace") as f:
            return f.read()

    def until(self, condition: Callable[[], object], what: str) -> None:
        end = time.monotonic() + START_SECONDS
        while not condition():
            if self.process.poll() is not None:
                raise Broken(f"{self.name} ended with {self.process.returncode}:\n{self.said}")
            if time.monotonic() > end:
                raise Broken(f"{self.name}: {what} was not there within {START_SECONDS} s:\n{self.said}")
            time.sleep(0.1)

    def do(self, command: str, last_words: str) -> None:
        count = self.said.count(last_words)
        self.stdin.write(command.encode() + b"\n")
        self.stdin.flush()
        self.until(lambda: self.said.count(last_words) > count, f"the answer to {command!r}")

    def end(self) -> None:
        with suppress(OSError):
            self.stdin.close()
        if self.process.poll() is None:
            self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(10)
        self.process.kill()
        self.process.wait()


@contextmanager
def program(work: str, argv: list[str]) -> Iterator[Program]:
    p = Program(work, argv)
    try:
        yield p
    finally:
        p.end()


def testpmd(work: str) -> list[str]:
    first, *rest = sorted(os.sched_getaffinity(0))
    return ["stdbuf", "-oL", "dpdk-testpmd", "--no-pci", "--no-huge", "--no-shconf", "--no-telemetry", "-m", "256",
            "--lcores", f"0@{first},1@{(rest or [first])[0]}",
            f"--vdev=net_vhost0,iface={work}/guest.sock,iommu-support=1", f"--vdev=net_vhost1,iface={work}/host.sock",
            "--", "-i", "--auto-start", "--forward-mode=io", f"--total-num-mbufs={MBUFS}"]


def rx_packets(peer: Program) -> int:
    """Of port 0, read until the number does not grow."""
    last = -1
    while True:
        before = len(peer.said)
        peer.do("show port stats 0", "Tx-bps")
        now = int(re.findall(r"RX-packets: +(\d+)", peer.said[before:])[0])
        if now == last:
            return now
        last = now
        time.sleep(0.2)


def transfer(config: argparse.Namespace, guest: Machine, environment: dict[str, str], work: str) -> None:
    pagewire = program_of(environment)
    source, out = os.path.join(work, "movie.bin"), os.path.join(work, "in")
    os.mkdir(out)
    with open(source, "wb") as f:
        f.write(os.urandom(FILE_BYTES))
    with program(work, testpmd(work)) as peer:
        peer.until(lambda: os.path.exists(f"{work}/host.sock") and "testpmd>" in peer.said, "its prompt")
        with program(work, [pagewire, "recv", "--port", f"virtio-user:{work}/host.sock", "--out", out, "--expect", "1",
                            "--timeout", f"{config.timeout:.0f}s", "--no-huge"]) as receiver:
            receiver.until(lambda: "receiving on" in receiver.said, "its port")
            commands = (f"pagewire stage {source} --to /dev/hugepages && "
                        f"pagewire send /dev/hugepages/movie.bin --port 0000:00:10.0 {SEND}")
            print(f"+ scripts/vm run --hugepages 300 --net vhost-user:{work}/guest.sock --driver vfio-pci -- sh -c "
                  f"{shlex.quote(commands)}", flush=True)
            status = guest.run(["sh", "-c", commands], environment)
            if status:
                raise Broken(f"the sender ended with {status}")
            receiver.until(lambda: "received" in receiver.said, "the file")
            print(receiver.said, end="")
            if not filecmp.cmp(source, os.path.join(out, "movie.bin"), shallow=False):
                raise Broken("the received file differs")
        print(f"testpmd received {rx_packets(peer)} packets from the guest\n"
              "the received file is identical, byte for byte", flush=True)


def program_of(environment: dict[str, str]) -> str:
    path = os.path.join(environment["PATH"].partition(":")[0], "pagewire")
    if not os.access(path, os.X_OK):
        raise Missing(f"there is no {path}; run ./quickstart, or give --pagewire FILE")
    return path


def configure(config: argparse.Namespace, work: str) -> None:
    """The guest of the demo."""
    config.net, config.driver, config.hugepages = [f"vhost-user:{work}/guest.sock"], "vfio-pci", 300


def run(config: argparse.Namespace, make_guest: Callable[[], Machine], environment: dict[str, str]) -> int:
    if not shutil.which("dpdk-testpmd"):
        raise Missing("there is no dpdk-testpmd; install dpdk-dev")
    work = tempfile.mkdtemp(prefix="pagewire-demo.")
    try:
        configure(config, work)
        transfer(config, make_guest(), environment, work)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return 0
