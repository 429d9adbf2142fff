# SPDX-License-Identifier: BSD-3-Clause
"""What the bench ran on, so that another lab can compare its results: kernel, CPU, memory, software, NIC."""
from __future__ import annotations

import array
import contextlib
import fcntl
import os
import re
import socket
import struct
import time
from collections.abc import Mapping
from pathlib import Path

CPU = "/sys/devices/system/cpu"

# What one file says. With a choice ("always [madvise] never") it is the word in brackets.
PLAIN = {
    "kernel": "/proc/sys/kernel/osrelease",
    "kernel_build": "/proc/sys/kernel/version",
    "cpus_online": f"{CPU}/online",
    "cpus_isolated": f"{CPU}/isolated",
    "cpus_nohz_full": f"{CPU}/nohz_full",
    "cache_l2": f"{CPU}/cpu0/cache/index2/size",
    "cache_l3": f"{CPU}/cpu0/cache/index3/size",
    "smt": f"{CPU}/smt/control",
    "cpufreq_driver": f"{CPU}/cpu0/cpufreq/scaling_driver",
    "cpuidle_driver": f"{CPU}/cpuidle/current_driver",
    "clocksource": "/sys/devices/system/clocksource/clocksource0/current_clocksource",
}
CHOICES = {
    "thp": "/sys/kernel/mm/transparent_hugepage/enabled",
    "thp_shmem": "/sys/kernel/mm/transparent_hugepage/shmem_enabled",
    "lockdown": "/sys/kernel/security/lockdown",
}

# Words of the kernel's command line that change figures; the others are this host's own business.
KERNEL_OPTIONS = frozenset((
    "mitigations", "isolcpus", "nohz", "nohz_full", "rcu_nocbs", "iommu", "intel_iommu", "amd_iommu",
    "hugepages", "hugepagesz", "default_hugepagesz", "transparent_hugepage", "spectre_v2", "nosmt", "idle",
    "intel_pstate", "amd_pstate", "intel_idle.max_cstate", "processor.max_cstate", "clocksource", "tsc",
    "preempt", "lockdown", "pti", "nopti"))

# Work that the device, or the kernel behind the protocols, may take over; by ethtool's names.
OFFLOADS = frozenset((
    "tx-checksum-ipv4", "tx-checksum-ip-generic", "tx-checksum-ipv6", "tx-scatter-gather",
    "tx-tcp-segmentation", "tx-udp-segmentation", "tx-generic-segmentation", "tx-nocache-copy", "rx-checksum",
    "rx-gro", "rx-gro-hw", "rx-lro", "rx-gro-list", "rx-udp-gro-forwarding"))

# linux/ethtool.h
SIOCETHTOOL = 0x8946
GET_DRIVER, GET_STRINGS, GET_SIZES, GET_FEATURES = 0x03, 0x1b, 0x37, 0x3a
FEATURE_STRINGS = 4
NAME_BYTES = 32
DRIVER_BYTES, FIRMWARE_OFFSET = 196, 68  # of struct ethtool_drvinfo


class Host:
    """Files of /proc, /sys and /etc below a directory: "" is the host itself, tests have another."""

    def __init__(self, root: str = "") -> None:
        self.root = root

    def read(self, path: str) -> str:
        """The text of a file; "": it cannot be read. Some kernels write (null) for an empty list."""
        try:
            text = Path(self.root + path).read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            return ""
        return "" if text == "(null)" else text

    def found(self, path: str, pattern: str) -> str:
        """The first group of a pattern of lines in a file; "": no line has it."""
        match = re.search(pattern, self.read(path), re.MULTILINE)
        return match[1] if match else ""

    def names(self, path: str) -> list[str]:
        """The entries of a directory."""
        try:
            return sorted(os.listdir(self.root + path))
        except OSError:
            return []

    def target(self, path: str) -> str:
        """The last component of a link's target: the name of a driver, of a device. "": there is no link."""
        try:
            return os.path.basename(os.readlink(self.root + path))
        except OSError:
            return ""


def _size(n: float) -> str:
    """24.0 GiB"""
    unit = 0
    while unit < 5 and n >= 1024:
        n, unit = n / 1024, unit + 1
    digits = (2 if n < 10 else 1 if n < 100 else 0) if unit else 0
    return f"{n:.{digits}f} {('B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB')[unit]}"


def _cpu(host: Host, hypervisor: str) -> dict[str, str]:
    """Of the first CPU: its paragraph ends with an empty line."""
    first = host.read("/proc/cpuinfo").partition("\n\n")[0]
    fields = dict(re.findall(r"^(\w[\w ]*?)\s*:[ ]*(.*)$", first, re.MULTILINE))
    virtual = "hypervisor" in fields.get("flags", "").split()
    dmi = [host.read(f"/sys/class/dmi/id/{name}") for name in ("sys_vendor", "product_name")]
    return {"cpu_model": fields.get("model name", ""), "cpu_mhz": fields.get("cpu MHz", ""),
            "microcode": fields.get("microcode", ""),
            "hypervisor": "" if not first else hypervisor or "yes" if virtual else "none",
            "machine": " ".join(filter(None, dmi))}


def _speed(host: Host) -> dict[str, str]:
    """Governor ("mixed" where CPUs differ) and turbo."""
    cpus = [name for name in host.names(CPU) if re.fullmatch(r"cpu\d+", name)]
    governors = {host.read(f"{CPU}/{cpu}/cpufreq/scaling_governor") for cpu in cpus} - {""}
    no_turbo, boost = host.read(f"{CPU}/intel_pstate/no_turbo"), host.read(f"{CPU}/cpufreq/boost")
    is_on = no_turbo == "0" if no_turbo else boost == "1"
    return {"governor": "mixed" if len(governors) > 1 else "".join(governors),
            "turbo": "" if not no_turbo + boost else "on" if is_on else "off"}


def _mitigations(host: Host) -> str:
    """"Mitigation: Retpolines; STIBP: disabled; ..." up to the first semicolon, of those that cost."""
    base = f"{CPU}/vulnerabilities"
    states = {name: host.read(f"{base}/{name}") for name in host.names(base)}
    costly = [f"{name}: {state.partition(';')[0].removeprefix('Mitigation: ')}"
              for name, state in states.items() if state and not state.startswith("Not affected")]
    return "; ".join(costly) or ("none needed" if any(states.values()) else "")


def _memory(host: Host) -> dict[str, str]:
    kib = int(host.found("/proc/meminfo", r"^MemTotal: +(\d+) kB") or 0)
    nodes = [name for name in host.names("/sys/devices/system/node") if re.fullmatch(r"node\d+", name)]
    found = {"memory": _size(kib << 10) if kib else "", "numa_nodes": str(max(1, len(nodes)))}
    base = "/sys/kernel/mm/hugepages"
    sizes = [int(m[1]) for m in map(re.compile(r"hugepages-(\d+)kB").fullmatch, host.names(base)) if m]
    for size in sorted(sizes):
        total, free, promised = (int(host.read(f"{base}/hugepages-{size}kB/{name}_hugepages") or 0)
                                 for name in ("nr", "free", "resv"))
        unit = f"{size >> 20}G" if size >> 20 else f"{size >> 10}M" if size >> 10 else f"{size}K"
        found[f"hugepages_{unit}"] = f"{total}, {max(0, free - promised)} free"
    return found


# --- the NIC ---

def _text(data: bytes) -> str:
    return data.partition(b"\0")[0].decode(errors="replace")


def _ask(sock: socket.socket, nic: str, request: bytes) -> bytes:
    """What ethtool's ioctl answers to a request, which is as long as the answer."""
    data = array.array("B", request)
    fcntl.ioctl(sock, SIOCETHTOOL, struct.pack("16sP16x", nic.encode(), data.buffer_info()[0]))
    return data.tobytes()


def _offloads(sock: socket.socket, nic: str) -> str:
    """"tx-scatter-gather tx-tcp-segmentation": those that are on."""
    sizes = _ask(sock, nic, struct.pack("=IIQI", GET_SIZES, 0, 1 << FEATURE_STRINGS, 0))
    n = struct.unpack("=IIQI", sizes)[3]
    request = struct.pack("=III", GET_STRINGS, FEATURE_STRINGS, n)
    strings = _ask(sock, nic, request + bytes(NAME_BYTES * n))[len(request):]
    names = [_text(strings[NAME_BYTES * i:][:NAME_BYTES]) for i in range(n)]
    blocks = (n + 31) // 32
    states = _ask(sock, nic, struct.pack("=II", GET_FEATURES, blocks) + bytes(16 * blocks))
    active = [struct.unpack_from("=I", states, 8 + 16 * block + 8)[0] for block in range(blocks)]
    is_on = [bool(active[i // 32] >> i % 32 & 1) for i in range(n)]
    return " ".join(name for name, on in zip(names, is_on, strict=True) if on and name in OFFLOADS)


def _driver(nic: str) -> dict[str, str]:
    """What the driver of an interface of this host says."""
    found: dict[str, str] = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        with contextlib.suppress(OSError):  # some drivers do not answer
            answer = _ask(sock, nic, struct.pack("=I", GET_DRIVER).ljust(DRIVER_BYTES, b"\0"))
            found["nic_firmware"] = _text(answer[FIRMWARE_OFFSET:][:NAME_BYTES])
        with contextlib.suppress(OSError):
            found["nic_offloads"] = _offloads(sock, nic)
    return found


def pci_of(host: Host, nic: str) -> str:
    """The PCI function of an interface; "": it has none. For virtio it is one step above the device."""
    device = host.target(f"/sys/class/net/{nic}/device")
    if re.fullmatch(r"[0-9a-f]+:[0-9a-f]+:[0-9a-f]+\.[0-7]", device):
        return device
    uevent = f"/sys/class/net/{nic}/device/../uevent"
    return host.found(uevent, r"^PCI_SLOT_NAME=([0-9a-fA-F:.]+)") if device else ""


def driver_of(host: Host, nic: str) -> str:
    """The name of the kernel's driver of an interface."""
    return host.target(f"/sys/class/net/{nic}/device/driver")


def _nic(host: Host, nic: str) -> dict[str, str]:
    mtu = host.read(f"/sys/class/net/{nic}/mtu")
    found = {"nic": nic, "nic_driver": driver_of(host, nic), "nic_pci": pci_of(host, nic), "nic_mtu": mtu,
             "nic_firmware": "", "nic_offloads": ""}
    return found | (_driver(nic) if mtu and not host.root else {})


def read(version: Mapping[str, str | None], nic: str | None, root: str = "") -> dict[str, str | None]:
    """The environment; None: unknown. version: what `pagewire cell version` prints; nic: an interface to
    describe."""
    host = Host(root)
    words = host.read("/proc/cmdline").split()
    found = {
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "hostname": host.read("/proc/sys/kernel/hostname"),
        "distribution": host.found("/etc/os-release", r"^PRETTY_NAME=[\"']?([^\"'\n]+)"),
        "arch": os.uname().machine,
        "pagewire": version.get("pagewire"),
        "git_revision": version.get("revision"),
        "libc": f"glibc {version['libc']}" if version.get("libc") else None,
        "liburing": version.get("liburing"),
        "dpdk": version.get("dpdk"),
        **{key: host.read(path) for key, path in PLAIN.items()},
        **{key: host.found(path, r"\[([^]]+)\]") for key, path in CHOICES.items()},
        "kernel_options": " ".join(word for word in words if word.partition("=")[0] in KERNEL_OPTIONS),
        **_cpu(host, version.get("hypervisor") or ""),
        **_speed(host),
        "mitigations": _mitigations(host),
        **_memory(host),
        **(_nic(host, nic) if nic else {}),
    }
    return {key: re.sub(r"[\x00-\x1f\x7f]", " ", value) if value else None for key, value in found.items()}
