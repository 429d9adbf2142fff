# SPDX-License-Identifier: BSD-3-Clause
"""Results for the tests: stored ones of the C bench, and small ones made by hand."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench.metrics import METRICS
from bench.model import Result, Row, Sample
from bench.result import load, summarize_result

DATA = Path(__file__).resolve().parent / "data"
STORED = ("quick-c", "cold-c")  # cold-c: skipped, void and cold rows


def stored(name: str) -> Result:
    """A result that the C bench wrote."""
    return load(DATA / f"{name}.json")


def stored_json(name: str) -> dict[str, Any]:
    """The same as it is in the file."""
    doc: dict[str, Any] = json.loads((DATA / f"{name}.json").read_text())
    return doc


def sample(number: int, **about: Any) -> Sample:
    """evidence and void, and values by metric; other metrics are not measured."""
    evidence, void = about.pop("evidence", False), about.pop("void", None)
    return Sample(round=number, evidence=evidence, proof="compared", void=void,
                  values={**dict.fromkeys(METRICS), **about})


def row(label: str = "udp_gso", samples: list[Sample] | None = None, **about: Any) -> Row:
    """64 MiB on veth with MTU 1500, where nothing else is said."""
    fields: dict[str, Any] = {"wire": "veth", "way": label, "label": label, "pages": "hugetlbfs",
                              "bypass": False, "stream": False, "file_bytes": 64 << 20, "mtu": 1500,
                              "cold": False, **about}
    return Row(samples=samples or [], **fields)


def rounds(key: str, values: list[float | None]) -> list[Sample]:
    """The first one is the warm-up's."""
    return [sample(n, **{key: v}) for n, v in enumerate(values)]


def result(*rows: Row, **about: Any) -> Result:
    """Summarized."""
    fields: dict[str, Any] = {"command": "pagewire bench --quick", "profile": "quick", "baseline": "udp_gso",
                              "rounds": 5, "seed": 42, "seconds": 1.0, "version": "0.1.0", **about}
    made = Result(rows=list(rows), **fields)
    summarize_result(made)
    return made
