# SPDX-License-Identifier: BSD-3-Clause
"""Provides what a guest boots: Debian's kernel and modules, and an initramfs that mounts the root.

The packages are downloaded with apt-get and unpacked into a cache directory; nothing is installed.
"""
import contextlib
import fcntl
import glob
import hashlib
import lzma
import os
import struct
import subprocess
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
META_PACKAGE = "linux-image-amd64"  # the cloud kernel has no 9p and no drivers of emulated NICs
ROOT_MODULES = ("virtio_pci", "virtio_console", "9pnet_virtio", "9p", "overlay")
# not unpacked: a guest without screen, radio and disks does not load these
UNUSED = ("sound", "drivers/gpu", "drivers/media", "drivers/staging", "drivers/infiniband",
          "drivers/net/wireless", "drivers/scsi", "drivers/usb", "drivers/iio", "drivers/hwmon",
          "drivers/input", "drivers/hid", "drivers/md", "drivers/video", "drivers/platform")


class Missing(Exception):
    """The host lacks something; the text names it and the fix."""


def cache_directory():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(base, "pagewire", "vm")


@contextlib.contextmanager
def locked(directory):
    """Lets one process build at a time; the others wait and then find the image."""
    os.makedirs(directory, exist_ok=True)
    with open(os.path.join(directory, "lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def output_of(command, fix, **options):
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True, **options).stdout
    except FileNotFoundError:
        raise Missing(f"cannot run {command[0]}: not installed; {fix}") from None
    except subprocess.CalledProcessError as e:
        lines = (e.stderr.strip() or e.stdout.strip() or str(e)).splitlines()
        raise Missing(f"{' '.join(command[:3])}: {lines[-1]}; {fix}") from None


def kernel_package():
    """The kernel package on which META_PACKAGE depends today."""
    text = output_of(["apt-cache", "depends", META_PACKAGE], "a Debian host is needed")
    for line in text.splitlines():
        kind, _, name = line.strip().partition(": ")
        if kind == "Depends" and name.startswith("linux-image-"):
            return name
    raise Missing(f"apt knows no {META_PACKAGE}; run apt-get update")


def download(package, directory):
    """Downloads the .deb of a package with apt-get and unpacks it into directory."""
    with tempfile.TemporaryDirectory(dir=os.path.dirname(directory)) as scratch:
        output_of(["apt-get", "-q", "download", package], "run apt-get update, or check the network",
                  cwd=scratch)
        deb = glob.glob(os.path.join(scratch, "*.deb"))[0]
        skip = [f"--exclude=./lib/modules/*/kernel/{name}" for name in UNUSED]
        with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE) as tar:
            os.makedirs(directory)
            output_of(["tar", "-x", "-C", directory, *skip], "see its message", stdin=tar.stdout)


def fetch_kernel(cache, say):
    package = kernel_package()
    if os.path.isdir(os.path.join(cache, package)):
        return
    say(f"downloading {package} (70 MB, once)")
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        made = os.path.join(scratch, "made")
        download(package, made)
        download("busybox-static", os.path.join(made, "busybox"))
        release = os.listdir(os.path.join(made, "lib/modules"))[0]
        output_of(["/sbin/depmod", "-b", made, release], "install kmod")
        os.rename(made, os.path.join(cache, package))


def kernels(cache):
    """Directories of unpacked kernels, the newest last."""
    found = glob.glob(os.path.join(cache, "linux-image-*"))
    return sorted(found, key=lambda path: [int(n) if n.isdigit() else n
                                           for n in path.replace(".", "-").split("-")])


def module_name(path):
    """As modprobe takes it."""
    return os.path.basename(path).partition(".ko")[0].replace("-", "_")


def modules_in_order(tree):
    """Paths of ROOT_MODULES and of the modules that they need, in the order of loading."""
    needs = {}
    with open(os.path.join(tree, "modules.dep"), encoding="ascii") as lines:
        for line in lines:
            path, _, deps = line.partition(":")
            needs[path] = deps.split()
    with open(os.path.join(tree, "modules.builtin"), encoding="ascii") as lines:
        builtin = {module_name(path) for path in lines.read().split()}
    by_name = {module_name(path): path for path in needs}
    order = []
    for name in filter(lambda name: name not in builtin, ROOT_MODULES):
        path = by_name[name]
        for module in [*reversed(needs[path]), path]:  # modprobe loads the last one first
            if module not in order:
                order.append(module)
    return [os.path.join(tree, module) for module in order]


def cpio_entry(name, mode, data, number):
    """One entry of the "newc" format that the kernel unpacks."""
    encoded = name.encode() + b"\0"
    fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(encoded), 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + encoded
    return head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4)


def module_data(path):
    """A module as the initramfs has it: Debian's kernels since 6.10 have modules that are compressed."""
    with open(path, "rb") as f:
        data = f.read()
    return lzma.decompress(data) if path.endswith(".xz") else data


def build_initramfs(busybox, modules):
    entries = [(name, 0o040755, b"") for name in ("bin", "modules", "proc", "host", "rw", "root")]
    names = [os.path.basename(path).removesuffix(".xz") for path in modules]
    files = [("init", os.path.join(HERE, "init")), ("bin/busybox", busybox)]
    files += [(f"modules/{name}", path) for name, path in zip(names, modules, strict=True)]
    entries += [(name, 0o100755, module_data(path)) for name, path in files]
    order = "".join(f"{name}\n" for name in names)
    entries.append(("modules/order", 0o100644, order.encode()))
    entries.append(("TRAILER!!!", 0, b""))
    return b"".join(cpio_entry(*entry, number) for number, entry in enumerate(entries, 1))


def unpacked(kernel):
    """The ELF file in a compressed kernel, which QEMU starts by its PVH entry. Under software emulation the
    kernel takes eight seconds to unpack itself. None where it is not compressed by xz."""
    with open(kernel, "rb") as f:
        data = f.read()
    setup_sectors = data[0x1f1] or 4  # Documentation/x86/boot.rst: setup_sects, payload_offset, payload_length
    offset, length = struct.unpack_from("<II", data, 0x248)
    start = (setup_sectors + 1) * 512 + offset
    payload = data[start:start + length]
    if not payload.startswith(b"\xfd7zXZ"):
        return None
    return lzma.LZMADecompressor(lzma.FORMAT_XZ).decompress(payload)  # ends before the size that follows


def write_whole(path, data):
    with open(path + ".new", "wb") as f:
        f.write(data)
    os.rename(path + ".new", path)


def faster_kernel(kernel):
    """The path of the kernel that QEMU loads."""
    path = kernel.replace("vmlinuz", "vmlinux")
    if not os.path.exists(path):
        data = unpacked(kernel)
        if data is None:
            return kernel
        write_whole(path, data)
    return path


class Image:
    """kernel, initrd: paths for QEMU; modules: the directory for /lib/modules/RELEASE."""

    def __init__(self, kernel, initrd, modules):
        self.kernel = kernel
        self.initrd = initrd
        self.modules = modules


def prepare(say, refresh=False):
    """Returns the image; downloads and builds it where the cache has none."""
    cache = cache_directory()
    with locked(cache):
        if refresh or not kernels(cache):
            fetch_kernel(cache, say)
        top = kernels(cache)[-1]
        release = os.listdir(os.path.join(top, "lib/modules"))[0]
        modules = os.path.join(top, "lib/modules", release)
        data = build_initramfs(os.path.join(top, "busybox/bin/busybox"), modules_in_order(modules))
        name = hashlib.sha256(data).hexdigest()[:16]
        initrd = os.path.join(top, f"initramfs-{name}")
        if not os.path.exists(initrd):
            write_whole(initrd, data)
        kernel = faster_kernel(os.path.join(top, f"boot/vmlinuz-{release}"))
    return Image(kernel, initrd, modules)
