# SPDX-License-Identifier: BSD-3-Clause
"""The directory of --report, which may have an earlier report: its page and figures do not stay beside new ones."""
from __future__ import annotations

import io
import json
import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.model import BenchError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIX = "free space there, or name another directory with --report"
OUR_PAGE = "<title>pagewire bench</title>"


def _slug(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:60].rstrip("-")


def profile_figures(doc: dict[str, Any]) -> list[str]:
    """Names of the figures of a profile's result, pagewire.profile/1: one a contest, then all together."""
    return [*(f"{i:02}-{_slug(c['title'])}-{_slug(c['unit'])}" for i, c in enumerate(doc["contests"], 1)),
            _slug(doc["profile"])]


def _drawn(directory: Path) -> set[str]:
    """Page and figures of the report that is there, by what it says itself: other files are the user's."""
    found: set[str] = set()
    try:
        page = (directory / "report.html").read_text(encoding="utf-8", errors="replace")
        if OUR_PAGE in page:
            found |= {"report.html", *re.findall(r'<a href="([\w-]+\.(?:svg|pdf))"', page)}
    except OSError:
        pass
    try:
        doc = json.loads((directory / "result.json").read_text(encoding="utf-8"))
        if doc["schema"] == "pagewire.profile/1":
            found |= {f"{name}.{form}" for name in profile_figures(doc) for form in ("svg", "pdf")}
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        pass  # nothing is there, or it is not ours
    return found


class ReportDir:
    """Where a report is written. It is made when it is not there."""

    def __init__(self, path: str) -> None:
        """Fails when nothing can be written there: before anything is measured."""
        self.path = Path(path)
        try:
            os.makedirs(path, exist_ok=True)
            tempfile.TemporaryFile(dir=path).close()
        except OSError as e:
            raise BenchError(f"cannot write a report to {path}: {e.strerror}; name another directory with "
                             "--report") from e
        self._stale = _drawn(self.path)

    def write(self, name: str, data: str | bytes) -> None:
        """A file is whole or not there."""
        part = self.path / f".{name}.part"
        try:
            part.write_bytes(data.encode() if isinstance(data, str) else data)
            part.replace(self.path / name)
        except OSError as e:
            part.unlink(missing_ok=True)
            raise BenchError(f"cannot write {self.path}/{name}: {e.strerror}; {FIX}") from e
        self._stale.discard(name)

    def write_figure(self, name: str, figure: Figure) -> bytes:
        """As SVG, which is returned, and as PDF. The same result gives the same files."""
        out = io.BytesIO()
        figure.savefig(out, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
        self.write(f"{name}.svg", out.getvalue())
        pdf = io.BytesIO()
        figure.savefig(pdf, format="pdf", metadata={"CreationDate": None})
        self.write(f"{name}.pdf", pdf.getvalue())
        return out.getvalue()

    def remove_stale(self) -> None:
        """What an earlier report has drawn and this one has not."""
        for name in self._stale:
            try:
                (self.path / name).unlink(missing_ok=True)
            except OSError as e:
                raise BenchError(f"cannot remove {self.path}/{name}, of an earlier report: {e.strerror}; "
                                 "name another directory with --report") from e
