# SPDX-License-Identifier: BSD-3-Clause
"""What a transfer through a device of the guest depends on is taken away in its middle: the NIC, the
process at its other end, its link, the guest itself. A boot costs more than a loss: each guest suffers
several.

    guest                                            host
    pagewire send, net_virtio -> QEMU -> vhost-user  pagewire recv    nic0, net0
    pagewire recv, net_virtio <- QEMU <- vhost-user  pagewire send    nic1, net1
"""
import json
import os
import time

from guest import Guest
from harness import check, equal, long, poll_until
from qmp import Qmp
from test_same_nic import documents
from test_testpmd import Testpmd

SIZE = (24 << 20) + 1
RATE = "20Mbit/s"  # it would take ten seconds
SOON = 5  # seconds, in which a loss is to be noticed
MULTICAST = "239.77.0.1"


def loss_errors(text):
    return [line for line in text.splitlines() if line.startswith("pagewire: error: ")]


def check_errors(text, *wanted):
    """The errors of a text, in turn, have these words in them."""
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
        self.words = t.mkdir("words")  # the host tells the guest to go on by a file in it
        self.guest = self.qmp = None

    def port(self, name):
        return f"vhost:{self.t.path(name)}{self.iommu}"

    def recv(self, *args, out="in", port="to"):
        rx = self.t.recv("--port", self.port(port), "--out", self.t.mkdir(out), "--timeout", "60s", *args)
        poll_until(lambda: "receiving on" in rx.err or not rx.running, 30, "the receiver")
        return rx

    def boot(self, script, *options, driver="vfio-pci", nets=("to",)):
        """stage, send and recv: functions of the script, which leave what they said in files."""
        words = [word for name in nets for word in ("--net", f"vhost-user:{self.t.path(name)}")]
        text = f"""
            pagewire stage {self.original} --to /dev/hugepages >&2 || exit 1
            stop() {{ until [ -e {self.words}/$1 ]; do sleep 0.05; done; }}
            send() {{ pagewire send /dev/hugepages/a.bin --to {MULTICAST} --core 1 --json "$@"; echo $? >&3; }}
            exec 3>&2
            {script}"""
        self.guest = Guest(self.t, "sh", "-c", text, limit=170, options=(
            "--qmp", self.t.path("qmp"), "--hugepages", "220", "--driver", driver, "--writable",
            self.words, *words, *options))
        self.qmp = Qmp(self.t.path("qmp"), self.guest.p)
        return self.guest

    def go(self, word):
        with open(os.path.join(self.words, word), "wb"):
            pass

    def until_comes(self, rx, out="in"):
        """Until a third of the file or so has come to the receiver."""
        part = self.t.path(out, "a.bin.part")
        poll_until(lambda: os.path.exists(part) or not (rx.running and self.guest.p.running), 60, part)
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
    """The gaps are right: outside of them the part is the file."""
    rx.ends_with(3)
    gaps, have = missing(t, out), rx.json["files"][0]["have"]
    equal(have + sum(to - start for start, to in gaps), SIZE, "bytes in the gaps and beside them")
    with open(original, "rb") as a, open(t.path(out, "a.bin.part"), "rb") as b:
        sent, got = a.read(), b.read()
    at = 0
    for start, to in [*gaps, (SIZE, SIZE)]:
        check(sent[at:start] == got[at:start], f"bytes {at} to {start} are not those that were sent")
        at = to


def check_goes(rig, device):
    """The kernel of the guest lets the device go when pagewire has."""
    rig.qmp.do("device_del", id=device)
    end = time.monotonic() + SOON
    while True:
        event = rig.qmp.wait_for("DEVICE_DELETED", max(0.1, end - time.monotonic()))
        if event["data"].get("device") == device:
            return


REMOVED = "its device was removed from this machine"


def test_nics_that_are_pulled_while_they_send_and_receive_are_named(t):
    """Two NICs on vfio-pci; QEMU waits for the process to let go of them, and pagewire does."""
    rig = Rig(t)
    rx = rig.recv()
    tx = t.send("--port", rig.port("from"), "--to", MULTICAST, "--rate", RATE, "--wait", "60s", rig.original)
    poll_until(lambda: os.path.exists(t.path("from")) or not tx.running, 30, "the sender")
    rig.boot(f"""
        send --port 0000:01:00.0 --rate {RATE}
        mkdir /tmp/in
        pagewire recv --port 0000:02:00.0 --core 1 --out /tmp/in --json & pid=$!
        until [ -s /tmp/in/a.bin.part ] || ! kill -0 $pid; do sleep 0.1; done
        echo "it comes" >&2
        wait $pid; echo $? >&3
        cat /tmp/in/pagewire-gaps.json >&2
        """, "--hotplug", nets=("to", "from"))
    rig.until_comes(rx)
    check_goes(rig, "nic0")
    check_partial(t, rig.original, rx)
    equal(rx.json["ended"], "peer-gone", "ended")
    poll_until(lambda: "it comes" in rig.guest.p.err or not rig.guest.p.running, 60, "the guest's receiver")
    check_goes(rig, "nic1")
    p = rig.finish(0)
    check_errors(p.err, f"send on 0000:01:00.0: {REMOVED}", f"receive on 0000:02:00.0: {REMOVED}")
    equal(codes(p.err), [1, 1], "exit codes")
    sent, received = documents(p.out)
    equal(rx.json["port_counters"]["packets"], sent["packets"], "packets received and sent")
    gaps = json.loads(p.err[p.err.index("{"):])["files"][0]["missing"]
    equal(sum(to - start for start, to in gaps) + received["files"][0]["have"], SIZE, "bytes missing and here")
    tx.ends_with(1)
    check_errors(tx.err, "peer is gone")
    check(rig.port("from") in tx.err, tx.err)


@long
def test_a_uio_nic_that_is_pulled_while_it_sends_is_named(t):
    """The kernel unmaps its registers without a question: no SIGBUS ends the process. What the driver
    took last is in a ring that nobody reads any more."""
    rig = Rig(t, iommu="")
    rx = rig.recv()
    rig.boot(f"send --port 0000:01:00.0 --rate {RATE}", "--hotplug", "--no-iommu", driver="uio_pci_generic")
    rig.until_comes(rx)
    check_goes(rig, "nic0")
    p = rig.finish(0)
    check_errors(p.err, f"send on 0000:01:00.0: {REMOVED}")
    equal(codes(p.err), [1], "exit code")
    check_partial(t, rig.original, rx)
    lost = p.json["packets"] - rx.json["port_counters"]["packets"]
    check(0 <= lost <= 256, f"{lost} packets lost: the ring has 256")


def test_the_other_end_is_killed_started_again_flaps_and_the_guest_is_reset(t):
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
    check(time.monotonic() - start < SOON, "the receiver took its time")
    equal(rx.json["ended"], "peer-gone", "ended")
    p = rig.finish(7)  # it has booted again
    check_errors(p.err, "send on 0000:00:10.0: its link went down, the peer is gone",
                 "send on 0000:00:10.0: its link went down, the peer is gone")
    equal(codes(p.err), [1, 1, 0], "exit codes")


def resume(rig, rx):
    """A receiver that is interrupted and started again: QEMU connects to it, the sender waits, and its
    next pass brings what was lost. It goes for good, and the sender ends."""
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
        poll_until(lambda: sink.counter("RX-packets") > 100 or not rig.guest.p.running, 30, "packets at testpmd")
        sink.p.kill()
    poll_until(lambda: len(codes(rig.guest.p.err)) == 2 or not rig.guest.p.running, SOON, "the sender's error")
    os.unlink(path)  # a killed process cannot


def flap(rig):
    rx = rig.recv("--link-grace", "20s", out="flap")
    rig.go("flap")
    rig.until_comes(rx, "flap")
    rig.qmp.do("set_link", name="net0", up=False)
    time.sleep(0.3)
    rig.qmp.do("set_link", name="net0", up=True)
    poll_until(lambda: len(codes(rig.guest.p.err)) == 3 or not rig.guest.p.running, 40, "the sender's end")
    rx.wait(30)
    check(rx.code in (0, 3), rx.describe())
    if rx.code == 3:  # what went while the link was down is missing, and the session went on
        check_partial(rig.t, rig.original, rx, "flap")
    equal(rx.json["ended"], "closed" if rx.code else "done", "ended")
