# SPDX-License-Identifier: BSD-3-Clause
"""What the documents print, runs. Each section of a document, and each walk as a whole, is a test: its blocks run in
order, as they stand, by `bash -eu` in one scratch directory, on this host or in a guest. A block without a mark fails;
docs/testing.md explains the marks."""
from __future__ import annotations

import os
import re
import shlex
import urllib.parse
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path

import blocks
from blocks import Block
from harness import Failed, Skip, Test, check

CONCURRENT = True
LIMIT = 150  # seconds for the blocks of a section that run in one place
TOP = Path(__file__).resolve().parents[2]
DOCUMENTS = [TOP / "README.md", TOP / "CONTRIBUTING.md", *sorted((TOP / "docs").glob("*.md"))]
LINKED = ("scripts", "tests", "config", "docs")  # what a block finds beside it, as in a clone
IN_GUEST = " in a guest"
# What a block started has to end by itself, and with 0: also what it started in the background.
PROLOGUE = "exec 2>&1; true & trap 'pids[$!]=1' DEBUG\n"
EPILOGUE = "trap - DEBUG; pids[$!]=1; for pid in \"${!pids[@]}\"; do wait \"$pid\"; done\n"
NUMBER = re.compile(r"0x[0-9A-Fa-f]+|[0-9a-f]{32}|\d[\d.,]*")
UNIT = re.compile(r"# ([KMGT]i?)?(B|bit|pps|s|ms|us)\b")
LINK = re.compile(r"\[[^]]*\]\(([^)#\s]*)(?:#([^)\s]*))?\)")


def name_of(path: Path) -> str:
    return str(path.relative_to(TOP))


def pattern_of(line: str) -> str:
    """A line of output without what differs from run to run: numbers, their units, the width of columns."""
    return " ".join(UNIT.sub("# unit", NUMBER.sub("#", line)).split())


def compare(document: str, printed: Block, output: str) -> None:
    """Each line that the document prints is in the output, in its order. `...` stands for any lines."""
    found = iter([pattern_of(line) for line in output.splitlines()])
    for number, line in enumerate(printed.lines):
        if line.strip() not in ("", "..."):
            check(any(pattern_of(line) == other for other in found),
                  f"{document}:{printed.line + number}: not printed: {line}\nprinted was:\n{output}")


class Place:
    """Blocks that run one after the other in one shell: on this host, or in one guest."""

    def __init__(self, document: str, place: list[Block]) -> None:
        self.document = document
        self.place = place
        self.runs = [b for b in place if b.kind.startswith(("run", "before"))]

    def marker(self, block: Block) -> str:
        return f"== {self.document}:{block.line}"

    def script(self) -> str:
        steps = [f"echo {shlex.quote(self.marker(b))}\n{b.text}" for b in self.runs]
        return PROLOGUE + "".join(steps) + EPILOGUE

    def argv(self, binary: str) -> list[str]:
        shell = ["bash", "-euc", self.script()]
        if not self.runs[0].kind.endswith(IN_GUEST):
            # no interface of the host is touched
            return ["unshare", "--net", "sh", "-c", 'ip link set lo up; exec "$@"', "sh", *shell]
        options = [word for b in self.runs for word in shlex.split(b.words)]
        return [str(TOP / "scripts/vm"), "run", "--timeout", str(LIMIT), "--pagewire", binary, *options, "--", *shell]

    def run(self, t: Test) -> None:
        p = t.spawn(*self.argv(t.binary)).wait(LIMIT + 10)
        if p.code == 77:
            raise Skip(p.out.strip().splitlines()[-1] if p.out.strip() else p.err.strip())
        check(p.code == 0, f"{self.document}: exit code {p.code}\n{p.out}{p.err}")
        last = self.runs[0]
        for block in self.place:
            if block.kind == "prints":
                compare(self.document, block, p.out.partition(self.marker(last) + "\n")[2])
            elif block in self.runs:
                last = block


def places_of(document: str, section: list[Block]) -> Iterator[Place]:
    """Neighbours that run in the same place belong together. What is printed belongs to what prints it."""
    guest = False

    def is_in_guest(block: Block) -> bool:
        nonlocal guest
        if block.kind != "prints":
            guest = block.kind.endswith(IN_GUEST)
        return guest

    for _, group in groupby([b for b in section if b.kind.startswith(("run", "before", "prints"))], is_in_guest):
        yield Place(document, list(group))


def run_section(t: Test, document: str, section: list[Block]) -> None:
    t.need_root()
    for name in LINKED:
        os.symlink(TOP / name, t.path(name))
    t.env["PATH"] = f"{os.path.dirname(t.binary)}:{t.env['PATH']}"
    for block in section:
        if block.kind == "file":
            Path(t.path(block.words)).write_text(block.text, encoding="utf-8")
    for place in places_of(document, section):
        place.run(t)


def section_test(document: str, section: list[Block]) -> Callable[[Test], None]:
    return lambda t: run_section(t, document, section)


def skipped_test(block: Block) -> Callable[[Test], None]:
    def test(_: Test) -> None:
        raise Skip(block.words)
    return test


def tests_of(path: Path) -> Iterator[tuple[str, Callable[[Test], None]]]:
    stem = path.stem.lower()
    is_walk = stem.startswith("walk-")
    for title, group in groupby(blocks.read(path), lambda b: "as a whole" if is_walk else b.section):
        section = list(group)
        if any(b.kind.startswith("run") for b in section):
            slug = re.sub(r"\W+", "_", title.lower()).strip("_")
            yield f"{stem}_{section[0].line}_{slug}", section_test(name_of(path), section)
        for block in section:
            if block.kind == "not run":
                yield f"{stem}_{block.line}_is_not_run", skipped_test(block)


def test_every_block_is_marked(_: Test) -> None:
    found = [f"{name_of(path)}:{b.line}: {b.lines[0]}" for path in DOCUMENTS for b in blocks.read(path) if not b.kind]
    check(not found, "blocks without a mark (docs/testing.md):\n" + "\n".join(found))


def anchors(path: Path) -> set[str]:
    """The names that GitHub gives to the headings."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def is_there(path: Path, target: str, anchor: str) -> bool:
    if urllib.parse.urlparse(target).scheme:
        return True  # of the Web, which no test asks
    file = path.parent / target if target else path
    return file.exists() and (not anchor or anchor in anchors(file))


def test_every_link_leads_to_a_file_and_a_heading(_: Test) -> None:
    links = [(path, *link) for path in DOCUMENTS for link in LINK.findall(path.read_text(encoding="utf-8"))]
    missing = [f"{name_of(path)}: {target}#{anchor}" for path, target, anchor in links
               if not is_there(path, target, anchor)]
    check(not missing, "links to what is not there:\n" + "\n".join(missing))


def test_a_wrong_mark_is_an_error(t: Test) -> None:
    path = Path(t.path("a.md"))
    for text in ("<!-- not run -->\n\n    true\n", "<!-- run -->\n\nNo block.\n"):
        path.write_text(text, encoding="utf-8")
        try:
            blocks.read(path)
        except blocks.BadMark:
            continue
        raise Failed(f"accepted: {text!r}")


def test_a_failing_block_and_an_output_that_differs_fail(t: Test) -> None:
    path = Path(t.path("a.md"))
    for text in ("<!-- run -->\n    false\n    true\n", "<!-- run -->\n    false & sleep 0.2\n    true & wait $!\n",
                 "<!-- run -->\n    echo $nothing\n",
                 "<!-- run -->\n    echo 1 file\n\n<!-- prints -->\n    1 files\n"):
        path.write_text(text, encoding="utf-8")
        try:
            for place in places_of("a.md", blocks.read(path)):
                place.run(t)
        except Failed:
            continue
        raise Failed(f"passed: {text!r}")


for _path in DOCUMENTS:
    for _name, _test in tests_of(_path):
        globals()[f"test_{_name}"] = _test
