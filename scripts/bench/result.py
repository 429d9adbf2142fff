# SPDX-License-Identifier: BSD-3-Clause
"""Summaries of a result, and its two files: JSON (pagewire.bench/1) and CSV."""
from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any, TextIO

from bench import stats
from bench.metrics import METRICS, is_evidence
from bench.model import BenchError, Expected, Result, Row, Sample, Summary

SCHEMA = "pagewire.bench/1"
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


def _number(v: float | None) -> float | None:
    return v if v is not None and math.isfinite(v) else None


def summary_json(s: Summary) -> Json:
    """A summary as objects of JSON."""
    return {"median": _number(s.median), "low": _number(s.low), "high": _number(s.high),
            "min": _number(s.min), "max": _number(s.max), "n": s.n}


def _sample_json(s: Sample) -> Json:
    doc = {"round": s.round, "evidence": s.evidence, "proof": s.proof, "packets_sent": s.packets_sent,
           "packets_counted": s.packets_counted, "void": s.void or None,
           "values": {k: _number(s.values.get(k)) for k in dict.fromkeys((*METRICS, *s.values))}}
    return doc if s.raw is None else {**doc, "raw": s.raw}


def _row_json(row: Row) -> Json:
    e = row.expected
    return {
        "direction": row.direction, "wire": row.wire, "way": row.way, "label": row.label,
        "pages": row.pages or None, "bypass": row.bypass, "stream": row.stream, "file_bytes": row.file_bytes,
        "mtu": row.mtu, "cold": row.cold, "skipped": row.skipped or None,
        "expected": {"cpu_copies_per_byte": _number(e.cpu_copies_per_byte),
                     "dma_copies_per_byte": _number(e.dma_copies_per_byte), "reason": e.reason},
        "summary": {k: summary_json(row.summary.get(k, Summary()))
                    for k in dict.fromkeys((*METRICS, *row.summary))},
        "goodput_ratio": summary_json(row.goodput_ratio),
        "not_measured": {k: why for k, why in row.not_measured.items()
                         if why and not row.summary.get(k, Summary()).n},
        "samples": [_sample_json(s) for s in row.samples]}


def to_json(result: Result) -> Json:
    """The document; the caller may add "exit_code"."""
    return {
        "schema": SCHEMA, "version": result.version, "command": result.command, "profile": result.profile,
        "baseline": result.baseline, "rounds": result.rounds,
        "seed": str(result.seed),  # 64 bits are more than a number of JSON holds in most readers
        "seconds": _number(result.seconds), "env": {k: v or None for k, v in result.env.items()},
        "wires": {row.wire: result.wires[row.wire] for row in result.rows if row.wire in result.wires},
        "metrics": {m.key: {"title": m.title, "unit": m.unit, "scale": m.scale, "better": m.better,
                            "what": m.what, "evidence": m.evidence} for m in METRICS.values()},
        "rows": [_row_json(row) for row in result.rows]}


def _summary(doc: Json) -> Summary:
    return Summary(**{k: doc[k] for k in ("median", "low", "high", "min", "max", "n")})


def _sample(doc: Json) -> Sample:
    return Sample(round=doc["round"], evidence=doc["evidence"], proof=doc["proof"],
                  packets_sent=doc.get("packets_sent", 0), packets_counted=doc.get("packets_counted"),
                  void=doc["void"], values=dict(doc["values"]), raw=doc.get("raw"))


def _row(doc: Json) -> Row:
    expected = doc["expected"]
    return Row(
        wire=doc["wire"], way=doc["way"], label=doc["label"], pages=doc["pages"] or "", bypass=doc["bypass"],
        stream=doc["stream"], file_bytes=doc["file_bytes"], mtu=doc["mtu"], cold=doc["cold"],
        expected=Expected(expected["cpu_copies_per_byte"], expected["dma_copies_per_byte"],
                          expected["reason"] or ""),
        skipped=doc["skipped"], samples=[_sample(s) for s in doc["samples"]],
        not_measured=dict(doc["not_measured"]), summary={k: _summary(s) for k, s in doc["summary"].items()},
        goodput_ratio=_summary(doc["goodput_ratio"]), direction=doc.get("direction", "send"))


def from_json(doc: Json) -> Result:
    """The stored summaries are kept: a result shows the same numbers wherever it is read."""
    return Result(
        command=doc["command"], profile=doc["profile"], baseline=doc["baseline"], rounds=doc["rounds"],
        seed=int(doc["seed"]), seconds=doc["seconds"] or 0.0, version=doc["version"], env=dict(doc["env"]),
        wires=dict(doc["wires"]), rows=[_row(r) for r in doc["rows"]])


def load(path: str | Path) -> Result:
    """Reads a result file, or the result.json of a report's directory."""
    file = Path(path)
    file = file / "result.json" if file.is_dir() else file
    try:
        doc = json.loads(file.read_text(encoding="utf-8"))
    except OSError as e:
        raise BenchError(f"cannot read result {file}: {e.strerror}; "
                         "give a file that --json or --report wrote") from e
    except ValueError as e:
        raise BenchError(f"cannot read result {file}: it is not JSON ({e}); "
                         "give a file that --json or --report wrote") from e
    schema = doc.get("schema") if isinstance(doc, dict) else None
    if schema != SCHEMA:
        raise BenchError(f"cannot read result {file}: its schema is {schema}, not {SCHEMA}; "
                         "give a file that `pagewire bench --json` wrote")
    try:
        return from_json(doc)
    except (KeyError, TypeError, ValueError) as e:
        raise BenchError(f"cannot read result {file}: it is not a whole {SCHEMA} ({e!r}); "
                         "write it again") from e


def _cell(v: float | None) -> str:
    return "" if v is None or not math.isfinite(v) else f"{v:.12g}"


def host_name(result: Result) -> str:
    """What tells this host from others: its name, or in older results what the machine is."""
    return result.env.get("hostname") or result.env.get("machine") or result.env.get("cpu_model") or ""


def _csv_values(row: Row, s: Sample, everything: bool) -> list[str]:
    if everything:
        return [_cell(s.values.get(k)) for k in METRICS]
    return [_cell(row.summary.get(k, Summary()).median if is_evidence(k) else s.values.get(k))
            for k in METRICS]


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
                table.writerow([*host, *cell, s.round, s.proof, *kind, *_csv_values(row, s, everything)])
