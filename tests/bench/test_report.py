# SPDX-License-Identifier: BSD-3-Clause
"""The directory of --report: files, the page's text and safety, several results."""
from __future__ import annotations

import csv
import html.parser
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest
import samples_of
from bench import table, view
from bench.model import BenchError, Result, Summary
from bench.result import load

pytest.importorskip("matplotlib")
pytest.importorskip("jinja2")
from bench import report  # noqa: E402

HOSTILE = "<script>alert(1)</script>&\"'"


class Page(html.parser.HTMLParser):
    """Tags, attributes and text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Of HTMLParser."""
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Of HTMLParser."""
        self.words.append(data)

    def values(self, attribute: str) -> Iterator[str]:
        """Of all tags."""
        return (v for _, attrs in self.tags for k, v in attrs.items() if k == attribute and v is not None)

    @property
    def text(self) -> str:
        """Without tags; runs of blanks are one blank."""
        return re.sub(r"\s+", " ", " ".join(self.words))


@pytest.fixture(scope="module")
def cold(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a result with skipped, void and cold rows."""
    directory = tmp_path_factory.mktemp("cold") / "new" / "directory"
    report.write_report([samples_of.stored("cold-c")], str(directory))
    return directory


@pytest.fixture(scope="module")
def page(cold: Path) -> Page:
    """Its page."""
    return Page((cold / "report.html").read_text())


def test_every_figure_is_there_as_svg_and_pdf(cold: Path) -> None:
    names = {p.stem for p in cold.glob("*.svg")}
    assert {"overview", "goodput-veth", "cpu-veth", "copies-veth", "loss-veth", "goodput-null"} <= names
    assert {p.stem for p in cold.glob("*.pdf")} == names | {"report"}
    assert not list(cold.glob(".*")), "parts of files are left"
    for name in names:
        svg = ET.fromstring((cold / f"{name}.svg").read_bytes())
        assert svg.tag == "{http://www.w3.org/2000/svg}svg"
        assert not list(svg.iter("{http://www.w3.org/2000/svg}text")), "fonts are paths"


def test_pdfs_embed_truetype_fonts(cold: Path) -> None:
    for pdf in cold.glob("*.pdf"):
        data = pdf.read_bytes()
        assert data.startswith(b"%PDF-") and b"/FontFile2" in data and b"/Type3" not in data


def test_the_pdf_has_every_figure(cold: Path) -> None:
    n_pages = len(re.findall(rb"/Type /Page\b", (cold / "report.pdf").read_bytes()))
    assert n_pages == len(list(cold.glob("*.svg")))


def test_the_data_are_there_and_the_same(cold: Path) -> None:
    assert load(cold) == samples_of.stored("cold-c")
    assert json.loads((cold / "result.json").read_text())["schema"] == "pagewire.bench/1"
    lines = list(csv.DictReader((cold / "samples.csv").read_text().splitlines()))
    assert lines and all(int(line["round"]) > 0 for line in lines)


def test_the_page_needs_no_network_and_no_script(page: Page) -> None:
    links = [*page.values("href"), *page.values("src"), *page.values("xlink:href")]
    assert links and all(re.fullmatch(r"#[\w.-]+|[\w-]+\.(svg|pdf|json|csv)", link) for link in links)
    assert not {tag for tag, _ in page.tags} & {"script", "link", "iframe", "img", "object"}
    assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)
    assert any("default-src 'none'" in content for content in page.values("content"))


def test_the_page_names_no_outside_address(cold: Path) -> None:
    text = (cold / "report.html").read_text()
    assert not re.findall(r"(?:https?:)?//[\w.]+", text)


def test_linked_files_exist_and_ids_are_unique(cold: Path, page: Page) -> None:
    for link in page.values("href"):
        assert link.startswith("#") or (cold / link).is_file(), link
    ids = list(page.values("id"))
    assert len(ids) == len(set(ids))
    used = {link[1:] for link in (*page.values("xlink:href"), *page.values("href")) if link.startswith("#")}
    used |= set(re.findall(r"url\(#([^)]+)\)", (cold / "report.html").read_text()))
    assert used and used <= set(ids)


def test_tables_have_numbers_intervals_and_ratios(page: Page) -> None:
    for row in samples_of.stored("cold-c").rows:
        if row.skipped:
            continue
        s = row.summary["goodput_bps"]
        assert f"{view.metric('goodput_bps', s.low)} to {view.metric('goodput_bps', s.high)}" in page.text
        assert view.metric("cpu_ns_per_mb", row.summary["cpu_ns_per_mb"].median) in page.text
        if row.goodput_ratio.n:
            assert f"{view.short(row.goodput_ratio.median, 2)} [" in page.text


def test_the_page_says_what_was_skipped_void_and_run(page: Page) -> None:
    result = samples_of.stored("cold-c")
    made = (table.notes_skipped, table.notes_void, table.notes_unmeasured)
    notes = [note for make in made for note in make(result.rows)]
    assert notes and all(note in page.text for note in notes)
    assert str(result.command) in page.text and all(caveat in page.text for caveat in result.wires.values())
    assert all((value or "unknown") in page.text for value in result.env.values())
    assert "counted by BPF" not in page.text


def test_the_same_result_gives_the_same_files(cold: Path, tmp_path: Path) -> None:
    report.write_report([samples_of.stored("cold-c")], str(tmp_path))
    for path in cold.iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), path.name


def test_hostile_text_is_only_text(tmp_path: Path) -> None:
    row = samples_of.row(HOSTILE, samples_of.rounds("goodput_bps", [1e9, 1e9, 1e9]))
    other = samples_of.row("splice", skipped=HOSTILE)
    row.expected = type(row.expected)(1.0, 0.0, HOSTILE)
    row.not_measured["cpu_copies_per_byte"] = HOSTILE
    result = samples_of.result(row, other, command=HOSTILE, baseline=HOSTILE, profile=HOSTILE, version=HOSTILE,
                               env={HOSTILE: HOSTILE, "cpu_model": HOSTILE}, wires={"veth": HOSTILE})
    report.write_report([result], str(tmp_path))
    text = (tmp_path / "report.html").read_text()
    assert "<script" not in text and "alert(1)" in Page(text).text
    attributes = [(k, v or "") for _, attrs in Page(text).tags for k, v in attrs.items()]
    assert not any("alert" in v for k, v in attributes if k != "title")


def test_several_results_have_sections_files_and_a_figure_that_compares(tmp_path: Path) -> None:
    def made(speed: float, revision: str) -> Result:
        samples = [samples_of.sample(i, goodput_bps=speed, cpu_ns_per_mb=1e5) for i in range(1, 7)]
        rows = [samples_of.row(label, samples) for label in ("udp_gso", "splice")]
        return samples_of.result(*rows, env={"hostname": "one", "git_revision": revision})
    report.write_report([made(1e9, "aaaa"), made(2e9, "bbbb")], str(tmp_path))
    names = {p.name for p in tmp_path.iterdir()}
    assert {"compared.svg", "compared.pdf", "1-result.json", "2-result.json", "1-overview.svg",
            "2-goodput-veth.pdf"} <= names
    page = Page((tmp_path / "report.html").read_text())
    assert "1: one, aaaa" in page.text and "2: one, bbbb" in page.text
    lines = list(csv.DictReader((tmp_path / "samples.csv").read_text().splitlines()))
    assert [line["git_revision"] for line in lines] == ["aaaa"] * 12 + ["bbbb"] * 12
    ids = list(page.values("id"))
    assert len(ids) == len(set(ids))


def test_a_bench_that_was_interrupted_at_once_has_a_report(tmp_path: Path) -> None:
    report.write_report([samples_of.result()], str(tmp_path))
    assert "Nothing was measured" in Page((tmp_path / "report.html").read_text()).text


def test_ranks_are_ranges_where_intervals_overlap() -> None:
    rows = [samples_of.row(str(i)) for i in range(4)]
    for row, (low, high) in zip(rows, ((8, 9), (5, 8.5), (4, 5.5), (1, 2)), strict=True):
        row.summary["goodput_bps"] = Summary((low + high) / 2, low, high, low, high, 5)
    assert [report.rank(rows, r) for r in rows] == ["1–2", "1–3", "2–3", "4"]
    assert report.rank(rows, samples_of.row("void")) == "-"


def test_results_of_one_host_and_commit_are_told_apart_by_their_date() -> None:
    results = [samples_of.result(env={"hostname": "one", "date": date}) for date in ("Monday", "Tuesday")]
    assert report.result_names(results) == ["1: one, 0.1.0, Monday", "2: one, 0.1.0, Tuesday"]


@pytest.mark.parametrize("under", ["file", "file/below", "/proc/self"])
def test_a_directory_that_cannot_be_written_is_refused_before_the_bench(tmp_path: Path, under: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BenchError, match="cannot write a report to .*name another directory") as error:
        report.prepare(str(tmp_path / under))
    assert error.value.code == 1


def test_prepare_makes_the_directory_and_leaves_nothing_in_it(tmp_path: Path) -> None:
    report.prepare(str(tmp_path / "a" / "b"))
    assert not list((tmp_path / "a" / "b").iterdir())


def test_figures_of_an_earlier_report_do_not_stay_but_files_of_the_user_do(tmp_path: Path) -> None:
    row = samples_of.row(samples=samples_of.rounds("goodput_bps", [1e9, 1e9, 2e9]))
    results = [samples_of.result(row), samples_of.result(row)]
    report.write_report(results, str(tmp_path))
    (tmp_path / "cpu-mine.svg").write_text("the user's")
    assert (tmp_path / "1-overview.pdf").exists()
    report.write_report(results[:1], str(tmp_path))
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    linked = {name for name in page.values("href") if name.endswith((".svg", ".pdf"))}
    assert {p.name for form in ("svg", "pdf") for p in tmp_path.glob(f"*.{form}")} == {*linked, "cpu-mine.svg"}
    assert (tmp_path / "1-result.json").exists()  # data are not removed
