# SPDX-License-Identifier: BSD-3-Clause
"""Real pagewire processes on virtual wires: what the tests stand on.

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

Nothing touches the interfaces of the host. Each test has a directory of its own, its processes have
deadlines and are killed by pid. What is left behind after a test fails it: a process, a socket
file, an interface, a namespace, a huge page.
"""
import ctypes
import filecmp
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time

import hugepages

HERE = os.path.dirname(os.path.abspath(__file__))
DEADLINE = 60.0  # seconds; a process that takes longer is stuck


class Skip(Exception):
    """The host lacks what the test needs."""


class Failed(Exception):
    """The test found something wrong."""


def once(function):
    """Marks a test that the sanitizer build is spared: its code runs there in other tests, and it is long."""
    function.once = True
    return function


def long(function):
    """Marks a test that runs when it is asked for, by --long or by its name."""
    function.long = True
    return function


def check(condition, message):
    if not condition:
        raise Failed(message)


def equal(got, want, what):
    check(got == want, f"{what}: got {got!r}, wanted {want!r}")


def poll_until(condition, seconds, what):
    """Waits for condition() to become true and returns its value."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        check(time.monotonic() < end, f"{what}: not within {seconds} s")
        time.sleep(0.02)


def die_with_parent():
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


class Process:
    """A child with its output in files, so that it never blocks on a pipe that nobody reads."""

    def __init__(self, test, argv, stdin=None):
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
    def out(self):
        with open(self.out_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    @property
    def err(self):
        with open(self.err_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    @property
    def json(self):
        try:
            return json.loads(self.out)
        except ValueError:
            raise Failed(f"no JSON on stdout:\n{self.describe()}") from None

    @property
    def running(self):
        return self.popen.poll() is None

    @property
    def code(self):
        return self.popen.returncode

    def wait(self, seconds=DEADLINE):
        try:
            self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failed(f"still running after {seconds} s:\n{self.describe()}") from None
        return self

    def ends_with(self, code, seconds=DEADLINE):
        self.wait(seconds)
        check(self.code == code, f"exit code {self.code}, wanted {code}:\n{self.describe()}")
        return self

    def signal(self, number):
        self.popen.send_signal(number)

    def kill(self):
        if self.running:
            self.popen.kill()
            self.popen.wait(10)

    def describe(self):
        def tail(text):
            return "".join(f"    {line}\n" for line in text.splitlines()[-40:])
        return (f"  $ {' '.join(self.argv)}\n  exit code: {self.code}\n"
                f"  stdout:\n{tail(self.out)}  stderr:\n{tail(self.err)}")


class Test:
    """What a test function gets: a directory, processes, namespaces."""

    def __init__(self, session, name):
        self.session = session
        self.name = name
        self.binary = session.binary
        self.dir = tempfile.mkdtemp(prefix="pwnet.")
        self.log_dir = os.path.join(self.dir, ".log")
        os.mkdir(self.log_dir)
        self.marker = f"PAGEWIRE_NET_TEST={os.getpid()}.{session.count}"
        self.began = time.clock_gettime(time.CLOCK_BOOTTIME)
        session.count += 1
        self.env = dict(os.environ, LC_ALL="C.UTF-8")
        self.env.setdefault("LSAN_OPTIONS", f"suppressions={HERE}/lsan.supp:print_suppressions=0")
        self.env.update([self.marker.split("=")])
        self.processes = []
        self.namespaces = {}
        self.mounts = []
        self.staged = []
        self.runtime_dirs = []  # of DPDK, below /run/dpdk
        self.problems = []

    # Files

    def path(self, *parts):
        return os.path.join(self.dir, *parts)

    def mkdir(self, name):
        os.makedirs(self.path(name), exist_ok=True)
        return self.path(name)

    def file(self, name, size):
        """Random content: no two stretches of it are alike."""
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(os.urandom(size))
        return path

    def stage(self, *paths):
        """Copies files to the session's private hugetlbfs by `pagewire stage`."""
        mount = self.hugetlbfs()
        self.run("stage", "--to", mount, *paths).ends_with(0)
        made = [os.path.join(mount, os.path.basename(p)) for p in paths]
        self.staged += made
        return made if len(made) > 1 else made[0]

    def hugetlbfs(self):
        return self.session.need_hugepages().mount

    def same(self, sent, received):
        check(os.path.isfile(received), f"{received} did not arrive")
        check(filecmp.cmp(sent, received, shallow=False), f"{received} differs from {sent}")

    def same_tree(self, sent, received):
        for folder, _, names in os.walk(sent):
            for name in names:
                path = os.path.join(folder, name)
                self.same(path, os.path.join(received, os.path.relpath(path, sent)))

    # Processes

    def spawn(self, *argv, stdin=None, ns=None):
        prefix = ["ip", "netns", "exec", self.namespaces[ns]] if ns else []
        return Process(self, prefix + list(argv), stdin)

    def start(self, command, *args, ns=None):
        return self.spawn(self.binary, command, *args, ns=ns)

    def run(self, command, *args, ns=None, seconds=DEADLINE):
        return self.start(command, *args, ns=ns).wait(seconds)

    def send(self, *args, ns=None):
        return self.start("send", *args, "--core", self.session.cpus[0], "--json", ns=ns)

    def recv(self, *args, ns=None):
        return self.start("recv", *args, "--core", self.session.cpus[1], "--json", ns=ns)

    def tool(self, *argv, ns=None):
        """A helper that must succeed; its output."""
        return self.spawn(*argv, ns=ns).ends_with(0).out

    def transfer(self, sender_port, receiver_port, files, send=(), recv=(), codes=(0, 0)):
        """One session between two processes, into the directory `in`; both results."""
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

    # Namespaces and what else is needed

    def need_root(self):
        if os.geteuid() != 0:
            raise Skip("needs root")

    def need_tool(self, name):
        if not shutil.which(name):
            raise Skip(f"needs {name}")

    def need_hugepages(self):
        return self.session.need_hugepages()

    def netns(self, key):
        """A namespace of our own, with loopback up; tests name it by its key."""
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

    def veth(self, mtu=1500):
        """Namespaces a and b, joined by va0 and va1, with addresses."""
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
            poll_until(lambda k=key, d=dev: self._ipv6_ready(k, d), 10, f"IPv6 on {dev}")

    def _ipv6_ready(self, key, dev):
        """The kernel gives the link-local address a little after the link is up."""
        found = self.tool("ip", "-6", "-o", "addr", "show", "dev", dev, ns=key)
        return "fe80:" in found and "tentative" not in found

    def tmpfs(self, name, size):
        self.need_root()
        path = self.mkdir(name)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", path],
                              capture_output=True, text=True, timeout=DEADLINE, check=False)
        if done.returncode:
            raise Skip(f"cannot mount tmpfs: {done.stderr.strip()}")
        self.mounts.append(path)
        return path

    @staticmethod
    def memory_available():
        with open("/proc/meminfo", encoding="ascii") as f:
            fields = dict(line.split(":") for line in f)
        return int(fields["MemAvailable"].split()[0]) * 1024

    def free_udp_port(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.bind(("127.0.0.1", 0))
            return s.getsockname()[1]

    # The end: nothing may be left

    def finish(self):
        """Cleans up always; returns what the test (or pagewire) left behind."""
        for step in (self._end_processes, self._find_orphans, self._look_for_sockets,
                     self._drop_staged, self._remove_namespaces, self._unmount):
            try:
                step()
            except (OSError, subprocess.SubprocessError) as e:
                self.problems.append(f"clean-up: {e}")
        for path in self.runtime_dirs + [self.dir]:
            shutil.rmtree(path, ignore_errors=True)
        return self.problems

    def _end_processes(self):
        for p in self.processes:
            if p.running:
                self.problems.append(f"left running: {' '.join(p.argv)}")
                p.kill()

    def _environment(self, pid):
        """Of a process. One that began after the test and has none may be between fork and exec: the
        kernel shows none for a moment."""
        for _ in range(50):
            with open(f"/proc/{pid}/environ", "rb") as f:
                text = f.read()
            with open(f"/proc/{pid}/stat", "rb") as f:
                fields = f.read().rpartition(b")")[2].split()
            if text or fields[0] == b"Z" or int(fields[19]) / os.sysconf("SC_CLK_TCK") < self.began - 1:
                break
            time.sleep(0.01)
        return text.split(b"\0")

    def _find_orphans(self):
        needle = self.marker.encode()
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                ours = needle in self._environment(pid)
            except OSError:
                continue
            if ours:
                self.problems.append(f"process {pid} was left behind")
                os.kill(int(pid), signal.SIGKILL)

    def _look_for_sockets(self):
        for folder, _, names in os.walk(self.dir):
            for name in names:
                path = os.path.join(folder, name)
                if stat.S_ISSOCK(os.lstat(path).st_mode):
                    self.problems.append(f"socket left behind: {path}")

    def _drop_staged(self):
        for path in self.staged:
            if os.path.exists(path):
                os.unlink(path)
        if self.session.hugepages:
            for _ in range(100):  # a process that was killed gives its pages back a little later
                used = self.session.hugepages.pages_used()
                if not used:
                    break
                time.sleep(0.05)
            if used:
                self.problems.append(f"{used} huge pages left behind")
                self.session.hugepages.drop_files()

    def _remove_namespaces(self):
        for key, name in self.namespaces.items():
            links = subprocess.run(["ip", "-n", name, "-o", "link"], capture_output=True,
                                   text=True, timeout=DEADLINE, check=False).stdout
            for line in links.splitlines():
                dev = line.split(": ")[1].split("@")[0]
                if dev not in ("lo", "va0", "va1"):
                    self.problems.append(f"interface left behind in namespace {key}: {dev}")
            subprocess.run(["ip", "netns", "del", name], timeout=DEADLINE, check=False)
            if os.path.exists(f"/run/netns/{name}"):
                self.problems.append(f"namespace left behind: {name}")

    def _unmount(self):
        for path in reversed(self.mounts):
            subprocess.run(["umount", path], timeout=DEADLINE, check=True)


class Session:
    """What all tests share."""

    def __init__(self, binary):
        self.binary = os.path.abspath(binary)
        self.count = 0
        self.hugepages = None
        self.no_hugepages = None
        cpus = sorted(os.sched_getaffinity(0))
        self.cpus = (str(cpus[0]), str(cpus[1 % len(cpus)]))

    def need_hugepages(self):
        if not self.hugepages and not self.no_hugepages:
            try:
                self.hugepages = hugepages.Reservation()
            except hugepages.Unavailable as e:
                self.no_hugepages = str(e)
        if self.no_hugepages:
            raise Skip(self.no_hugepages)
        return self.hugepages

    def finish(self):
        if self.hugepages:
            self.hugepages.release()
            self.hugepages = None
