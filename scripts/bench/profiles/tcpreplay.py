# SPDX-License-Identifier: BSD-3-Clause
"""The naive way to blast a file: its packets are written into a capture once, and tcpreplay sends the capture from
memory, again and again. Compared with pagewire on the same interface.

    FILE -> pagewire send --port pcap: -> capture -> tcpreplay, a send() a packet -> ifb, or veth
    FILE on tmpfs -> pagewire send --port af_packet:  (PACKET_TX_RING by DPDK)    -> the same
    FILE on tmpfs -> packet_tx_ring of the bench      (PACKET_TX_RING by us)      -> the same
"""
from bench.contest import Lab, profile
from bench.model import BenchError, Lacking
from bench.store import Store
from bench.wires import Wire

FILE_BYTES = 32 << 20
SYMBOL = 1448  # what pagewire's packets carry with MTU 1500
LOOPS = 16
TEXT = {"sink": "into an ifb, which frees what it gets", "veth": "into a veth pair, whose other end drops it"}
TCPREPLAY = ["--preload-pcap", "--topspeed", "--loop", LOOPS]


def tcpreplay(lab: Lab, wire: Wire, capture: str, unit: str, *options: str) -> float:
    if options and "--xdp" not in lab.run(["tcpreplay", "--help"]).stdout:
        raise Lacking("tcpreplay has no --xdp here: it needs version 4.5 or later, built with libxdp")
    done = lab.run(["tcpreplay", "--intf1", wire.source_if, *TCPREPLAY, *options, capture], cpu=lab.source_cpu,
                   wire=wire)
    if done.find(r"Failed packets:\s+(\d+)"):
        raise BenchError("tcpreplay failed to send some of its packets")
    seconds = done.find(r"sent in ([\d.]+) seconds")
    return done.find(r"Successful packets:\s+(\d+)") / 1e6 / seconds if unit == "Mpps" else \
        FILE_BYTES * LOOPS * 8 / 1e9 / seconds


def pagewire(lab: Lab, wire: Wire, file: str, unit: str) -> float:
    done = lab.run([lab.pagewire, "send", file, "--port", f"af_packet:{wire.source_if}", "--to", "239.77.0.1", "--core",
                    lab.source_cpu, "--symbol", SYMBOL, "--loop", LOOPS, "--digest", "none", "--no-huge", "--lead", "0",
                    "--json", "--quiet"], wire=wire)
    return done.number("packets_per_s") / 1e6 if unit == "Mpps" else done.number("goodput_bps") / 1e9


def ring(lab: Lab, wire: Wire, store: Store, unit: str) -> float:
    values = lab.send("packet_tx_ring", wire, store, LOOPS).values
    return (values["packets_per_s"] or 0) / 1e6 if unit == "Mpps" else (values["goodput_bps"] or 0) / 1e9


@profile("tcpreplay", "a file's packets by tcpreplay, the naive way, against pagewire on the same interface", rounds=7)
def tcpreplay_profile(lab: Lab) -> None:
    store = lab.store(FILE_BYTES)
    file, capture = store.files[0].tmpfs, lab.temporary(f"{store.dir}/tmpfs/capture")
    lab.run([lab.pagewire, "send", file, "--port", f"pcap:{capture}", "--to", "239.77.0.1", "--symbol", SYMBOL,
             "--digest", "none", "--no-huge", "--lead", "0", "--quiet"])
    wires = {kind: lab.wire(kind) for kind in TEXT}
    for kind, unit in ((kind, unit) for kind in TEXT for unit in ("Mpps", "Gbit/s")):
        contest = lab.contest(
            f"packets of {SYMBOL} bytes {TEXT[kind]}", unit,
            note="Gbit/s are the file's bytes. tcpreplay sends ready packets, headers included; pagewire makes its "
                 "headers from the file while it sends.")
        how = "CAPTURE: pagewire send TMPFSFILE --port pcap:CAPTURE --to 239.77.0.1 --symbol 1448"
        theirs = contest.contender("tcpreplay", tcpreplay, lab, wires[kind], capture, unit, how=how)
        contest.contender("tcpreplay --xdp", tcpreplay, lab, wires[kind], capture, unit, "--xdp", how=how)
        dpdk = contest.contender("send --port af_packet", pagewire, lab, wires[kind], file, unit)
        contest.compare(dpdk, theirs)
        if kind == "sink":  # on veth the bench has a receiver of its own, which takes CPU time
            contest.compare(contest.contender("packet_tx_ring", ring, lab, wires[kind], store, unit), theirs)
