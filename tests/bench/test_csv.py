# SPDX-License-Identifier: BSD-3-Clause
"""The CSV: one header line, by default only what may enter a mean; read by csv, pandas and R."""
import csv
import io
import math
import shutil
import statistics
import subprocess
from pathlib import Path
from typing import Any

import pytest
from bench.metrics import METRICS, is_evidence
from bench.model import Result
from bench.result import host_name, write_csv
from samples_of import STORED, result, row, sample, stored


def text_of(r: Result, everything: bool = False) -> str:
    out = io.StringIO(newline="")
    write_csv(out, r, everything)
    return out.getvalue()


def lines_of(r: Result, everything: bool = False) -> list[dict[str, str]]:
    lines = list(csv.DictReader(io.StringIO(text_of(r, everything), newline=""), strict=True))
    assert all(None not in x and None not in x.values() for x in lines)
    return lines


def mixed() -> Result:
    """A warm-up, two timed rounds, a void one, two evidence runs."""
    speeds = [1.0, 10.0, 20.0]
    samples = [sample(n, goodput_bps=v, cpu_copies_per_byte=None) for n, v in enumerate(speeds)]
    samples += [sample(3, void='wrong, "very"\nwrong'),
                sample(4, evidence=True, goodput_bps=2.0, syscalls_per_mb=7.0),
                sample(5, evidence=True, goodput_bps=3.0, cpu_copies_per_byte=2.0)]
    return result(row('odd, "quoted"\nname', samples, cold=True),
                  env={"hostname": "lab-1", "git_revision": "abc"})


def test_by_default_there_are_the_valid_samples_of_timed_rounds() -> None:
    lines = lines_of(mixed())
    assert [x["round"] for x in lines] == ["1", "2"]
    assert [float(x["goodput_bps"]) for x in lines] == [10, 20]
    assert "evidence" not in lines[0] and "void" not in lines[0]
    assert [lines[0][k] for k in ("host", "version", "git_revision")] == ["lab-1", "0.1.0", "abc"]
    assert lines[0]["label"] == 'odd, "quoted"\nname' and lines[0]["cold"] == "1" and lines[0]["loss"] == ""
    assert lines[0]["direction"] == "send" and lines[0]["file_bytes"] == str(64 << 20)


def test_what_runs_of_their_own_counted_is_in_each_line() -> None:
    for line in lines_of(mixed()):
        assert float(line["syscalls_per_mb"]) == 7 and float(line["cpu_copies_per_byte"]) == 2


def test_all_samples_are_as_they_were() -> None:
    lines = lines_of(mixed(), everything=True)
    assert [(x["round"], x["evidence"]) for x in lines] == [
        ("0", "0"), ("1", "0"), ("2", "0"), ("3", "0"), ("4", "1"), ("5", "1")]
    assert lines[3]["void"] == 'wrong, "very"\nwrong' and lines[3]["goodput_bps"] == ""
    assert lines[1]["syscalls_per_mb"] == "" and float(lines[4]["syscalls_per_mb"]) == 7
    assert float(lines[4]["goodput_bps"]) == 2


def test_lines_end_as_rfc_4180_says_and_there_is_one_header() -> None:
    text = text_of(stored("cold-c"))
    assert text.count("\r\n") == text.count("\n") == 1 + len(lines_of(stored("cold-c")))
    assert text.count("goodput_bps") == 1
    assert text_of(result()).count("\r\n") == 1


@pytest.mark.parametrize("name", STORED)
def test_a_naive_median_of_a_column_is_the_summarys(name: str) -> None:
    r = stored(name)
    lines = lines_of(r)
    compared = 0
    for expected in r.rows:
        mine = [x for x in lines if (x["wire"], x["label"], x["cold"]) == (
            expected.wire, expected.label, str(int(expected.cold)))]
        for key in METRICS:
            values = [float(x[key]) for x in mine if x[key]]
            s = expected.summary[key]
            assert len(values) == (len(mine) if is_evidence(key) and s.n else s.n), (expected.label, key)
            if s.median is not None:
                assert statistics.median(values) == pytest.approx(s.median, rel=1e-11)
                compared += 1
    assert compared > 50


def test_an_older_result_names_its_host_by_what_it_is() -> None:
    assert host_name(stored("quick-c")) == "AMD EPYC"
    assert host_name(result(env={"machine": "Dell R750", "cpu_model": "x"})) == "Dell R750"
    assert host_name(result()) == ""


@pytest.mark.parametrize("everything", [False, True])
def test_pandas_reads_it_in_one_line(tmp_path: Path, everything: bool) -> None:
    pandas = pytest.importorskip("pandas")
    path = tmp_path / "out.csv"
    path.write_text(text_of(stored("cold-c"), everything), newline="")
    frame: Any = pandas.read_csv(path)
    assert len(frame) == len(lines_of(stored("cold-c"), everything))
    assert str(frame.goodput_bps.dtype) == "float64" and str(frame.file_bytes.dtype) == "int64"
    if not everything:
        found = frame[frame.cold == 1].groupby("label").goodput_bps.median()
        for r in stored("cold-c").rows:
            if r.cold and not r.skipped:
                assert math.isclose(found[r.label], r.summary["goodput_bps"].median or 0, rel_tol=1e-11)


def test_r_reads_it_in_one_line(tmp_path: Path) -> None:
    if not shutil.which("Rscript"):
        pytest.skip("Rscript is not installed")
    path = tmp_path / "out.csv"
    path.write_text(text_of(stored("cold-c")), newline="")
    program = f'd <- read.csv("{path}"); cat(nrow(d), is.numeric(d$goodput_bps))'
    done = subprocess.run(["Rscript", "-e", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == [str(len(lines_of(stored("cold-c")))), "TRUE"]
