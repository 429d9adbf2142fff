# SPDX-License-Identifier: BSD-3-Clause
"""During a transfer, something that it needs is taken away: the NIC, the process at the other end, the
link, the guest itself. A boot takes longer than a loss, so each guest has several.

    guest                                            host
    pagewire send, net_virtio -> QEMU -> vhost-user  pagewire recv    nic0, net0
    pagewire recv, net_virtio <- QEMU <- vhost-user  pagewire send    nic1, net1
"""
import json
import os
import time

from guest import LIMIT, Guest
from harness import check, equal, long, poll_until
from qmp import Qmp
from test_same_nic import documents
from test_testpmd import Testpmd

SIZE = (24 << 20) + 1
RATE = "20Mbit/s"  # it would take ten seconds
RING = 256  # descriptors of a queue of virtio
SOON = 5  # seconds; a loss must be noticed within this time
MULTICAST = "239.77.0.1"


def loss_errors(text):
    return [line for line in text.splitlines() if line.startswith("pagewire: error: ")]


def check_errors(text, *wanted):
    """The text has exactly these errors, in this order; each contains its words."""
    errors = loss_errors(text)
    equal(len(errors), len(wanted), f"error lines in {text!r}")
    for error, words in zip(errors, wanted):
        check(words in error, f"no {words!r} in: {error}")


def codes(text):
    """Exit codes, on lines of their own."""
    return [int(line) for line in text.splitlines() if line.isdigit()]


class Rig:
    """A guest with QEMU's own commands, a file to send, and receivers on the host."""

    def __init__(self, t, iommu=",iommu=1"):
        t.need_hugepages()
        self.t = t
        self.iommu = iommu
        self.original = t.file("a.bin", SIZE)
        self.words = t.mkdir("words")  # the host makes a file here to let the guest continue
        self.guest = self.qmp = None

    def port(self, name):
        return f"vhost:{self.t.path(name)}{self.iommu}"

    def recv(self, *args, out="in", port="to"):
        rx = self.t.recv("--port", self.port(port), "--out", self.t.mkdir(out), "--timeout", f"{LIMIT}s", *args)
        poll_until(lambda: "receiving on" in rx.err or not rx.running, 30, "the receiver")
        return rx

    def boot(self, script, *options, driver="vfio-pci", nets=("to",)):
        """Boots a guest that runs the script. The script may call stop WORD (wait for go(WORD)) and send."""
        words = [word for name in nets for word in ("--net", f"vhost-user:{self.t.path(name)}")]
        text = f"""
            pagewire stage {self.original} --to /dev/hugepages >&2 || exit 1
            stop() {{ until [ -e {self.words}/$1 ]; do sleep 0.05; done; }}
            send() {{ pagewire send /dev/hugepages/a.bin --to {MULTICAST} --json "$@"; echo $? >&3; }}
            exec 3>&2
            {script}"""
        self.guest = Guest(self.t, "sh", "-c", text, limit=2 * LIMIT, options=(
            "--qmp", self.t.path("qmp"), "--hugepages", "220", "--driver", driver, "--writable",
            self.words, *words, *options))
        self.qmp = Qmp(self.t.path("qmp"), self.guest.p)
        return self.guest

    def go(self, word):
        with open(os.path.join(self.words, word), "wb"):
            pass

    def until_comes(self, rx, out="in"):
        """Waits until the receiver has part of the file."""
        part = self.t.path(out, "a.bin.part")
        poll_until(lambda: os.path.exists(part) or not (rx.running and self.guest.p.running), LIMIT, part)
        check(rx.running and self.guest.p.running, f"{self.guest.p.describe()}\n{rx.describe()}")
        time.sleep(0.5)

    def finish(self, code):
        if self.qmp:
            self.qmp.close()
        return self.guest.ends_with(code)


def missing(t, out="in"):
    with open(t.path(out, "pagewire-gaps.json"), encoding="utf-8") as f:
        return json.load(f)["files"][0]["missing"]


def check_partial(t, original, rx, out="in"):
    """The listed gaps are right: outside of them the partial file equals the original."""
    rx.ends_with(3)
    gaps, have = missing(t, out), rx.json["files"][0]["have"]
    equal(have + sum(to - start for start, to in gaps), SIZE, "bytes in the gaps and beside them")
    with open(original, "rb") as a, open(t.path(out, "a.bin.part"), "rb") as b:
        sent, got = a.read(), b.read()
    at = 0
    for start, to in [*gaps, (SIZE, SIZE)]:
        check(sent[at:start] == got[at:start], f"bytes {at} to {start} are not those that were sent")
        at = to


def remove_device(rig, device):
    """Removes a NIC. It is gone once pagewire, and then the guest's kernel, has released it."""
    rig.qmp.do("device_del", id=device)
    end = time.monotonic() + SOON
    while True:
        event = rig.qmp.wait_for("DEVICE_DELETED", max(0.1, end - time.monotonic()))
        if event["data"].get("device") == device:
            return


REMOVED = "its device was removed from this machine"


def test_removed_nics_are_named_by_sender_and_receiver(t):
    """Two NICs on vfio-pci. QEMU waits until the process releases them."""
    rig = Rig(t)
    rx = rig.recv()
    tx = t.send("--port", rig.port("from"), "--to", MULTICAST, "--rate", RATE, "--wait", f"{LIMIT}s", rig.original)
    poll_until(lambda: os.path.exists(t.path("from")) or not tx.running, 30, "the sender")
    rig.boot(f"""
        send --port 0000:01:00.0 --rate {RATE}
        mkdir /tmp/in
        pagewire recv --port 0000:02:00.0 --out /tmp/in --json & pid=$!
        until [ -s /tmp/in/a.bin.part ] || ! kill -0 $pid; do sleep 0.1; done
        echo "it comes" >&2
        wait $pid; echo $? >&3
        cat /tmp/in/pagewire-gaps.json >&2
        """, "--hotplug", nets=("to", "from"))
    rig.until_comes(rx)
    remove_device(rig, "nic0")
    check_partial(t, rig.original, rx)
    equal(rx.json["ended"], "peer-gone", "ended")
    poll_until(lambda: "it comes" in rig.guest.p.err or not rig.guest.p.running, LIMIT, "the guest's receiver")
    check(tx.running, tx.describe())
    remove_device(rig, "nic1")
    p = rig.finish(0)
    check_errors(p.err, f"send on 0000:01:00.0: {REMOVED}", f"receive on 0000:02:00.0: {REMOVED}")
    equal(codes(p.err), [1, 1], "exit codes")
    sent, received = documents(p.out)
    # packets that lay in the NIC's ring when it was removed are counted as sent
    lost = sent["packets"] - rx.json["port_counters"]["packets"]
    check(0 <= lost <= RING, f"{sent['packets']} packets sent, {lost} of them not received")
    gaps = json.loads(p.err[p.err.index("{"):])["files"][0]["missing"]
    equal(sum(to - start for start, to in gaps) + received["files"][0]["have"], SIZE, "bytes missing and here")
    tx.ends_with(1)
    check_errors(tx.err, "peer is gone")
    check(rig.port("from") in tx.err, tx.err)


@long
def test_a_removed_uio_nic_is_named_by_the_sender(t):
    """The kernel unmaps the registers at once; pagewire must not end by SIGBUS. The last packets are lost
    in the ring of the removed device."""
    rig = Rig(t, iommu="")
    rx = rig.recv()
    rig.boot(f"send --port 0000:01:00.0 --rate {RATE}", "--hotplug", "--no-iommu", driver="uio_pci_generic")
    rig.until_comes(rx)
    remove_device(rig, "nic0")
    p = rig.finish(0)
    check_errors(p.err, f"send on 0000:01:00.0: {REMOVED}")
    equal(codes(p.err), [1], "exit code")
    check_partial(t, rig.original, rx)
    lost = p.json["packets"] - rx.json["port_counters"]["packets"]
    check(0 <= lost <= 256, f"{lost} packets lost: the ring has 256")


def test_killed_peers_a_flapping_link_and_a_reset_guest(t):
    rig = Rig(t)
    rx = rig.recv()
    rig.boot(f"""
        [ ! -e {rig.words}/booted ] || exit 7
        send --port 0000:00:10.0 --rate 60Mbit/s --loop 0 --link-grace 8s
        stop testpmd
        send --port 0000:00:10.0 --rate {RATE}
        stop flap
        send --port 0000:00:10.0 --rate 60Mbit/s --link-grace 20s
        stop reset
        >{rig.words}/booted
        send --port 0000:00:10.0 --rate {RATE}
        """, "--reconnect", "--qemu=-action", "--qemu=reboot=reset")
    resume(rig, rx)
    killed_testpmd(rig)
    flap(rig)
    rx = rig.recv(out="reset")
    rig.go("reset")
    rig.until_comes(rx, "reset")
    start = time.monotonic()
    rig.qmp.do("system_reset")
    check_partial(t, rig.original, rx, "reset")
    check(time.monotonic() - start < SOON, "the receiver did not end soon")
    equal(rx.json["ended"], "peer-gone", "ended")
    p = rig.finish(7)  # it has booted again
    check_errors(p.err, "send on 0000:00:10.0: its link went down, the peer is gone",
                 "send on 0000:00:10.0: its link went down, the peer is gone")
    equal(codes(p.err), [1, 1, 0], "exit codes")


def resume(rig, rx):
    """The receiver is interrupted and started again: QEMU reconnects, the sender waits, and its next pass
    brings what is missing. Then the receiver ends for good, and the sender reports it."""
    rig.until_comes(rx)
    rx.signal(2)
    rx.ends_with(3)
    have = rx.json["files"][0]["have"]
    rx = rig.recv("--resume")
    rx.ends_with(0)
    rig.t.same(rig.original, rig.t.path("in", "a.bin"))
    again = rx.json["counters"]["payload_bytes"] - 1440 * rx.json["counters"]["duplicates"]
    check(again <= SIZE - have + 1440, f"{rx.json['counters']} with {have} bytes there")
    poll_until(lambda: codes(rig.guest.p.err) or not rig.guest.p.running, 8 + SOON, "the sender's end")
    check("is up again" in rig.guest.p.err, rig.guest.p.err)


def killed_testpmd(rig):
    path = rig.t.path("to")
    with Testpmd(rig.t, f"net_vhost0,iface={path},iommu-support=1", "rxonly") as sink:
        sink.start()
        rig.go("testpmd")
        poll_until(lambda: sink.counter("RX-packets") > 100 or not rig.guest.p.running, 90, "packets at testpmd")
        sink.p.kill()
    poll_until(lambda: len(codes(rig.guest.p.err)) == 2 or not rig.guest.p.running, SOON, "the sender's error")
    os.unlink(path)  # a killed process does not remove its socket


def flap(rig):
    rx = rig.recv("--link-grace", "20s", out="flap")
    rig.go("flap")
    rig.until_comes(rx, "flap")
    rig.qmp.do("set_link", name="net0", up=False)
    time.sleep(0.3)
    rig.qmp.do("set_link", name="net0", up=True)
    poll_until(lambda: len(codes(rig.guest.p.err)) == 3 or not rig.guest.p.running, 90, "the sender's end")
    rx.wait()
    check(rx.code in (0, 3), rx.describe())
    if rx.code == 3:  # packets sent while the link was down are missing; the session continued
        check_partial(rig.t, rig.original, rx, "flap")
    equal(rx.json["ended"], "closed" if rx.code else "done", "ended")
