# SPDX-License-Identifier: BSD-3-Clause
"""Writes the directory of --report: report.html, report.pdf, result.json, samples.csv, figures.
main.py imports this module for a report only: a bench without one needs neither matplotlib nor jinja2."""
from __future__ import annotations

import io
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import table, view
from bench.metrics import METRICS
from bench.model import BenchError, Result, Row
from bench.reportdir import ReportDir
from bench.result import host_name, to_json, write_csv

try:
    import jinja2
    import matplotlib
    from bench import plots
    from bench.plots import Drawing
    from matplotlib.backends.backend_pdf import PdfPages
except ImportError as e:
    raise BenchError(f"cannot write a report: {e}; apt-get install python3-matplotlib python3-jinja2",
                     77) from e

MAIN = ("packets_per_s", "cpu_ns_per_mb", "machine_ns_per_mb", "mode_switches_per_mb", "loss")
OTHER = tuple(k for k in METRICS if k not in (*MAIN, "goodput_bps", "cpu_copies_per_byte"))
NOTES = (("What the kernel said of its zero-copy sends", table.notes_copied),
         ("Void: not in the figures", table.notes_void),
         ("Skipped: this host lacks what they need", table.notes_skipped))


def prepare(directory: str) -> None:
    """Fails before anything is measured when the report could not be written."""
    ReportDir(directory)


def result_names(results: Sequence[Result]) -> list[str]:
    """What tells the results apart: host and commit, else the date."""
    names = [", ".join(filter(None, (host_name(r), r.env.get("kernel"),
                                     r.env.get("git_revision") or r.version))) for r in results]
    if len(set(names)) < len(names):
        names = [f"{name}, {r.env.get('date') or 'no date'}" for name, r in zip(names, results, strict=True)]
    return [f"{i}: {name}" for i, name in enumerate(names, 1)] if len(results) > 1 else names


def rank(group: Sequence[Row], row: Row) -> str:
    """Place by goodput. Overlapping intervals show no difference: then it is the range of places."""
    own = view.summary(row, "goodput_bps")
    if own.low is None or own.high is None:
        return "-"
    others = [s for r in group if r is not row and (s := view.summary(r, "goodput_bps")).n]
    first = 1 + sum((s.low or 0) > own.high for s in others)
    last = 1 + sum((s.high or 0) >= own.low for s in others)
    return str(first) if first == last else f"{first}–{last}"


def _inline(svg: bytes, name: str) -> str:
    """The SVG element alone; its ids are of this figure, for a page has several."""
    text = svg.decode()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg"):], flags=re.DOTALL)
    text = re.sub(r' xmlns(:\w+)?="[^"]*"', "", text, count=2)
    return re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", text)


def _section(result: Result, name: str, prefix: str) -> dict[str, Any]:
    """What the template shows of a result. prefix: of its files' names."""
    wires = [{"name": plots.wire_name(rows[0]), "caveat": result.wires.get(rows[0].wire, ""),
              "groups": [(view.group_title(g[0]), plots.ranked(g)) for g in view.groups(rows)
                         if any(not r.skipped for r in g)],
              "expected": {r.label + (", cold" if r.cold else ""): r.expected for r in rows if not r.skipped},
              "notes": [(title, notes(rows)) for title, notes in NOTES],
              "figures": list(plots.of_wire(result, rows))} for rows in view.wires(result)]
    return {"name": name, "result": result, "prefix": prefix, "caveat": view.env_caveat(result.env),
            "overview": plots.overview(result), "wires": wires,
            "unmeasured": table.notes_unmeasured(result.rows)}


def _draw(drawing: Drawing | None, to: ReportDir, prefix: str, pdf: PdfPages) -> None:
    """Writes the figure's files and adds it to the PDF; its SVG stays, for the page."""
    if not drawing:
        return
    drawing.name = prefix + drawing.name
    drawing.svg = _inline(to.write_figure(drawing.name, drawing.figure), drawing.name)
    pdf.savefig(drawing.figure)


def _page(sections: list[dict[str, Any]], comparison: Drawing | None) -> str:
    env = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True,
                             undefined=jinja2.StrictUndefined,
                             loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"))
    env.filters["median_of"] = view.median
    env.filters["unit"] = lambda unit: unit.replace("us/", "µs/")
    return env.get_template("report.html.j2").render(
        sections=sections, comparison=comparison, view=view, metrics=METRICS, main=MAIN, other=OTHER,
        rank=rank, by_bpf=any(view.measured(s["result"].rows, "cpu_copies_per_byte") for s in sections))


def _write_data(results: Sequence[Result], prefixes: Sequence[str], to: ReportDir) -> None:
    samples = ""
    for result, prefix in zip(results, prefixes, strict=True):
        to.write(f"{prefix}result.json", json.dumps(to_json(result), indent=1) + "\n")
        out = io.StringIO(newline="")
        write_csv(out, result)
        samples += out.getvalue() if not samples else out.getvalue().partition("\n")[2]
    to.write("samples.csv", samples)


def write_report(results: list[Result], directory: str) -> None:
    """The data first: should a figure fail, they are there."""
    to = ReportDir(directory)
    prefixes = [f"{i}-" for i in range(1, len(results) + 1)] if len(results) > 1 else [""]
    _write_data(results, prefixes, to)
    names = result_names(results)
    pages, about = io.BytesIO(), {"Title": "pagewire bench", "CreationDate": None}
    with matplotlib.rc_context(plots.STYLE), PdfPages(pages, metadata=about) as pdf:
        comparison = plots.compared(results, names) if len(results) > 1 else None
        _draw(comparison, to, "", pdf)
        sections = [_section(*s) for s in zip(results, names, prefixes, strict=True)]
        for section in sections:
            for drawing in (section["overview"], *(d for wire in section["wires"] for d in wire["figures"])):
                _draw(drawing, to, section["prefix"], pdf)
    to.write("report.pdf", pages.getvalue())
    to.write("report.html", _page(sections, comparison))
    to.remove_stale()
