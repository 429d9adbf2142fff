# SPDX-License-Identifier: BSD-3-Clause
"""Summaries of a result, and its two files: JSON (pagewire.bench/1) and CSV."""
from __future__ import annotations

import csv
import functools
import json
import math
from collections.abc import Callable
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from types import UnionType
from typing import Any, TextIO, get_args, get_origin, get_type_hints

from bench import stats
from bench.metrics import METRICS, is_evidence
from bench.model import BenchError, Result, Row, Sample, Summary
from bench.view import plain

SCHEMA = "pagewire.bench/1"
ADDED = ("direction", "options", "packets_sent", "packets_counted", "raw")  # fields that older results lack
Json = dict[str, Any]
NULLS = {"pages": "", "seconds": 0.0}  # fields that are never None: what null stands for
RAW = {"sink": dict[str, Any] | None, "limit": str | None}  # of a sample's `raw`: what is read again
DEEPEST = 24       # levels of a document: those of a result are fewer
SHOWN = 60         # characters of a wrong value in a message
SEED_DIGITS = 20   # of 64 bits
LEAST, MOST = 1e-100, 1e100  # sizes of numbers whose ratios and squares are numbers as well
SCALARS: dict[Any, tuple[str, Callable[[Any], bool]]] = {
    bool: ("true or false", lambda v: type(v) is bool),
    int: ("a whole number from 0 to 2^64 - 1", lambda v: type(v) is int and 0 <= v < 1 << 64),
    float: (f"0 or a number from {LEAST:g} to {MOST:g}",
            lambda v: type(v) in (int, float) and (v == 0 or LEAST <= abs(v) <= MOST)),
    str: ("a text of Unicode", lambda v: isinstance(v, str) and not any("\ud800" <= c <= "\udfff" for c in v))}


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


def _short(v: Any) -> str:
    """A value as a message shows it."""
    return plain(v if isinstance(v, str) else str(v))[:SHOWN]


def _path(at: tuple[str | int, ...]) -> str:
    """Where a value is in the document: "rows[3].samples[1].round"."""
    return "".join(f"[{x}]" if isinstance(x, int) else f".{_short(x)}" for x in at).lstrip(".")


@functools.lru_cache(maxsize=16)
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _typed(hint: Any, v: Any, *at: str | int) -> Any:
    """The JSON value as the annotation has it. ValueError: it has another type, and where it is."""
    kind, parts = get_origin(hint) or hint, get_args(hint)
    if len(at) > DEEPEST:
        raise ValueError(f"{_path(at[:3])} is nested more than {DEEPEST} levels deep")
    if kind is UnionType:  # X | None
        return None if v is None else _typed(parts[0], v, *at)
    if kind is Any:
        if not isinstance(v, (dict, list, str)):
            return v
        kind, parts = type(v), (str, Any) if isinstance(v, dict) else (Any,)
    if kind is list and isinstance(v, list):
        return [_typed(parts[0], x, *at, i) for i, x in enumerate(v)]
    if kind is dict and isinstance(v, dict):
        return {_typed(str, k, *at, k): _typed(parts[1], x, *at, k) for k, x in v.items()}
    if is_dataclass(kind) and isinstance(v, dict):
        return _read(kind, v, *at)
    what, fits = SCALARS.get(kind, ("a list" if kind is list else "an object", lambda _: False))
    if not fits(v):
        raise ValueError(f"{_path(at)} is {_short(json.dumps(v))}, not {what}")
    return v


def _read(kind: Any, doc: Json, *at: str | int) -> Any:
    """An object of the fields that the document has; what newer programs add is left out."""
    found = {}
    for name, hint in _hints(kind).items():
        if name in doc:
            v = NULLS.get(name) if doc[name] is None else doc[name]
            found[name] = _typed(hint, v, *at, name)
        elif name not in ADDED:
            raise ValueError(f"{_path((*at, name))} is missing")
    made = kind(**found)
    if isinstance(made, Sample) and made.raw:
        for key, hint in RAW.items():
            _typed(hint, made.raw.get(key), *at, "raw", key)
    if isinstance(made, Summary):
        numbers = [v for v in (made.min, made.low, made.median, made.high, made.max) if v is not None]
        if len(numbers) != (5 if made.n else 0) or numbers != sorted(numbers):
            raise ValueError(f"{_path(at)} is no summary: min, low, median, high and max must be in this "
                             "order, or null where n is 0")
    return made


def from_json(doc: Json) -> Result:
    """The stored summaries are kept: a result shows the same numbers wherever it is read. ValueError: what is
    wrong in the document."""
    seed = doc.get("seed")
    if isinstance(seed, str) and seed.isdecimal() and len(seed) <= SEED_DIGITS:
        doc = {**doc, "seed": int(seed)}
    result: Result = _typed(Result, doc)
    return result


def _number(text: str) -> float:
    """A number of JSON; Python would read NaN, Infinity and 1e999 as well."""
    if not math.isfinite(float(text)):
        raise ValueError(f"it has the number {text[:SHOWN]}, which is not finite")
    return int(text) if text.lstrip("-").isdecimal() else float(text)


def load(path: str | Path) -> Result:
    """Reads a result file, or the result.json of a report's directory."""
    file = Path(path)
    file = file / "result.json" if file.is_dir() else file
    try:
        doc = json.loads(file.read_text(encoding="utf-8"), parse_int=_number, parse_float=_number,
                         parse_constant=_number)
        schema = doc.get("schema") if isinstance(doc, dict) else None
        if schema == SCHEMA:
            return from_json(doc)
        why = f"its schema is {_short(schema)}, not {SCHEMA}"
    except OSError as e:
        why = str(e.strerror)
    except RecursionError:
        why = "it is nested too deeply"
    except UnicodeDecodeError as e:
        why = f"it is not UTF-8 (byte {e.start})"
    except json.JSONDecodeError as e:
        why = f"it is not JSON ({e})"
    except ValueError as e:
        why = f"it is not a whole {SCHEMA}: {e}"
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
