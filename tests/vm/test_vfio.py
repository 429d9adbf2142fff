# SPDX-License-Identifier: BSD-3-Clause
"""Files from the guest's hugetlbfs through vfio-pci and the IOMMU, in place, to the host.

    guest                                                           host
    file on hugetlbfs -> net_virtio on vfio-pci -> IOMMU -> QEMU -> vhost-user: pagewire recv
    file on hugetlbfs -> other NICs on vfio-pci -> IOMMU -> QEMU -> UDP on 127.0.0.1: pagewire recv
"""
import json

from guest import Guest
from harness import check, equal, poll_until

SIZE = (12 << 20) + 1  # symbols cross pages: emulated devices lose them or take the wrong bytes
SEND = """
grep DRIVER=vfio-pci /sys/bus/pci/devices/0000:00:10.0/uevent >&2 || exit
pagewire stage "$1" --to /dev/hugepages >&2 || exit
shift
exec pagewire send /dev/hugepages/a.bin --port 0000:00:10.0 --core 1 --json "$@"
"""
IN_PLACE = {"pages": "hugefile", "in_place": True, "page_in_copies": 0, "cpu_copies_per_byte": 0.0,
            "iova_mode": "va", "dma_maps": 1}


def transfer(t, net, recv, send):
    """One file out of a guest; what the sender says."""
    original, out = t.file("a.bin", SIZE), t.mkdir("in")
    rx = t.recv(*recv, "--out", out, "--timeout", "60s")
    poll_until(lambda: "listening on" in rx.err or "receiving on" in rx.err or not rx.running, 30,
               "the receiver")
    p = Guest(t, "sh", "-c", SEND, "sh", original, *send,
              options=("--net", net, "--driver", "vfio-pci", "--hugepages", "200")).result()
    rx.wait(70)
    check((p.code, rx.code) == (0, 0),
          f"exit codes {p.code}, {rx.code}\n{p.describe()}\n{rx.describe()}")
    t.same(original, f"{out}/a.bin")
    sent = json.loads(p.out)
    equal({key: sent.get(key) for key in IN_PLACE}, IN_PLACE, "how it went")
    equal(sent["split_packets"], SIZE >> 21, "packets across pages")
    return sent


def test_virtio_and_vhost_user(t):
    t.need_hugepages()
    sock = t.path("w.sock")
    sent = transfer(t, f"vhost-user:{sock}", ("--port", f"net_vhost0,iface={sock},iommu-support=1"),
                    ("--to", "239.77.0.1:4001", "--rate", "200Mbit/s"))
    equal(sent["driver"], "net_virtio", "driver")


def emulated(t, model, driver, *more):
    port = t.free_udp_port()
    sent = transfer(t, model, ("--listen", f"127.0.0.1:{port}"),
                    ("--to", f"10.0.2.2:{port}", "--from", "10.0.2.15", "--rate", "30Mbit/s", *more))
    equal(sent["driver"], driver, "driver")


def test_e1000(t):
    emulated(t, "e1000", "net_e1000_em")


def test_e1000e(t):
    emulated(t, "e1000e", "net_e1000_em")


def test_vmxnet3(t):
    """QEMU's model receives nothing under DPDK: no ARP."""
    emulated(t, "vmxnet3", "net_vmxnet3", "--to-mac", "52:55:0a:00:02:02")
