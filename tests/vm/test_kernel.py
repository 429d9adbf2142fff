# SPDX-License-Identifier: BSD-3-Clause
"""The guest has what the other tests need: an IOMMU, huge pages, BPF, drivers."""
import os

from guest import Guest
from harness import Skip, check, equal, long

CONCURRENT = True  # the guests of these tests may run beside others (run.py of tests/net)


def test_the_guest_has_an_iommu_hugepages_btf_and_the_kernels_tls(t):
    """The kernel's TLS delivers every byte encrypted: that is a unit test, which is skipped where there is no TLS."""
    program = os.path.join(os.path.dirname(t.binary), "../tests/unit/test_kernel_ktls")
    if not os.path.exists(program):
        raise Skip(f"no {program}: the build has no tests")
    p = Guest(t, "sh", "-c", "ls /sys/kernel/iommu_groups | wc -l; wc -c </sys/kernel/btf/vmlinux; "
              "cat /sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages; "
              "ls -d /sys/kernel/tracing/events/raw_syscalls /sys/fs/bpf || exit; "
              f"ip link set lo up; modprobe tls; exec {program}",
              options=("--hugepages", "40")).ends_with(0)
    lines = p.out.split()
    check(int(lines[0]) > 0, "no IOMMU groups")
    check(int(lines[1]) > 1000000, "no BTF")
    equal(lines[2], "40", "free hugepages")
    check("[  PASSED  ] 2 test(s)" in p.out + p.err, p.describe())


@long
def test_every_kind_of_nic_has_its_driver_and_can_be_taken_by_vfio(t):
    show = 'for d in /sys/bus/pci/devices/0000:00:1[0-3].0; do readlink $d/driver; done'
    nics = [o for kind in ("virtio", "e1000", "e1000e", "vmxnet3") for o in ("--net", f"{kind}:hub")]
    p = Guest(t, "sh", "-c", show + "; ls /sys/class/net | grep -c eth", options=nics).ends_with(0)
    drivers = [line.rpartition("/")[2] for line in p.out.split()]
    equal(drivers[:5], ["virtio-pci", "e1000", "e1000e", "vmxnet3", "4"], "the kernel's drivers")
    p = Guest(t, "sh", "-c", show, options=[*nics, "--driver", "vfio-pci"]).ends_with(0)
    equal([line.rpartition("/")[2] for line in p.out.split()], ["vfio-pci"] * 4, "drivers")
