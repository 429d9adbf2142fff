# SPDX-License-Identifier: BSD-3-Clause
"""The table of docs/copies.md: what was counted, and the expected number where it differs or no probe sees it."""
from typing import Any

from bench.copies import table
from bench.model import Expected
from samples_of import result, row, sample

COPIES = "cpu_copies_per_byte"


def counted(label: str, wire: str, copies: float | None, want: float | None, **about: Any) -> Any:
    samples = [sample(0), sample(1), sample(2, evidence=True, **{COPIES: copies})]
    return row(label, samples, wire=wire, expected=Expected(want), **about)


def test_the_table_has_a_line_a_way_and_only_wires_that_were_measured() -> None:
    first = result(counted("udp_gso", "loopback", 1.011, 1), counted("udp_zerocopy", "sink", 1.02, 0))
    second = result(counted("udp_gso", "sink", 1.012, 1))
    assert table([first, second]).splitlines() == [
        "| way | loopback | sink |",
        "| --- | --- | --- |",
        "| `udp_gso` | 1.011 | 1.012 |",
        "| `udp_zerocopy` |  | 1.020 (expected 0) |",
    ]


def test_rows_without_a_count_say_why() -> None:
    unseen = counted("ktls_sendfile", "veth", None, 1)
    skipped = counted("xdp_sg", "veth", None, 1, skipped="needs Linux 6.6")
    void = row("udp_gso", [sample(0), sample(1, void="nothing arrived")], wire="veth", expected=Expected(1))
    cells = [line.split(" | ")[1].removesuffix(" |") for line in table([result(unseen, skipped, void)]).splitlines()]
    assert cells[2:] == ["not seen (1)", "skipped", "-"]
