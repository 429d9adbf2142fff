# SPDX-License-Identifier: BSD-3-Clause
"""Summaries of a result, and its two files: JSON (pagewire.bench/1) and CSV."""
from __future__ import annotations

import csv
import json
import math
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TextIO, TypeVar

from bench import stats
from bench.metrics import METRICS, is_evidence
from bench.model import BenchError, Expected, Result, Row, Sample, Summary

SCHEMA = "pagewire.bench/1"
ADDED = ("direction", "options", "packets_sent", "packets_counted", "raw")  # fields that older results lack
Json = dict[str, Any]


def is_valid(s: Sample) -> bool:
    """It may enter a summary: after the warm-up, not void."""
    return s.round > 0 and not s.void


def value_of(s: Sample, key: str) -> float | None:
    """The sample's number for this metric; None where it has none to give."""
    return s.values.get(key) if is_valid(s) and s.evidence == is_evidence(key) else None


def values_of(row: Row, key: str) -> list[float]:
    """The numbers that the row's summary of this metric is made of: the raw points of a plot."""
    return [v for v in (value_of(s, key) for s in row.samples) if v is not None]


def baseline_of(result: Result, row: Row) -> Row | None:
    """The row that this one's ratios are against."""
    return next((b for b in result.rows if b.label == result.baseline and b.group == row.group), None)


def summarize_result(result: Result) -> None:
    """Fills the rows' summaries and ratios from their samples."""
    for row in result.rows:
        keys = list(METRICS) + sorted({k for s in row.samples for k in s.values} - set(METRICS))
        row.summary = {k: stats.summarize([value_of(s, k) for s in row.samples], result.seed) for k in keys}
        base = baseline_of(result, row)
        goodput = {} if base is None else {
            s.round: value_of(s, "goodput_bps") for s in base.samples if not s.evidence}
        timed = [s for s in row.samples if not s.evidence]
        row.goodput_ratio = stats.ratio([value_of(s, "goodput_bps") for s in timed],
                                        [goodput.get(s.round) for s in timed], result.seed)


def _finite(v: Any) -> Any:
    """The same for JSON: without numbers that it does not have, without empty texts."""
    if isinstance(v, dict):
        return {k: _finite(x) for k, x in v.items()}
    if isinstance(v, list):
        return [_finite(x) for x in v]
    return None if v == "" or isinstance(v, float) and not math.isfinite(v) else v


def _row_json(row: Row) -> Json:
    doc = asdict(row)
    doc["summary"] = dict.fromkeys(METRICS, asdict(Summary())) | doc["summary"]
    doc["not_measured"] = {k: why for k, why in row.not_measured.items()
                           if why and not doc["summary"][k]["n"]}
    for s in doc["samples"]:
        s["values"] = {**dict.fromkeys(METRICS), **s["values"]}
        if s["raw"] is None:
            del s["raw"]
    return doc


def to_json(result: Result) -> Json:
    """The document; the caller may add "exit_code"."""
    head = {f.name: getattr(result, f.name) for f in fields(Result) if f.name != "rows"}
    doc: Json = _finite({"schema": SCHEMA, **head, "rows": [_row_json(row) for row in result.rows]})
    return doc | {
        "version": result.version,
        "seed": str(result.seed),  # 64 bits are more than a number of JSON holds in most readers
        "wires": {row.wire: result.wires[row.wire] for row in result.rows if row.wire in result.wires},
        "metrics": {key: asdict(m) for key, m in METRICS.items()}}


T = TypeVar("T")


def _read(kind: type[T], doc: Json, **parts: Any) -> T:
    """An object of the fields that the document has; what newer programs add is left out."""
    known = {f.name: doc[f.name] for f in fields(kind) if f.name not in ADDED or f.name in doc}
    return kind(**{**known, **parts})


def _row(doc: Json) -> Row:
    return _read(Row, doc, pages=doc["pages"] or "", expected=_read(Expected, doc["expected"]),
                 samples=[_read(Sample, s) for s in doc["samples"]],
                 summary={k: _read(Summary, s) for k, s in doc["summary"].items()},
                 goodput_ratio=_read(Summary, doc["goodput_ratio"]))


def from_json(doc: Json) -> Result:
    """The stored summaries are kept: a result shows the same numbers wherever it is read."""
    return _read(Result, doc, seed=int(doc["seed"]), seconds=doc["seconds"] or 0.0,
                 rows=[_row(r) for r in doc["rows"]])


def load(path: str | Path) -> Result:
    """Reads a result file, or the result.json of a report's directory."""
    file = Path(path)
    file = file / "result.json" if file.is_dir() else file
    try:
        doc = json.loads(file.read_text(encoding="utf-8"))
        schema = doc.get("schema") if isinstance(doc, dict) else None
        if schema == SCHEMA:
            return from_json(doc)
        why = f"its schema is {schema}, not {SCHEMA}"
    except OSError as e:
        why = str(e.strerror)
    except json.JSONDecodeError as e:
        why = f"it is not JSON ({e})"
    except (KeyError, TypeError, ValueError) as e:
        why = f"it is not a whole {SCHEMA} ({e!r})"
    raise BenchError(f"cannot read result {file}: {why}; give a file that `pagewire bench --json` wrote")


def host_name(result: Result) -> str:
    """What tells this host from others: its name, or in older results what the machine is."""
    return result.env.get("hostname") or result.env.get("machine") or result.env.get("cpu_model") or ""


def write_csv(out: TextIO, result: Result, everything: bool = False) -> None:
    """One line a sample. By default the valid samples of timed rounds, each with its row's evidence (calls,
    faults, switches and copies, counted in a run of their own); everything: each run as it was."""
    kinds = ["evidence", "void"] if everything else []
    table = csv.writer(out)  # RFC 4180
    table.writerow(["host", "version", "git_revision", "direction", "wire", "way", "label", "pages", "bypass",
                    "stream", "file_bytes", "mtu", "cold", "round", "proof", *kinds, *METRICS])
    host = [host_name(result), result.version, result.env.get("git_revision") or ""]
    for row in result.rows:
        cell = [row.direction, row.wire, row.way, row.label, row.pages, int(row.bypass), int(row.stream),
                row.file_bytes, row.mtu, int(row.cold)]
        for s in row.samples:
            if everything or (is_valid(s) and not s.evidence):
                kind = [int(s.evidence), s.void or ""] if everything else []
                values = [row.summary.get(k, Summary()).median if is_evidence(k) and not everything
                          else s.values.get(k) for k in METRICS]
                table.writerow([*host, *cell, s.round, s.proof, *kind,
                                *("" if v is None or not math.isfinite(v) else f"{v:.12g}" for v in values)])
