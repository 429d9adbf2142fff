#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The blocks of a document, and what their marks say. tests/docs runs them; docs/testing.md explains the marks.

blocks.py FILE.md OUT...: writes the document's `file` blocks, in order, to OUT...
"""
from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

KINDS = ("run", "run in a guest", "before", "before in a guest", "not run", "prints", "file", "text")
WITH_WORDS = ("not run", "file")  # that say nothing without their words: a reason, a name
FENCE = re.compile(r"```(\w*)")
OPEN = re.compile(r"<!-- *(" + "|".join(KINDS) + r")\b *(?:: *(.*?))? *(-->)?$")


@dataclass
class Block:
    """kind: of KINDS, or "" without a mark. words: behind the mark's colon."""
    line: int
    section: str
    kind: str
    words: str
    lines: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "\n".join(self.lines) + "\n"


class BadMark(Exception):
    """A mark that cannot be understood; the text says where."""


class _Reader:
    """Reads Markdown as far as needed: headings, indented and fenced blocks, comments that are marks."""

    def __init__(self, text: str) -> None:
        self.lines = text.split("\n")
        self.at = 0
        self.section = ""
        self.mark: tuple[int, str, str] | None = None
        self.blocks: list[Block] = []

    def block(self, line: int, lines: list[str], kind: str = "") -> None:
        words = ""
        if self.mark:
            _, kind, words = self.mark
        self.mark = None
        self.blocks.append(Block(line, self.section, kind, words, lines))

    def fenced(self) -> None:
        start = self.at
        language = FENCE.match(self.lines[start])
        assert language
        self.at += 1
        while self.at < len(self.lines) and self.lines[self.at] != "```":
            self.at += 1
        # a block in a language is read by the compiler or the test of that language
        self.block(start + 1, self.lines[start + 1:self.at], "text" if language[1] not in ("", "sh") else "")
        self.at += 1

    def indented(self) -> None:
        start = self.at
        while self.at < len(self.lines) and (self.lines[self.at].startswith("    ") or not self.lines[self.at]):
            self.at += 1
        lines = self.lines[start:self.at]
        while not lines[-1]:
            lines.pop()
        self.block(start + 1, [line[4:] for line in lines])

    def comment(self, found: re.Match[str]) -> None:
        line, kind, words = self.at + 1, found[1], found[2] or ""
        if not words and kind in WITH_WORDS:
            raise BadMark(f"line {line}: `{kind}` says nothing behind its colon")
        if not kind.startswith("before"):
            self.mark = (line, kind, words)
            self.at += 1
            return
        start = self.at = self.at + 1
        while self.lines[self.at] != "-->":
            self.at += 1
        self.mark = (line, kind, words)
        self.block(line, self.lines[start:self.at])
        self.at += 1

    def read(self) -> list[Block]:
        in_list = False
        while self.at < len(self.lines):
            line = self.lines[self.at]
            mark = OPEN.match(line)
            if mark:
                self.comment(mark)
            elif line.startswith("```"):
                self.fenced()
            elif line.startswith("    ") and not in_list and line.strip():
                self.indented()
            else:
                if self.mark and line.strip():
                    raise BadMark(f"line {self.mark[0]}: no block follows the mark")
                if line.startswith("#"):
                    self.section = line.lstrip("# ")
                if line.strip():
                    in_list = line.startswith(("- ", "  "))
                self.at += 1
        return self.blocks


def read(path: Path) -> list[Block]:
    try:
        return _Reader(path.read_text(encoding="utf-8")).read()
    except BadMark as e:
        raise BadMark(f"{path.name}, {e}") from None


def main(document: str, outs: list[str]) -> None:
    files = [b for b in read(Path(document)) if b.kind == "file"]
    if len(files) != len(outs):
        sys.exit(f"{document}: {len(files)} blocks are files, wanted are {len(outs)}")
    for block, out in zip(files, outs, strict=True):
        Path(out).write_text(block.text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
