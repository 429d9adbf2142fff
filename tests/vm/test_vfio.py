# SPDX-License-Identifier: BSD-3-Clause
"""Files from the guest's hugetlbfs through vfio-pci and the IOMMU, in place, to the host.

    guest                                                       host
    file on hugetlbfs -> net_virtio on vfio-pci -> IOMMU ----> vhost-user: pagewire recv
"""
import json

from guest import Guest
from harness import check, equal, poll_until

SEND = ("cat /sys/bus/pci/devices/0000:00:10.0/uevent | grep DRIVER >&2; "
        'pagewire stage "$1" --to /dev/hugepages >&2 && '
        "exec pagewire send /dev/hugepages/a.bin --port 0000:00:10.0 --to 239.77.0.1:4001 "
        "--core 1 --json --rate 200Mbit/s")


def test_a_hugetlbfs_file_leaves_in_place_and_arrives_verified(t):
    """With a size that makes symbols cross pages, where DPDK's vhost would take the wrong bytes."""
    t.need_hugepages()
    size = (12 << 20) + 1
    original, sock, out = t.file("a.bin", size), t.path("w.sock"), t.mkdir("in")
    rx = t.recv("--port", f"net_vhost0,iface={sock},iommu-support=1", "--out", out,
                "--timeout", "60s")
    poll_until(lambda: "receiving on" in rx.err or not rx.running, 30, "the receiver")
    p = Guest(t, "sh", "-c", SEND, "sh", original,
              options=("--net", f"vhost-user:{sock}", "--driver", "vfio-pci",
                       "--hugepages", "200")).result()
    rx.wait(70)
    check((p.code, rx.code) == (0, 0),
          f"exit codes {p.code}, {rx.code}\n{p.describe()}\n{rx.describe()}")
    sent = json.loads(p.out)
    check("DRIVER=vfio-pci" in p.err, p.describe())
    t.same(original, f"{out}/a.bin")
    wanted = {"pages": "hugefile", "page_in_copies": 0, "cpu_copies_per_byte": 0.0, "dma_maps": 1}
    equal({key: sent.get(key) for key in wanted}, wanted, "how it went")
    equal(rx.json["port_counters"]["packets"], rx.json["packets"], "packets of the port")
