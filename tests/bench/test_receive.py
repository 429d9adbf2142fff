# SPDX-License-Identifier: BSD-3-Clause
"""The search for the highest rate without loss, the receiver's costs, and the table of receivers."""
from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from bench.cells import Cell, End
from bench.model import BenchError, Options, Row, Sample
from bench.plan import Plan
from bench.receive import PRESET, TRIALS, Item, Receive, Trial, _set_costs
from bench.receivers import HARDWARE, PORTS, Receiver, check
from bench.run import COPIES
from bench.ways import POLLERS
from bench.wires import Wire

FULL_PPS = 640_000.0
UDP = Receiver("udp", "udp", "recv's own", "datagram", frozenset(["loopback"]), "udp_gso")
TCP = replace(UDP, name="tcp", label="tcp", kind="stream", sender="sendfile")


def item_of(receiver: Receiver) -> Item:
    """A row that nothing was measured for yet."""
    row = Row("loopback", receiver.name, receiver.label, "memory", False, receiver.stream, 1 << 20, 1500, False)
    return Item(row, Cell("pagewire", POLLERS[0], Wire("loopback", "loopback", 1500), "file", 1 << 20, 1500), receiver)


class Bounded(Receive):
    """A receiver of so many packets per second, without processes."""

    def __init__(self, capacity: float, options: Options | None = None) -> None:
        self.o = options or Options()
        self.capacity = capacity
        self.asked: list[float | None] = []

    def _try(self, item: Item, pps: float | None, number: int, meter: str = "timing") -> Trial:
        self.asked.append(pps)
        sample = Sample(number, values={"goodput_bps": (pps or FULL_PPS) * 8e3})
        return Trial(End({}, {}, None), sample, pps or FULL_PPS, (pps or FULL_PPS) <= self.capacity)


@pytest.mark.parametrize("capacity", [0.02, 0.1, 0.33, 0.5, 0.77, 0.99])
def test_the_highest_rate_without_loss_is_found_to_a_64th_of_the_senders_speed(capacity: float) -> None:
    bench = Bounded(capacity * FULL_PPS)
    best = bench._search(item_of(UDP), 1)
    assert best.kept_up and best.pps <= capacity * FULL_PPS < best.pps + FULL_PPS / 64
    assert len(bench.asked) == TRIALS and bench.asked[0] is None
    assert best.sample.raw and best.sample.raw["limit"] == "receiver"
    assert [t["pps"] for t in best.sample.raw["trials"]][1:] == bench.asked[1:]


def test_a_receiver_that_follows_the_sender_needs_one_trial() -> None:
    bench = Bounded(2 * FULL_PPS)
    best = bench._search(item_of(UDP), 1)
    assert bench.asked == [None] and best.sample.raw and best.sample.raw["limit"] == "sender" and not best.sample.void


def test_a_receiver_that_follows_no_rate_is_void() -> None:
    best = Bounded(0)._search(item_of(UDP), 1)
    assert best.sample.void and "1/64" in best.sample.void


def test_a_rate_of_the_users_is_not_searched() -> None:
    bench = Bounded(0, Options(rate="1Gbit/s"))
    assert not bench._search(item_of(UDP), 1).sample.void and bench.asked == [None]


class Metered(Bounded):
    """The same with a plan of one round, for the evidence runs."""

    def __init__(self, capacity: float) -> None:
        super().__init__(capacity)
        self.plan = Plan(self.o, PRESET, 1, PRESET.stretch_ns, (0, 1))


def test_evidence_is_counted_at_half_of_the_rate_without_loss() -> None:
    bench, item = Metered(2 * FULL_PPS), item_of(UDP)
    bench._measure(item, 1)
    bench._evidence(item)
    assert bench.asked == [None, FULL_PPS / 2, FULL_PPS / 2] and not item.row.not_measured


@pytest.mark.parametrize("known", [[], [0.0], [1.5]])
def test_without_a_rate_of_a_packet_per_second_no_evidence_is_counted(known: list[float]) -> None:
    bench, item = Metered(0), item_of(UDP)
    item.lossless_pps = known
    item.row.not_measured[COPIES] = "no probe"
    bench._evidence(item)
    assert bench.asked == [] and item.row.samples == []
    why = item.row.not_measured
    assert why[COPIES] == "no probe" and "no round" in why["syscalls_per_mb"] and "goodput_bps" not in why


def test_evidence_of_a_stream_needs_no_rate() -> None:
    bench, item = Metered(0), item_of(TCP)
    bench._evidence(item)
    assert bench.asked == [None, None] and len(item.row.samples) == 2


def sink_of(**more: Any) -> dict[str, Any]:
    """What a sink prints, of 2 MB that came in 1 ms."""
    reading = {"cpu_ns": 600_000, "copied_bytes": 2_000_000, "syscalls": 40, "user_faults": 0, "machine_ns": 9_000_000}
    return {"bytes": 2_000_000, "packets": 1000, "first_ns": 5_000_000, "last_ns": 6_000_000, "setup_ns": 1_000_000,
            "mapped_bytes": 0, "cycles": None, "reading": reading, **more}


def test_costs_are_the_receivers_and_the_machines_those_while_the_sender_sent() -> None:
    s = Sample(1)
    _set_costs(UDP, s, End({"reading": {"machine_ns": 3_000_000}}, sink_of(), None))
    assert s.values["cpu_ns_per_mb"] == 300_000 and s.values["machine_ns_per_mb"] == 1_500_000
    assert s.values["mode_switches_per_mb"] == 40
    assert s.values["cpu_copies_per_byte"] == 2.0  # the kernel's, and the engine's


def test_a_stream_has_no_copy_of_ours_and_says_what_was_mapped() -> None:
    s = Sample(1)
    _set_costs(TCP, s, End({}, sink_of(mapped_bytes=500_000), None))
    assert s.values["cpu_copies_per_byte"] == 1.0 and s.values["mapped_share"] == 0.25


def test_a_poller_costs_a_core_from_the_first_arrival_to_the_last() -> None:
    s = Sample(1)
    _set_costs(PORTS[0], s, End({}, sink_of(cycles={"busy": 50_000, "idle": 7}), None))
    assert s.values["cpu_ns_per_mb"] == 500_000 and s.values["busy_cycles_per_packet"] == 50
    assert s.values["cpu_copies_per_byte"] is None  # no probe sees the driver's


def test_every_receiver_has_copies_and_hardware_says_what_it_needs() -> None:
    assert all(r.copies is not None for r in (UDP, TCP, *PORTS))
    assert all(r.why and "needs a NIC" in r.why for r in HARDWARE)


@pytest.mark.parametrize(("options", "words"), [
    (Options(ways=("nope",)), "no such way to receive"), (Options(ways=("udp@moon",)), "no such way to receive"),
    (Options(into=("disk",)), "use memory, cache or direct"), (Options(wires=("tap",)), "runs there")])
def test_what_is_not_there_is_a_usage_error(options: Options, words: str) -> None:
    with pytest.raises(BenchError, match=words) as e:
        check([UDP, TCP], options)
    assert e.value.code == 2
