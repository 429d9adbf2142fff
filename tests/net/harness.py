# SPDX-License-Identifier: BSD-3-Clause
"""Starts real pagewire processes on virtual wires, and checks that a test leaves nothing behind.

    vhost / virtio-user / memif           one unix socket in the test's directory, two processes
    +----------------+   SOCK    +----------------+
    | pagewire send  |<--------->| pagewire recv  |      or dpdk-testpmd on either side
    | CPU a          |           | CPU b          |
    +----------------+           +----------------+

    af_packet / af_xdp                    two network namespaces, one veth pair
    netns pw<pid>a                        netns pw<pid>b
    +-----------------------+             +----------------------------------------+
    | pagewire send         |    veth     | pagewire recv --listen --interface va1 |
    | 10.77.0.1/24     va0  |<----------->| va1   10.77.0.2/24                     |
    +-----------------------+             +----------------------------------------+

    tap                                   one namespace; send makes the tap, recv listens behind it

No test touches the interfaces of the host. Each test has its own directory. Its processes have deadlines
and are killed by pid. A test fails when it leaves something behind: a process, a socket file, an
interface, a namespace, a huge page.
"""
from __future__ import annotations

import ctypes
import filecmp
import functools
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import hugepages

T = TypeVar("T")
Function = TypeVar("Function", bound=Callable[..., None])

HERE = os.path.dirname(os.path.abspath(__file__))
DEADLINE = 60.0  # seconds; a process that takes longer is stuck
# Below the ports that the kernel gives to sockets by itself, so that no other socket takes one in the
# moment between the choice and the receiver's bind().
FIRST_PORT, PORTS_PER_WORKER = 10000, 2000


class Skip(Exception):
    """The host lacks what the test needs."""


class Failed(Exception):
    """The test found something wrong."""


def once(function: Function) -> Function:
    """Marks a test that runs in the plain build: it is slow, and other tests run its code under the sanitizers."""
    setattr(function, "once", True)
    return function


def long(function: Function) -> Function:
    """Marks a test that runs only with --long, or when -k selects it."""
    setattr(function, "long", True)
    return function


def alone(function: Function) -> Function:
    """Marks a test that measures: nothing runs beside it."""
    setattr(function, "alone", True)
    return function


def exclusive(function: Function) -> Function:
    """Marks a test of a CONCURRENT module that needs the huge pages, or CPU time."""
    setattr(function, "concurrent", False)
    return function


def concurrent(function: Function) -> Function:
    """Marks a test that may run beside others, in a module whose tests otherwise may not."""
    setattr(function, "concurrent", True)
    return function


def check(condition: object, message: str) -> None:
    if not condition:
        raise Failed(message)


def equal(got: object, want: object, what: str) -> None:
    check(got == want, f"{what}: got {got!r}, wanted {want!r}")


def poll_until(condition: Callable[[], T], seconds: float, what: str) -> T:
    """Waits for condition() to become true and returns its value."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        check(time.monotonic() < end, f"{what}: not within {seconds} s")
        time.sleep(0.02)


def die_with_parent() -> None:
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


class Process:
    """A child process. Its output goes to files, so that it never blocks on a full pipe."""

    def __init__(self, test: Test, argv: Iterable[object], stdin: int | None = None) -> None:
        self.argv = [str(a) for a in argv]
        number = len(test.processes)
        self.out_path = os.path.join(test.log_dir, f"{number}.out")
        self.err_path = os.path.join(test.log_dir, f"{number}.err")
        with open(self.out_path, "wb") as out, open(self.err_path, "wb") as err:
            self.popen = subprocess.Popen(
                self.argv, stdin=stdin or subprocess.DEVNULL, stdout=out, stderr=err,
                cwd=test.dir, env=test.env, preexec_fn=die_with_parent)
        self.pid = self.popen.pid
        test.processes.append(self)

    @property
    def out(self) -> str:
        with open(self.out_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    @property
    def err(self) -> str:
        with open(self.err_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    @property
    def json(self) -> Any:
        try:
            return json.loads(self.out)
        except ValueError:
            raise Failed(f"no JSON on stdout:\n{self.describe()}") from None

    @property
    def running(self) -> bool:
        return self.popen.poll() is None

    @property
    def code(self) -> int | None:
        return self.popen.returncode

    def wait(self, seconds: float = DEADLINE) -> Process:
        try:
            self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failed(f"still running after {seconds} s:\n{self.describe()}") from None
        return self

    def ends_with(self, code: int, seconds: float = DEADLINE) -> Process:
        self.wait(seconds)
        check(self.code == code, f"exit code {self.code}, wanted {code}:\n{self.describe()}")
        return self

    def signal(self, number: int) -> None:
        self.popen.send_signal(number)

    def kill(self) -> None:
        if self.running:
            self.popen.kill()
            self.popen.wait(10)

    def describe(self) -> str:
        def tail(text: str) -> str:
            return "".join(f"    {line}\n" for line in text.splitlines()[-40:])
        return (f"  $ {' '.join(self.argv)}\n  exit code: {self.code}\n"
                f"  stdout:\n{tail(self.out)}  stderr:\n{tail(self.err)}")


class Test:
    """The argument of a test function: its directory, processes and namespaces."""

    def __init__(self, session: Session, name: str) -> None:
        self.session = session
        self.name = name
        self.binary = session.binary
        self.dir: str = tempfile.mkdtemp(prefix="pwnet.")
        self.log_dir: str = os.path.join(self.dir, ".log")
        os.mkdir(self.log_dir)
        self.marker = f"PAGEWIRE_NET_TEST={os.getpid()}.{session.count}"
        self.began = time.clock_gettime(time.CLOCK_BOOTTIME)
        session.count += 1
        self.env: dict[str, str] = dict(os.environ, LC_ALL="C.UTF-8")
        self.env.setdefault("LSAN_OPTIONS", f"suppressions={HERE}/lsan.supp:print_suppressions=0")
        self.env["PAGEWIRE_NET_TEST"] = self.marker.partition("=")[2]
        self.processes: list[Process] = []
        self.namespaces: dict[str, str] = {}
        self.devices = {"lo", "va0", "va1"}  # that the test itself makes
        self.mounts: list[str] = []
        self.staged: list[str] = []
        self.runtime_dirs: list[str] = []  # of DPDK, below /run/dpdk
        self.problems: list[str] = []
        self.page_seconds = 5.0  # how long the kernel may take to free a killed process's huge pages

    # Files

    def path(self, *parts: str) -> str:
        return os.path.join(self.dir, *parts)

    def mkdir(self, name: str) -> str:
        os.makedirs(self.path(name), exist_ok=True)
        return self.path(name)

    def file(self, name: str, size: int) -> str:
        """Makes a file of random bytes, so that a symbol at a wrong place is noticed."""
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(os.urandom(size))
        return path

    def stage(self, *paths: str) -> Any:
        """Copies files to the session's private hugetlbfs with `pagewire stage`; returns the path or paths."""
        mount = self.hugetlbfs()
        self.run("stage", "--to", mount, *paths).ends_with(0)
        made = [os.path.join(mount, os.path.basename(p)) for p in paths]
        self.staged += made
        return made if len(made) > 1 else made[0]

    def hugetlbfs(self) -> str:
        return self.session.need_hugepages().mount

    def same(self, sent: str, received: str) -> None:
        check(os.path.isfile(received), f"{received} did not arrive")
        check(filecmp.cmp(sent, received, shallow=False), f"{received} differs from {sent}")

    def same_tree(self, sent: str, received: str) -> None:
        for folder, _, names in os.walk(sent):
            for name in names:
                path = os.path.join(folder, name)
                self.same(path, os.path.join(received, os.path.relpath(path, sent)))

    # Processes

    def spawn(self, *argv: object, stdin: int | None = None, ns: str | None = None) -> Process:
        prefix = ["ip", "netns", "exec", self.namespaces[ns]] if ns else []
        return Process(self, prefix + list(argv), stdin)

    def start(self, command: str, *args: object, ns: str | None = None) -> Process:
        return self.spawn(self.binary, command, *args, ns=ns)

    def run(self, command: str, *args: object, ns: str | None = None,
            seconds: float = DEADLINE) -> Process:
        return self.start(command, *args, ns=ns).wait(seconds)

    def send(self, *args: object, ns: str | None = None) -> Process:
        return self.start("send", *args, "--core", self.session.cpus[0], "--json", ns=ns)

    def recv(self, *args: object, ns: str | None = None) -> Process:
        return self.start("recv", *args, "--core", self.session.cpus[1], "--json", ns=ns)

    def tool(self, *argv: object, ns: str | None = None) -> str:
        """Runs a command that must succeed; returns its output."""
        return self.spawn(*argv, ns=ns).ends_with(0).out

    def transfer(self, sender_port: str, receiver_port: str, files: Iterable[str],
                 send: Iterable[object] = (), recv: Iterable[object] = (),
                 codes: tuple[int, int] = (0, 0)) -> tuple[Any, Any]:
        """Runs one session between two processes, into the directory `in`; returns both results."""
        out = self.mkdir("in")
        tx = self.send("--port", sender_port, "--to", "239.77.0.1:4001", *send, *files)
        rx = self.recv("--port", receiver_port, "--out", out, "--timeout", "20s", *recv)
        try:
            rx.wait()
            tx.wait()
        except Failed as e:
            raise Failed(f"{e}\nsender:\n{tx.describe()}\nreceiver:\n{rx.describe()}") from None
        check((tx.code, rx.code) == codes,
              f"exit codes {tx.code}, {rx.code}, wanted {codes}\n{tx.describe()}\n{rx.describe()}")
        return tx.json, rx.json

    # Requirements and namespaces

    def need_root(self) -> None:
        if os.geteuid() != 0:
            raise Skip("needs root")

    def need_tool(self, name: str) -> None:
        if not shutil.which(name):
            raise Skip(f"needs {name}")

    def need_hugepages(self) -> hugepages.Reservation:
        return self.session.need_hugepages()

    def netns(self, key: str) -> str:
        """Makes a namespace with loopback up. Tests refer to it by its key."""
        self.need_root()
        self.need_tool("ip")
        name = f"pw{os.getpid()}{key}"
        made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True,
                              timeout=DEADLINE, check=False)
        if made.returncode:
            raise Skip(f"no network namespaces here: {made.stderr.strip()}")
        self.namespaces[key] = name
        self.tool("ip", "link", "set", "lo", "up", ns=key)
        return name

    def veth(self, mtu: int = 1500) -> None:
        """Makes the namespaces a and b, joined by va0 and va1, with addresses."""
        self.netns("a")
        self.netns("b")
        a, b = self.namespaces["a"], self.namespaces["b"]
        for key in "ab":  # duplicate address detection would take seconds
            self.tool("sh", "-c", "echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad", ns=key)
        self.tool("ip", "link", "add", "va0", "netns", a, "mtu", str(mtu), "type", "veth",
                  "peer", "name", "va1", "netns", b, "mtu", str(mtu))
        for key, dev, host in (("a", "va0", 1), ("b", "va1", 2)):
            self.tool("ip", "addr", "add", f"10.77.0.{host}/24", "dev", dev, ns=key)
            self.tool("ip", "-6", "addr", "add", f"fd77::{host}/64", "dev", dev, "nodad", ns=key)
            self.tool("ip", "link", "set", dev, "up", ns=key)
        for key, dev in (("a", "va0"), ("b", "va1")):
            poll_until(functools.partial(self._ipv6_ready, key, dev), 10, f"IPv6 on {dev}")

    def _ipv6_ready(self, key: str, dev: str) -> bool:
        """The kernel assigns the link-local address some time after the link is up."""
        found = self.tool("ip", "-6", "-o", "addr", "show", "dev", dev, ns=key)
        return "fe80:" in found and "tentative" not in found

    def tmpfs(self, name: str, size: int | str) -> str:
        self.need_root()
        path = self.mkdir(name)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", path],
                              capture_output=True, text=True, timeout=DEADLINE, check=False)
        if done.returncode:
            raise Skip(f"cannot mount tmpfs: {done.stderr.strip()}")
        self.mounts.append(path)
        return path

    @staticmethod
    def memory_available() -> int:
        with open("/proc/meminfo", encoding="ascii") as f:
            fields = dict(line.split(":") for line in f)
        return int(fields["MemAvailable"].split()[0]) * 1024

    def free_udp_port(self) -> int:
        return self.session.free_udp_port()

    # The end of a test

    def finish(self) -> list[str]:
        """Removes everything that the test made; returns what the test or pagewire left behind."""
        for step in (self._end_processes, self._find_orphans, self._look_for_sockets,
                     self._drop_staged, self._remove_namespaces, self._unmount):
            try:
                step()
            except (OSError, subprocess.SubprocessError) as e:
                self.problems.append(f"clean-up: {e}")
        for path in self.runtime_dirs + [self.dir]:
            shutil.rmtree(path, ignore_errors=True)
        return self.problems

    def _end_processes(self) -> None:
        for p in self.processes:
            if p.running:
                self.problems.append(f"left running: {' '.join(p.argv)}")
                p.kill()

    def _environment(self, pid: str) -> list[bytes]:
        """Returns the environment of a process. Between fork and exec the kernel shows an empty one for a
        moment, so a process that began after the test is asked again."""
        for _ in range(50):
            with open(f"/proc/{pid}/environ", "rb") as f:
                text = f.read()
            with open(f"/proc/{pid}/stat", "rb") as f:
                fields = f.read().rpartition(b")")[2].split()
            if text or fields[0] == b"Z" or int(fields[19]) / os.sysconf("SC_CLK_TCK") < self.began - 1:
                break
            time.sleep(0.01)
        return text.split(b"\0")

    def _find_orphans(self) -> None:
        needle = self.marker.encode()
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                ours = needle in self._environment(pid)
            except OSError:
                continue
            if ours:
                self.problems.append(f"process {pid} was left behind")
                os.kill(int(pid), signal.SIGKILL)

    def _look_for_sockets(self) -> None:
        for folder, _, names in os.walk(self.dir):
            for name in names:
                path = os.path.join(folder, name)
                if stat.S_ISSOCK(os.lstat(path).st_mode):
                    self.problems.append(f"socket left behind: {path}")

    def _drop_staged(self) -> None:
        for path in self.staged:
            if os.path.exists(path):
                os.unlink(path)
        if self.session.hugepages:
            end = time.monotonic() + self.page_seconds
            while (used := self.session.hugepages.pages_used()) and time.monotonic() < end:
                time.sleep(0.05)
            if used:
                self.problems.append(f"{used} huge pages left behind")
                self.session.hugepages.drop_files()

    def _remove_namespaces(self) -> None:
        for key, name in self.namespaces.items():
            links = subprocess.run(["ip", "-n", name, "-o", "link"], capture_output=True,
                                   text=True, timeout=DEADLINE, check=False).stdout
            for line in links.splitlines():
                dev = line.split(": ")[1].split("@")[0]
                if dev not in self.devices:
                    self.problems.append(f"interface left behind in namespace {key}: {dev}")
            subprocess.run(["ip", "netns", "del", name], timeout=DEADLINE, check=False)
            if os.path.exists(f"/run/netns/{name}"):
                self.problems.append(f"namespace left behind: {name}")

    def _unmount(self) -> None:
        for path in reversed(self.mounts):
            end = time.monotonic() + DEADLINE
            while subprocess.run(["umount", path], timeout=DEADLINE, check=False,
                                 capture_output=True).returncode:
                # a process that another test starts may hold a copy for a moment
                if time.monotonic() > end:
                    raise OSError(f"cannot unmount {path}")
                time.sleep(0.05)


class Session:
    """The state that the tests of one worker share: the program, the CPUs, the huge pages."""

    def __init__(self, binary: str, worker: int = 0) -> None:
        """worker: 0 runs exclusive tests, and has the huge pages; the others have numbers from 1 on."""
        self.binary = os.path.abspath(binary)
        self.worker = worker
        self.count = 0
        self.n_ports = 0
        self.hugepages: hugepages.Reservation | None = None
        self.no_hugepages = ""
        cpus = sorted(os.sched_getaffinity(0))
        self.cpus = (str(cpus[0]), str(cpus[1 % len(cpus)]))

    def free_udp_port(self) -> int:
        """A port of this worker's own range that is free."""
        for _ in range(PORTS_PER_WORKER):
            port = FIRST_PORT + self.worker * PORTS_PER_WORKER + self.n_ports % PORTS_PER_WORKER
            self.n_ports += 1
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                try:
                    s.bind(("", port))
                    return port
                except OSError:
                    continue
        raise Failed("no free UDP port")

    def need_hugepages(self) -> hugepages.Reservation:
        check(self.worker == 0, "this test needs huge pages: mark it `exclusive`")
        if not self.hugepages and not self.no_hugepages:
            try:
                self.hugepages = hugepages.Reservation()
            except hugepages.Unavailable as e:
                self.no_hugepages = str(e)
        if not self.hugepages:
            raise Skip(self.no_hugepages)
        return self.hugepages

    def finish(self) -> None:
        if self.hugepages:
            self.hugepages.release()
            self.hugepages = None
