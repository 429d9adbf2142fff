# SPDX-License-Identifier: BSD-3-Clause
"""Every kind of NIC that QEMU and Debian's DPDK agree on, with an IOMMU and without: a file leaves
the guest's hugetlbfs in place through each, and arrives through each.

    guest (tests/vm/nics.py)                                        host
    10.0  net_virtio -> QEMU -> vhost-user ------------------------ pagewire recv
    11.0  e1000, 12.0 e1000e, 13.0 vmxnet3 -> QEMU's user network - pagewire recv, a socket each
    14.0  net_virtio <- QEMU <- vhost-user ------------------------ pagewire send
    15.0  e1000, 16.0 e1000e, 17.0 vmxnet3 on one hub: one sends, another receives
    18.0  net_virtio on the same hub, for doctor: what it says of each driver is what docs/nics.md says

Files on tmpfs and ext4 are sent in place from the page cache, where the device may read it; and from ext4
streamed through EAL's memory.
"""
import json
import os

from guest import Guest
from harness import HERE, check, equal, poll_until
from nic_drivers import check_drivers

SIZE = (6 << 20) + 1  # symbols cross pages, which emulated devices get wrong (docs/vm.md)
LIMIT = 300  # seconds; under software emulation EAL takes 1 to 5 to start
WAIT = f"{LIMIT - 20}s"  # longer than a step: the guest ends a step that fails
SYMBOLS = -(-SIZE // 1440)
BOUNDARIES = SIZE >> 21
CONTROL_PACKETS = 20  # at most: a file table each second, the session's end
IN_GUEST = os.path.realpath(os.path.join(HERE, "../vm/nics.py"))

NICS = [("vhost-user:{}/to", "net_virtio"), ("e1000", "net_e1000_em"), ("e1000e", "net_e1000_em"),
        ("vmxnet3", "net_vmxnet3"), ("vhost-user:{}/from", "net_virtio"), ("e1000:hub", ""),
        ("e1000e:hub", ""), ("vmxnet3:hub", ""), ("virtio:hub", "net_virtio")]
EXAMINED = [1, 2, 3, 8]  # by doctor; those that end in another process are left alone


def address(number):
    return f"0000:00:{0x10 + number:02x}.0"


def receivers(t, iommu, n):
    """Starts n receivers on the host; returns each with the options for the guest's sender."""
    found = [(t.recv("--port", f"vhost:{t.path('to')}{iommu}", "--out", t.mkdir("in0"), "--timeout", WAIT),
              ["--to", "239.77.0.1", "--rate", "200Mbit/s"])]
    for number in range(1, n):
        port = t.free_udp_port()
        found.append((t.recv("--listen", f"127.0.0.1:{port}", "--out", t.mkdir(f"in{number}"),
                             "--timeout", WAIT),
                      ["--to", f"10.0.2.2:{port}", "--from", "10.0.2.15", "--rate", "30Mbit/s"]))
    for p, _ in found:
        poll_until(lambda p=p: "listening on" in p.err or "receiving on" in p.err or not p.running, 30,
                   "the receiver")
    return found


def steps(senders, origins):
    """The steps of the guest, as nics.py takes them."""
    made = [{"send": [*options, "--port", address(n), "--json"]} for n, (_, options) in enumerate(senders)]
    made.append({"recv": ["--port", address(4), "--timeout", WAIT], "out": "/dev/hugepages/in", "send": None})
    for origin, (source, sink) in zip(origins, ((5, 6), (6, 7), (7, 5))):
        options = {"hugetlbfs": [], "stream": ["--pages", "stream"]}.get(origin, ["--pages", "pagecache"])
        made.append({"recv": ["--port", address(sink), "--timeout", WAIT],
                     "from": "ext4" if origin == "stream" else origin,
                     "out": "/dev/hugepages/in" if options else "/dev/shm/in",
                     "send": ["--port", address(source), "--to", "239.77.0.1", "--rate", "50Mbit/s", *options]})
    # enough for EAL's pools, too little for the file as well: mapping the file fails
    made.append({"send": ["--port", address(5), "--to", "239.77.0.1", "--pages", "pagecache"],
                 "from": "tmpfs", "memlock": 62 << 20})
    made += [{"doctor": ["--port", address(n), "--json"]} for n in EXAMINED]
    return made


def check_sent(step, name, want):
    sent = step["send"]
    where = f"through {name}"
    equal(sent["code"], 0, f"exit code {where}, {sent['out']}{sent['err']}")
    check("warning" not in sent["err"], f"{where}: {sent['err']}")
    got = json.loads(sent["out"])
    equal({key: got.get(key) for key in want}, want, f"how it went {where}")
    # with virtio, more packets are sent until the host has read the last page
    check(got["driver"] == "net_virtio" or got["packets"] < SYMBOLS + CONTROL_PACKETS,
          f"{where}: {got['packets']} packets")


def check_received(step, name, line=""):
    got, sent = step["recv"], step["send"]
    check(got["code"] == 0 and got["same"], f"{name} received: {step}")
    result = json.loads(got["out"])
    equal((result["files_good"], result["bytes"], result["loss"]), (1, SIZE, 0.0), f"{name} received")
    if sent:
        check(sent["code"] == 0 and line in sent["out"], f"{line!r} is not in {sent}")


def run_in_guest(t, options, iommu, n_receivers, origins, scatter=False):
    """Runs all steps in one guest; returns its report. The receivers on the host must have the file."""
    t.need_hugepages()
    original = t.file("a.bin", SIZE)
    rx = receivers(t, iommu, n_receivers)
    tx = t.send("--port", f"vhost:{t.path('from')}{iommu}", "--to", "239.77.0.1", "--wait", WAIT, "--lead",
                "2s", "--rate", "100Mbit/s", "--pages", "pagecache", original)
    poll_until(lambda: os.path.exists(t.path("from")) or not tx.running, 30, "the sender")
    job = {"file": original, "scatter": scatter, "steps": steps(rx, origins)}
    nets = [word for model, _ in NICS for word in ("--net", model.format(t.dir))]
    p = Guest(t, IN_GUEST, json.dumps(job), options=(*options, *nets, "--hugepages", "200"), limit=LIMIT).ends_with(0)
    report = p.json
    for (process, _), step, (model, _) in zip(rx, report["steps"], NICS):
        process.wait()
        check(process.code == 0, f"{model}: {step}\n{process.describe()}")
    for number in range(n_receivers):
        t.same(original, t.path(f"in{number}", "a.bin"))
    tx.ends_with(0)
    return report


def check_report(report, want, lines, refusal):
    check_drivers([step["doctor"]["out"] for step in report["steps"][-len(EXAMINED):]],
                  [NICS[n] for n in EXAMINED], want["iova_mode"].upper())
    *sent, virtio, e1000e, vmxnet3, e1000, last = report["steps"][:-len(EXAMINED)]
    for step, (model, driver) in zip(sent, NICS):
        check_sent(step, model, want | {"driver": driver})
    check_received(virtio, "virtio")
    for step, name, line in zip((e1000e, vmxnet3, e1000), ("e1000e", "vmxnet3", "e1000"), lines):
        check_received(step, name, line)
    last = last["send"]
    check(last["code"] == 1 and refusal in last["err"], f"{refusal!r} is not in {last}")


IN_PLACE = {"pages": "hugefile", "in_place": True, "page_in_copies": 0, "cpu_copies_per_byte": 0.0}


def test_vfio_by_virtual_addresses(t):
    report = run_in_guest(t, ("--driver", "vfio-pci"), ",iommu=1", 4, ("tmpfs", "ext4", "stream"))
    cached = "pages: pagecache, in place, 0 copies, IOVA VA, 1 DMA map, "
    check_report(report, IN_PLACE | {"iova_mode": "va", "dma_maps": 1, "split_packets": BOUNDARIES},
                 (cached, cached, "O_DIRECT, 0 copies, IOVA VA, no DMA map, "), "raise memlock")


def test_uio_by_physical_addresses_of_scattered_pages(t):
    """No two huge pages of the file are adjacent: a symbol that crosses a boundary must be split."""
    report = run_in_guest(t, ("--driver", "uio_pci_generic", "--no-iommu"), "", 1,
                          ("hugetlbfs", "hugetlbfs", "stream"), True)
    pages = report["physical"]
    equal(len(pages), BOUNDARIES + 1, "pages")
    check(all(b != a + (2 << 20) for a, b in zip(pages, pages[1:])), f"adjacent pages: {pages}")
    check_report(report, IN_PLACE | {"iova_mode": "pa", "dma_maps": 0, "iova_runs": BOUNDARIES + 1,
                                     "split_packets": BOUNDARIES},
                 (*("pages: hugefile, in place, 0 copies, IOVA PA, no DMA map, ",) * 2,
                  "O_DIRECT, 0 copies, IOVA PA, no DMA map, "), "only through vfio-pci")
