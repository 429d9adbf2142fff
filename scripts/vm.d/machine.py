# SPDX-License-Identifier: BSD-3-Clause
"""One guest: builds the QEMU command line, runs QEMU, passes on the guest's output.

The guest writes to virtio-serial ports, which are socket pairs here. Each stream ends with a token, so that the
end of the output is known without a power-off. QEMU ends with this process.
"""
import ctypes
import os
import secrets
import selectors
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

from image import HERE, Missing

QEMU = "qemu-system-x86_64"
STREAMS = ("out", "err", "status")
PEER_SECONDS = 10
CONSOLE_KEPT = 64 * 1024
NIC_MODELS = {"virtio": "virtio-net-pci,disable-legacy=on,iommu_platform=on,ats=on",
              "e1000": "e1000", "e1000e": "e1000e", "vmxnet3": "vmxnet3"}
IOMMU = ["-device", "intel-iommu,intremap=on,device-iotlb=on,aw-bits=48"]
BACKENDS = {"user": "user", "hub": "hubport,hubid=0",
            "tap": "tap,script=no,downscript=no,ifname={}",
            "listen": "stream,server=on,addr.type=unix,addr.path={}",
            "connect": "stream,server=off,addr.type=unix,addr.path={}"}


class Broken(Exception):
    """QEMU or the guest failed."""


class TimedOut(Exception):
    """The command did not end within the time limit."""


def doubled(path):
    """Doubles commas: QEMU splits its options at single ones."""
    return path.replace(",", ",,")


def nic(number, text, iommu=True, hotplug=False, reconnect=False):
    """QEMU's options for --net TEXT; ValueError where TEXT is no network device. hotplug: behind its own
    root port, so that it can be removed. reconnect: to a vhost-user process that restarts."""
    model, _, rest = text.partition(":")
    backend, _, where = rest.partition(":")
    options, hints = [], ""
    if model in ("vhost-user", "vhost-user-server"):
        if not rest:
            raise ValueError(f"{model} needs the path of a socket: {model}:SOCKET")
        again = ",reconnect=1" if reconnect else ""
        server = ",server=on,wait=off" if model == "vhost-user-server" else again
        options += ["-chardev", f"socket,id=vhost{number},path={doubled(os.path.abspath(rest))}{server}"]
        netdev, model = f"vhost-user,chardev=vhost{number}", "virtio"
        hints = ",vectors=0"  # QEMU 7.2 crashes when vhost starts with MSI-X under tcg
    elif model not in NIC_MODELS:
        raise ValueError(f"no model of a NIC: {model}; there are {', '.join(NIC_MODELS)}, vhost-user")
    else:
        if (backend or "user") not in BACKENDS:
            raise ValueError(f"nothing to connect a NIC to: {backend}; there are {', '.join(BACKENDS)}")
        netdev = BACKENDS[backend or "user"]
        if ("{}" in netdev) != bool(where):
            raise ValueError(f"{text}: {'a name is missing' if not where else 'one name too many'}")
        netdev = netdev.format(doubled(where if backend == "tap" else os.path.abspath(where)))
    model = NIC_MODELS[model] if iommu else NIC_MODELS[model].replace("=on,ats=on", "=off")
    device = f"{model},netdev=net{number},mac=52:54:00:00:00:{number:02x}{hints}"
    slot = f"addr={0x10 + number:#x}"
    if hotplug:
        options += ["-device", f"pcie-root-port,id=port{number},chassis={number + 1},{slot}"]
        slot = f"bus=port{number}"
    return [*options, "-netdev", f"{netdev},id=net{number}", "-device", f"{device},id=nic{number},{slot}"]


def await_peers(nets, deadline):
    """Waits until the sockets to which QEMU connects are there: their processes may start in this moment."""
    paths = [text.rpartition(":")[2] for text in nets if text.startswith("vhost-user:") or ":connect:" in text]
    end = min(deadline, time.monotonic() + PEER_SECONDS)
    for path in paths:
        while not os.path.exists(path) and time.monotonic() < end:
            time.sleep(0.1)
            if os.path.exists(path):
                time.sleep(0.1)  # between bind() and listen()


def memory(size, cpus, nodes):
    """QEMU's options for the guest's memory. It is shared, because a vhost-user peer reads it."""
    backend = "memory-backend-memfd,share=on"
    if nodes == 1:
        return ["-machine", "memory-backend=ram", "-object", f"{backend},id=ram,size={size}"]
    unit = size.lstrip("0123456789")
    share_kib = int(size.removesuffix(unit)) * {"": 1024, "M": 1024, "G": 1024 * 1024}[unit] // nodes
    options = []
    for node in range(nodes):
        first, last = node * cpus // nodes, (node + 1) * cpus // nodes - 1
        options += ["-object", f"{backend},id=ram{node},size={share_kib}K",
                    "-numa", f"node,nodeid={node},cpus={first}-{last},memdev=ram{node}"]
    return options


def share(tag, path, writable):
    mode = "" if writable else ",readonly=on"
    return ["-fsdev", f"local,id={tag},path={doubled(path)},security_model=none,multidevs=remap{mode}",
            "-device", f"virtio-9p-pci,fsdev={tag},mount_tag={tag}"]


def assignment(word):
    """A word of a shell command. Of NAME=VALUE only the value is quoted, so that it stays an assignment."""
    name, equals, value = word.partition("=")
    return f"{name}={shlex.quote(value)}" if equals and name.isidentifier() else shlex.quote(word)


def die_with_parent():
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


class Machine:
    """config: the parsed options of scripts/vm; image: an image.Image."""

    def __init__(self, config, image, say):
        self.config = config
        self.image = image
        self.say = say
        self.token = f"--vm-{secrets.token_hex(16)}--\n".encode()
        self.job = None
        self.process = None
        self.tails = {name: b"" for name in STREAMS}  # the last bytes, which may be the start of the token
        self.open = set(STREAMS)
        self.status = b""
        self.console = b""
        self.qemu_says = b""

    def write_job(self, command, environment):
        job = tempfile.mkdtemp(prefix="pagewire-vm.")
        self.job = job
        # shell text, which scripts/vm.d/guest reads. Its shell would take a name for a program of busybox.
        program = shutil.which(command[0], path=environment["PATH"]) or command[0]
        driver = self.config.driver if self.config.net else ""
        texts = {"writable": ["set", "--", *self.config.writable],
                 "command": ["set", "--", program, *command[1:]],
                 "environment": ["export", *(f"{name}={value}" for name, value in environment.items())],
                 "settings": [f"driver={driver}", f"interactive={'yes' if self.config.interactive else ''}",
                              f"directory={os.getcwd()}"]}
        for name, words in texts.items():
            with open(os.path.join(job, name), "wb") as f:
                f.write(os.fsencode(" ".join(assignment(word) for word in words) + "\n"))
        with open(os.path.join(job, "token"), "wb") as f:
            f.write(self.token)
        shutil.copy(os.path.join(HERE, "guest"), job)

    def arguments(self, fds):
        c = self.config
        accel = os.environ.get("VM_ACCEL", "tcg")
        # needed for interrupt remapping under KVM
        irqchip = ",kernel-irqchip=split" if accel == "kvm" else ""
        # on a busy host the kernel's timer check fails, and the kernel panics
        append = ["console=ttyS0 quiet loglevel=4 panic=-1 no_timer_check",
                  "intel_iommu=on iommu=pt" if c.iommu else "",
                  f"hugepages={c.hugepages}" if c.hugepages else "", *c.append]
        args = [QEMU, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
                "-machine", f"q35,accel={accel}{irqchip}", *memory(c.mem, c.cpus, c.nodes),
                "-cpu", "host" if accel == "kvm" else "max,la57=off",
                "-smp", str(c.cpus), "-m", c.mem,
                *(IOMMU if c.iommu else []),
                "-kernel", self.image.kernel, "-initrd", self.image.initrd,
                "-append", " ".join(filter(None, append)),
                "-device", "virtio-serial-pci",
                "-chardev", f"socket,id=console,fd={fds['console']}", "-serial", "chardev:console"]
        for name in STREAMS:
            args += ["-chardev", f"socket,id={name},fd={fds[name]}",
                     "-device", f"virtserialport,chardev={name},name={name}"]
        if c.interactive:
            args += ["-chardev", "stdio,id=terminal,signal=off", "-device", "virtconsole,chardev=terminal"]
        args += share("host", "/", False) + share("job", self.job, False)
        args += share("modules", self.image.modules, False)
        for number, path in enumerate(c.writable):
            args += share(f"share{number}", path, True)
        for number, text in enumerate(c.net):
            args += nic(number, text, c.iommu, c.hotplug, c.reconnect)
        if c.qmp:
            args += ["-qmp", f"unix:{doubled(c.qmp)},server=on,wait=off"]
        return args + c.qemu

    def start(self):
        ours, theirs = {}, {}
        for name in (*STREAMS, "console"):
            ours[name], theirs[name] = socket.socketpair()
        try:
            self.process = subprocess.Popen(  # pylint: disable=consider-using-with,subprocess-popen-preexec-fn
                self.arguments({name: s.fileno() for name, s in theirs.items()}),
                stdin=None if self.config.interactive else subprocess.DEVNULL,
                stdout=None if self.config.interactive else subprocess.DEVNULL,
                stderr=subprocess.PIPE, pass_fds=[s.fileno() for s in theirs.values()],
                preexec_fn=die_with_parent, start_new_session=not self.config.interactive)
        except FileNotFoundError:
            raise Missing(f"there is no {QEMU}; install qemu-system-x86") from None
        finally:
            for s in theirs.values():
                s.close()
        ours["qemu"] = self.process.stderr
        return ours

    def take(self, name, data):
        """Passes on received data, without the token that ends a stream."""
        if name == "console":
            self.console = (self.console + data)[-CONSOLE_KEPT:]
            return
        if name == "qemu":
            self.qemu_says = (self.qemu_says + data)[-CONSOLE_KEPT:]
            return
        data = self.tails[name] + data
        if data.endswith(self.token):
            data, self.tails[name] = data[:-len(self.token)], b""
            self.open.discard(name)
        else:
            kept = next((n for n in range(min(len(self.token), len(data)), 0, -1)
                         if self.token.startswith(data[-n:])), 0)
            data, self.tails[name] = data[:len(data) - kept], data[len(data) - kept:]
        if name == "status":
            self.status += data
        else:
            stream = sys.stdout.buffer if name == "out" else sys.stderr.buffer
            stream.write(data)
            stream.flush()

    def follow(self, sources, deadline):
        """Returns when every stream has ended, or QEMU has."""
        with selectors.DefaultSelector() as selector:
            for name, source in sources.items():
                selector.register(source, selectors.EVENT_READ, name)
            done = set() if not self.config.interactive else {"out", "err"}
            while self.open - done and selector.get_map():
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TimedOut
                for key, _ in selector.select(left):
                    data = os.read(key.fd, 1 << 16)
                    if data:
                        self.take(key.data, data)
                    else:
                        selector.unregister(key.fileobj)

    def failure(self):
        text = self.qemu_says.decode(errors="replace").strip()
        console = self.console.decode(errors="replace").strip().splitlines()
        panics = [n for n, line in enumerate(console) if "Kernel panic" in line]
        console = console[panics[-1]:] if panics else console[-15:]
        try:
            how = f"{QEMU} ended with {self.process.wait(1)}"
        except subprocess.TimeoutExpired:
            how = f"{QEMU} still runs"
        return "\n".join([f"the guest ended without a result, {how}", *text.splitlines(), *console])

    def run(self, command, environment):
        """The exit status of the command in the guest."""
        deadline = time.monotonic() + self.config.timeout
        sources = {}
        try:
            self.write_job(command, environment)
            await_peers(self.config.net, deadline)
            sources = self.start()
            self.follow(sources, deadline)
            if not self.status.strip().isdigit():
                raise Broken(self.failure())
            if self.config.verbose:
                self.say(self.qemu_says.decode(errors="replace"))
            return int(self.status)
        finally:
            self.stop()
            for source in sources.values():
                source.close()

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(2)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.job is not None:
            shutil.rmtree(self.job, ignore_errors=True)
