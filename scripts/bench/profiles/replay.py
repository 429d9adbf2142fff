# SPDX-License-Identifier: BSD-3-Clause
"""Captures replayed: pagewire against tcpreplay, and against DPDK's packet generator, which sends one constant frame.

    capture on hugetlbfs -> replay --top-speed      -> net_null              cycles a packet
    one constant frame   -> testpmd txonly          -> net_null
    capture              -> replay --top-speed      -> veth                  packets a second
    capture              -> tcpreplay -K --topspeed -> veth
    one constant frame   -> testpmd txonly          -> veth
    capture, as captured -> replay, tcpreplay -K    -> veth -> dumpcap       how late each frame came

The captures: frames of 64 to 128 bytes, an internet mix (7 of 64, 4 of 594, 1 of 1518 bytes), and of 1518 bytes."""
import bisect
import os
import time
from pathlib import Path

from bench.contest import Contender, Lab, profile
from bench.model import Lacking
from bench.profiles import _captures
from bench.programs import Finished, Program
from bench.store import Store, StoredFile
from bench.wires import Wire

EAL_BYTES = 640 << 20  # of huge pages, for the larger of the two programs
KINDS = {  # title: lengths, frames of the capture
    "frames of 64 to 128 bytes": (_captures.SMALL, 100_000),
    "an internet mix": (_captures.MIX, 40_000),
    "frames of 1518 bytes": (_captures.LARGE, 12_000),
}
NULL_FRAMES = 20_000_000   # of one measurement: about half a second
VETH_FRAMES = 1_000_000
TIMED_FRAMES, GAP_NS = 25_000, 20_000
TESTPMD_SECONDS = 0.5
# upper ends of the classes of lateness in us: ten a decade
CLASSES = [0.01 * 10 ** (i / 10) for i in range(81)]


def replay(lab: Lab, file: str, port: str, loops: int, *options: str, wire: Wire | None = None) -> Finished:
    return lab.run([lab.pagewire, "replay", file, "--port", port, "--core", lab.source_cpu, "--loop", loops, "--json",
                    "--quiet", *options], wire=wire)


def replay_cycles(lab: Lab, store: Store, file: StoredFile, loops: int) -> float:
    if not file.huge:
        raise Lacking(store.huge_why)
    return replay(lab, file.huge, "null", loops, "--top-speed").number("busy_cycles_per_packet")


def replay_veth(lab: Lab, file: StoredFile, loops: int, wire: Wire) -> float:
    done = replay(lab, file.tmpfs, f"af_packet:{wire.source_if}", loops, "--top-speed", "--no-huge", wire=wire)
    return done.number("frames") / done.number("seconds") / 1e6


def tcpreplay_veth(lab: Lab, file: StoredFile, loops: int, wire: Wire) -> float:
    done = lab.run(["tcpreplay", "--intf1", wire.source_if, "--preload-pcap", "--topspeed", "--loop", loops,
                    file.tmpfs], cpu=lab.source_cpu, wire=wire)
    return done.find(r"Successful packets:\s+(\d+)") / 1e6 / done.find(r"sent in ([\d.]+) seconds")


def testpmd(lab: Lab, device: str, length: int, wire: Wire | None = None) -> Program:
    """It sends, and its main core only waits for commands."""
    p = lab.start(["stdbuf", "-oL", "dpdk-testpmd", "--no-pci", "--in-memory", "-m", 256, "--no-telemetry",
                   "--lcores", f"0@{lab.sink_cpu},1@{lab.source_cpu}", "--vdev", device, "--", "-i",
                   "--forward-mode=txonly", f"--txpkts={length}", "--record-core-cycles", "--total-num-mbufs=8192"],
                  limit=30, wire=wire)
    p.until("testpmd>")
    p.say("start\n")
    p.until("TX offloads=")
    return p


def testpmd_cycles(lab: Lab, length: int) -> float:
    p = testpmd(lab, "net_null0", length)
    time.sleep(TESTPMD_SECONDS)
    p.say("stop\n")
    p.until("MHz Clock")
    p.say("quit\n")
    return p.wait().find(r"CPU cycles/packet=([\d.]+)")


def testpmd_veth(lab: Lab, length: int, wire: Wire) -> float:
    p = testpmd(lab, f"net_af_packet0,iface={wire.source_if}", length, wire)
    start = time.monotonic()
    time.sleep(TESTPMD_SECONDS)
    p.say("stop\n")
    p.until("Telling cores to stop")
    seconds = time.monotonic() - start
    p.until("Accumulated forward statistics")
    p.say("quit\n")
    return p.wait().find(r"TX-packets: (\d+)") / seconds / 1e6


def late(lab: Lab, file: StoredFile, wire: Wire, who: list[Contender], tool: str, share: float) -> float:
    """The lateness that this share of the frames did not exceed. All of them go into the contender's histogram."""
    out = f"{lab.directory(os.path.dirname(file.tmpfs))}/arrived"
    sink = lab.enter(Program(["dumpcap", "-i", wire.sink_if, "-f", "udp", "-c", TIMED_FRAMES, "-s", 64, "-B", 64,
                              "-w", out], lab.sink_cpu, namespace=wire.sink_ns))
    sink.until("File: ")
    if tool == "tcpreplay":
        lab.run(["tcpreplay", "--intf1", wire.source_if, "--preload-pcap", file.tmpfs], cpu=lab.source_cpu, wire=wire)
    else:
        replay(lab, file.tmpfs, f"af_packet:{wire.source_if}", 1, "--no-huge", wire=wire)
    sink.wait()
    delays = sorted(_captures.lateness_us(_captures.times_ns(file.tmpfs), _captures.times_ns(out)))
    for delay in delays:
        who[0].histogram[CLASSES[min(bisect.bisect_left(CLASSES, delay), len(CLASSES) - 1)]] += 1
    return delays[int(share * (len(delays) - 1))]


def late_itself(lab: Lab, file: StoredFile, wire: Wire, who: list[Contender], share: str) -> float:
    """The same by the sender's own clock: from when a frame was due to when the driver took it."""
    done = replay(lab, file.tmpfs, f"af_packet:{wire.source_if}", 1, "--no-huge", wire=wire)
    for ns, n in done.pairs("late.histogram"):
        who[0].histogram[CLASSES[min(bisect.bisect_left(CLASSES, ns / 1000), len(CLASSES) - 1)]] += n
    return done.number(f"late.{share}_ns") / 1000


def fill(lab: Lab, file: StoredFile, capture: bytes) -> None:
    """The capture in place of the store's bytes."""
    Path(file.tmpfs).write_bytes(capture)
    if file.huge:
        os.unlink(file.huge)
        lab.run([lab.pagewire, "stage", file.tmpfs, "--to", os.path.dirname(file.huge)])


def add_lateness(lab: Lab, file: StoredFile, wire: Wire) -> None:
    for share, key in ((0.5, "p50"), (0.99, "p99")):
        spread = "us later than the most punctual frame; by its clock: than due" if key == "p99" else None
        contest = lab.contest(
            f"how late {share * 100:g} % of the frames are, at most: {TIMED_FRAMES:,} frames, {GAP_NS // 1000} us apart, "
            "over veth", "us", spread=spread,
            note="Later than the most punctual frame, by the times at which the kernel hands them to dumpcap, which "
                 "costs both the same. By replay's own clock: from when a frame was due to when the driver took it.")
        both = []
        for name in ("pagewire replay", "tcpreplay"):
            own: list[Contender] = []
            own.append(contest.contender(name, late, lab, file, wire, own, name, share,
                                         how="dumpcap -f udp at the other end"))
            both += own
        contest.compare(*reversed(both))
        itself: list[Contender] = []
        itself.append(contest.contender("pagewire replay, by its clock", late_itself, lab, file, wire, itself, key))


@profile("replay", "captures replayed, against tcpreplay and testpmd's txonly on the same wires", rounds=7)
def replay_profile(lab: Lab) -> None:
    captures = [_captures.make(lengths, n, 1000) for lengths, n in KINDS.values()]
    captures.append(_captures.make(_captures.SMALL, TIMED_FRAMES, GAP_NS))
    store = lab.store(*map(len, captures), eal_bytes=EAL_BYTES)
    wire = lab.wire("veth")
    for file, capture in zip(store.files, captures, strict=True):
        fill(lab, file, capture)
    for file, (title, (lengths, n)) in zip(store.files, KINDS.items(), strict=False):
        mean = round(sum(lengths) / len(lengths)) - _captures.FCS
        contest = lab.contest(f"{title} into the null port", "cycles/packet",
                              note=f"replay reads the header of each record; testpmd sends one frame of {mean} bytes. "
                                   "testpmd counts its forwarding function only, replay its whole loop.")
        contest.target(contest.contender("pagewire replay", replay_cycles, lab, store, file, NULL_FRAMES // n),
                       contest.contender("testpmd txonly", testpmd_cycles, lab, mean), at_most=1.0)
        contest = lab.contest(f"{title} over veth", "Mpps", note="The other end drops what comes.")
        ours = contest.contender("pagewire replay", replay_veth, lab, file, VETH_FRAMES // n, wire)
        contest.compare(ours, contest.contender("tcpreplay", tcpreplay_veth, lab, file, VETH_FRAMES // n, wire))
        contest.compare(ours, contest.contender("testpmd txonly", testpmd_veth, lab, mean, wire))
    add_lateness(lab, store.files[-1], wire)
