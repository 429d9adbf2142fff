# SPDX-License-Identifier: BSD-3-Clause
"""env.py on hosts that are directories, and on this one."""
from __future__ import annotations

import os
import pathlib
import re
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))

from bench import env  # noqa: E402

CPU = "/sys/devices/system/cpu"
HUGE = "/sys/kernel/mm/hugepages"


class Fake:
    """A host below a directory."""

    def __init__(self, root: pathlib.Path) -> None:
        self.root = root

    def write(self, path: str, text: str) -> None:
        """A file of that host."""
        at = self.root / path.lstrip("/")
        at.parent.mkdir(parents=True, exist_ok=True)
        at.write_text(text + "\n", encoding="utf-8")

    def link(self, path: str, target: str) -> None:
        """A link of that host."""
        at = self.root / path.lstrip("/")
        at.parent.mkdir(parents=True, exist_ok=True)
        at.symlink_to(target)

    def read(self, nic: str | None = None, **version: str) -> dict[str, str | None]:
        """The environment."""
        return env.read(version, nic, str(self.root))


def test_a_host_that_tells_nothing_is_unknown(tmp_path: pathlib.Path) -> None:
    found = Fake(tmp_path).read()
    for key in ("kernel", "cpu_model", "cpu_mhz", "governor", "turbo", "smt", "mitigations", "memory",
                "hypervisor", "machine", "clocksource", "thp", "lockdown", "kernel_options", "dpdk",
                "hostname", "git_revision"):
        assert found[key] is None, key
    assert "nic" not in found
    assert found["numa_nodes"] == "1"


def test_files_of_the_host_are_read_below_the_root(tmp_path: pathlib.Path) -> None:
    host = Fake(tmp_path)
    for path, text in {
            "/proc/sys/kernel/osrelease": "6.1.0-99-test",
            "/proc/sys/kernel/hostname": "lab7",
            "/etc/os-release": 'NAME=x\nPRETTY_NAME="Test Linux 1 (one)"\nID=t',
            "/proc/cpuinfo": "processor\t: 0\nmodel name\t: Test CPU @ 3 GHz\nmicrocode\t: 0x17\n"
                             "cpu MHz\t\t: 2999.5\nflags\t\t: fpu tsc hypervisor\n\n"
                             "processor\t: 1\nmodel name\t: Other",
            "/sys/class/dmi/id/sys_vendor": "Vendor",
            "/sys/class/dmi/id/product_name": "Box 9000",
            "/proc/meminfo": "MemFree: 1 kB\nMemTotal:       25165824 kB",
            f"{CPU}/isolated": "(null)",
            f"{CPU}/smt/control": "off",
            "/sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never",
            "/sys/kernel/security/lockdown": "none [integrity] confidentiality",
            "/proc/cmdline": "BOOT_IMAGE=/x root=/dev/secret mitigations=off isolcpus=2-3 isolcpusx=1 nosmt",
            "/sys/devices/system/node/node0/cpulist": "0",
            "/sys/devices/system/node/node1/cpulist": "1",
            "/sys/devices/system/node/online": "0-1"}.items():
        host.write(path, text)
    for size, total, free, promised in ((2048, 512, 100, 10), (1048576, 4, 4, 0)):
        for name, n in (("nr", total), ("free", free), ("resv", promised)):
            host.write(f"{HUGE}/hugepages-{size}kB/{name}_hugepages", str(n))
    found = host.read(dpdk="DPDK 22.11.11", revision="0123456789ab")
    for key, value in {
            "kernel": "6.1.0-99-test", "hostname": "lab7", "distribution": "Test Linux 1 (one)",
            "cpu_model": "Test CPU @ 3 GHz", "cpu_mhz": "2999.5", "microcode": "0x17", "hypervisor": "yes",
            "machine": "Vendor Box 9000", "memory": "24.0 GiB", "cpus_isolated": None, "smt": "off",
            "thp": "madvise", "lockdown": "integrity", "numa_nodes": "2",
            "kernel_options": "mitigations=off isolcpus=2-3 nosmt", "hugepages_2M": "512, 90 free",
            "hugepages_1G": "4, 4 free", "dpdk": "DPDK 22.11.11", "git_revision": "0123456789ab"}.items():
        assert found[key] == value, key
    assert host.read(hypervisor="KVMKVMKVM")["hypervisor"] == "KVMKVMKVM"


def test_a_host_of_bare_metal_has_no_hypervisor(tmp_path: pathlib.Path) -> None:
    host = Fake(tmp_path)
    host.write("/proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu nohypervisor")
    assert host.read(hypervisor="rubbish")["hypervisor"] == "none"


def test_mitigations_are_those_that_cost(tmp_path: pathlib.Path) -> None:
    host = Fake(tmp_path)
    base = f"{CPU}/vulnerabilities"
    host.write(f"{base}/l1tf", "Not affected")
    assert host.read()["mitigations"] == "none needed"
    host.write(f"{base}/spectre_v2", "Mitigation: Retpolines; STIBP: disabled")
    host.write(f"{base}/mds", "Vulnerable")
    assert host.read()["mitigations"] == "mds: Vulnerable; spectre_v2: Retpolines"


def test_governors_and_turbo(tmp_path: pathlib.Path) -> None:
    host = Fake(tmp_path)
    for cpu in (0, 1):
        host.write(f"{CPU}/cpu{cpu}/cpufreq/scaling_governor", "performance")
    host.write(f"{CPU}/cpufreq/boost", "1")
    found = host.read()
    assert (found["governor"], found["turbo"]) == ("performance", "on")
    host.write(f"{CPU}/cpu1/cpufreq/scaling_governor", "powersave")
    host.write(f"{CPU}/intel_pstate/no_turbo", "1")
    found = host.read()
    assert (found["governor"], found["turbo"]) == ("mixed", "off")


def test_an_interface_below_a_root_is_described(tmp_path: pathlib.Path) -> None:
    host = Fake(tmp_path)
    host.write("/sys/class/net/eth7/mtu", "9000")
    host.write("/sys/devices/pci0/0000:3b:00.0/class", "0x020000")
    host.link("/sys/class/net/eth7/device", "../../../devices/pci0/0000:3b:00.0")
    host.link("/sys/devices/pci0/0000:3b:00.0/driver", "../../../bus/pci/drivers/mlx5_core")
    found = host.read("eth7")
    assert (found["nic"], found["nic_mtu"], found["nic_driver"]) == ("eth7", "9000", "mlx5_core")
    assert (found["nic_pci"], found["nic_offloads"]) == ("0000:3b:00.0", None)
    found = host.read("nosuch")
    assert (found["nic"], found["nic_mtu"], found["nic_pci"]) == ("nosuch", None, None)


def test_the_pci_function_of_virtio_is_one_step_above_the_device(tmp_path: pathlib.Path) -> None:
    host = Fake(tmp_path)
    host.write("/sys/devices/pci0/0000:00:10.0/uevent", "DRIVER=virtio-pci\nPCI_SLOT_NAME=0000:00:10.0\nX=y")
    host.write("/sys/devices/pci0/0000:00:10.0/virtio3/uevent", "DRIVER=virtio_net")
    host.write("/sys/class/net/eth7/mtu", "1500")
    host.link("/sys/class/net/eth7/device", "../../../devices/pci0/0000:00:10.0/virtio3")
    assert host.read("eth7")["nic_pci"] == "0000:00:10.0"


def test_this_host_is_described() -> None:
    now = time.time()
    found = env.read({"libc": "2.36"}, "lo")
    uts = os.uname()
    assert (found["kernel"], found["arch"], found["hostname"]) == (uts.release, uts.machine, uts.nodename)
    assert found["libc"] == "glibc 2.36"
    assert found["nic_mtu"] == pathlib.Path("/sys/class/net/lo/mtu").read_text(encoding="ascii").strip()
    assert "tx-scatter-gather" in (found["nic_offloads"] or "").split()
    assert re.fullmatch(r"[\d.]+ [MGT]iB", found["memory"] or "")
    date = time.strptime(found["date"] or "", "%Y-%m-%dT%H:%M:%SZ")
    assert abs(time.mktime(date) - time.timezone - now) < 10


def test_a_value_is_one_line(tmp_path: pathlib.Path) -> None:
    assert Fake(tmp_path).read(revision="1\ttwo\n3")["git_revision"] == "1 two 3"
