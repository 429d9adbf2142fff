# SPDX-License-Identifier: BSD-3-Clause
"""Rounds of a profile, its targets, its text, JSON and report."""
import io
import json
import os

import pytest
from bench import contest, contest_text
from bench.contest import Contender, Target, profile
from bench.model import BenchError, Interrupted, Lacking, Options, Summary

ROUNDS = 5
ENV = {"cpu_model": "a CPU", "kernel": "6.1", "dpdk": None}


def options(**more):
    return Options(profile="laps", seed=1, dir="/tmp", **more)


class Counter:
    """The warm-up is call 1: round k brings k * step."""

    def __init__(self, step=0.0, error=None):
        self.step, self.error, self.n = step, error, 0

    def __call__(self):
        self.n += 1
        if self.error:
            raise self.error
        return self.step * (self.n - 1)


def laps():
    """A profile, and what it counts."""
    counters = {"slow": Counter(3), "fast": Counter(2), "missing": Counter(error=Lacking("there is no lap")),
                "broken": Counter(error=BenchError("cannot run it"))}

    @profile("laps", "no contender", rounds=ROUNDS)
    def laps_(lab):
        c = lab.contest("laps", "seconds", note="all run at once", over=None)
        slow, fast, missing, broken = (c.contender(name, measure) for name, measure in counters.items())
        c.target(slow, fast, at_most=1.4)
        c.target(slow, fast, at_least=1.5)
        c.target(slow, missing, at_most=1)
        c.target(broken, fast, at_most=1)
        c.compare(slow, fast)

    return laps_, counters


def measured(**more):
    laps_, counters = laps()
    return contest.measure(laps_, options(**more), ENV), counters


def test_the_warm_up_is_left_out_and_ratios_are_made_round_by_round():
    run, counters = measured()
    slow, fast, *_ = run.contests[0].contenders
    assert (run.rounds, counters["slow"].n) == (ROUNDS, ROUNDS + 1)
    assert slow.values == [3, 6, 9, 12, 15]
    assert (slow.summary.n, slow.summary.median, fast.summary.median) == (ROUNDS, 9, 6)
    assert (run.contests[0].targets[0].ratio.median, run.contests[0].targets[0].ratio.low) == (1.5, 1.5)


def test_what_is_lacking_is_skipped_and_what_fails_is_void():
    run, counters = measured(rounds=2)
    *_, missing, broken = run.contests[0].contenders
    assert (counters["missing"].n, missing.skipped, missing.void) == (1, "there is no lap", None)
    assert (counters["broken"].n, broken.void, broken.summary.n) == (3, "cannot run it", 0)
    assert broken.values == missing.values == [None, None]
    assert [t.judge()[0] for t in run.contests[0].targets] == [False, True, None, None, None]
    assert run.exit_code == 3


def test_what_is_lacking_after_the_warm_up_is_void():
    calls = []

    def fails_later():
        calls.append(1)
        if len(calls) == 2:
            raise Lacking("gone")
        return 1.0

    @profile("late", "")
    def late(lab):
        lab.contest("t", "u").contender("a", fails_later)

    run = contest.measure(late, options(rounds=2), {})
    who = run.contests[0].contenders[0]
    assert (who.skipped, who.void, who.values) == (None, "gone", [None, 1.0])


def test_an_error_in_a_profile_names_its_line():
    @profile("bug", "")
    def bug(lab):
        c = lab.contest("t", "u")
        c.contender("nan", lambda: float("nan"))
        c.contender("zero", lambda: 1 / 0)

    run = contest.measure(bug, options(rounds=1), {})
    nan, zero = run.contests[0].contenders
    assert nan.void == "cannot measure nan: it gave no number"
    assert zero.void.startswith("ZeroDivisionError: division by zero (test_contest.py, line ")


def test_rounds_are_in_an_order_of_their_own_that_the_seed_repeats():
    def order(seed):
        said = []

        @profile("order", "", rounds=6)
        def order_(lab):
            for title in "ab":
                c = lab.contest(title, "u")
                for name in "xyz":
                    c.contender(name, lambda word: said.append(word) or 1.0, title + name)

        contest.measure(order_, Options(seed=seed, dir="/tmp"), {})
        return [tuple(said[i:i + 6]) for i in range(0, len(said), 6)]

    first = order(1)
    assert first == order(1) != order(2)
    assert len(set(first)) > 1 and all(len(set(round_)) == 6 for round_ in first)


@pytest.mark.parametrize("at_most, low, median, high, bound, reached, sure", [
    (True, 0.8, 0.9, 1.0, 1.0, True, True), (True, 0.8, 0.9, 1.1, 1.0, True, False),
    (True, 0.9, 1.1, 1.2, 1.0, False, False), (True, 1.1, 1.2, 1.3, 1.0, False, True),
    (False, 15, 16, 17, 15, True, True), (False, 14, 16, 17, 15, True, False),
    (False, 13, 14, 16, 15, False, False), (False, 12, 13, 14, 15, False, True)])
def test_targets_are_judged_by_the_median_and_sure_by_the_interval(at_most, low, median, high, bound, reached, sure):
    who = Contender("x", float)
    target = Target(who, who, at_most=bound if at_most else None, at_least=None if at_most else bound,
                    ratio=Summary(median, low, high, low, high, 5))
    assert target.judge() == (reached, sure)
    words = contest_text.verdict(target)[0]
    assert words == {(True, True): "reached", (True, False): "reached by the median", (False, True): "NOT REACHED",
                     (False, False): "not reached by the median"}[reached, sure]


def test_text_says_every_verdict_and_how_each_was_measured():
    run, _ = measured()
    run.contests[0].contenders[0].how = "run slowly"
    out = io.StringIO()
    contest_text.show(run, out)
    text = out.getvalue()
    for words in ("laps: no contender", "5 rounds, interleaved; median and 95 % interval", "laps, seconds",
                  "asked for: at most 1.400: NOT REACHED", "asked for: at least 1.500: reached",
                  "asked for: at most 1.000: not measured", "skipped: there is no lap", "VOID: cannot run it",
                  "all run at once", "slow: run slowly", "on a CPU, Linux 6.1, unknown, unknown"):
        assert words in text
    assert "emulated" not in text
    run.env = {"hypervisor": "TCGTCGTCGTCG"}
    contest_text.show(run, out)
    assert "emulated CPU" in out.getvalue()


@pytest.mark.parametrize("rounds, words", [(1, "\n1 round, interleaved"), (2, "\n2 rounds, interleaved")])
def test_one_round_is_not_rounds(rounds, words):
    out = io.StringIO()
    contest_text.show(measured(rounds=rounds)[0], out)
    assert words in out.getvalue()


def test_a_terminal_does_not_obey_a_profile():
    evil = "\033]0;x\007\u009b31m"

    @profile(f"p{evil}", f"s{evil}", rounds=1)
    def evil_(lab):
        c = lab.contest(f"t{evil}", f"u{evil}", note=f"n{evil}\nsecond line")
        c.contender(f"bug{evil}", Counter(error=ValueError(f"v{evil}")), how=f"h{evil}")
        c.contender("ours", Counter(error=BenchError(f"b{evil}")))
        c.contender("missing", Counter(error=Lacking(f"l{evil}\nfail")))
        c.compare(*c.contenders[:2])

    out = io.StringIO()
    contest_text.show(contest.measure(evil_, options(), {"cpu_model": f"c{evil}"}), out)
    assert all(line.isprintable() for line in out.getvalue().split("\n"))
    shown = "?]0;x??31m"
    for words in (*(letter + shown for letter in "pstunhbc"), f"VOID: ValueError: v{shown}", "\n  second line\n",
                  f"skipped: l{shown}?fail\n"):
        assert words in out.getvalue()


@pytest.mark.parametrize("value, text", [(0.0000099074, "0.00000991"), (0.012344, "0.0123"), (0.12344, "0.1234"), (1.2344, "1.234"),
                                         (12.344, "12.34"), (999.94, "999.9"), (1234.4, "1234"), (123456, "123456"),
                                         (0, "0.000")])
def test_numbers_have_three_or_four_figures_that_count(value, text):
    assert contest_text.figures(value) == text


def test_json_has_the_keys_of_the_contract():
    run, _ = measured(rounds=3)
    doc = json.loads(json.dumps(run.to_json(), allow_nan=False))
    assert (doc["schema"], doc["profile"], doc["rounds"], doc["seed"], doc["exit_code"]) == (
        "pagewire.profile/1", "laps", 3, 1, 3)
    assert doc["env"] == ENV
    c = doc["contests"][0]
    assert (c["title"], c["unit"], c["note"]) == ("laps", "seconds", "all run at once")
    slow, _, missing, broken = c["contenders"]
    assert slow["values"] == [3, 6, 9] and slow["how"] is slow["skipped"] is slow["void"] is None
    assert {k: slow["summary"][k] for k in ("median", "low", "high", "n")} == {"median": 6, "low": 3, "high": 9, "n": 3}
    assert (missing["skipped"], broken["void"]) == ("there is no lap", "cannot run it")
    assert broken["summary"] == {"median": None, "low": None, "high": None, "n": 0}
    first, second, third, _, shown = c["claims"]
    assert (first["a"], first["b"], first["at_most"], first["reached"], first["sure"]) == (
        "slow", "fast", 1.4, False, True)
    assert "at_least" not in first and second["reached"] is True and third["reached"] is None
    assert "at_most" not in shown and "at_least" not in shown and shown["ratio"]["median"] == 1.5


def test_an_interrupted_run_keeps_its_whole_rounds():
    calls = []

    def measure():
        calls.append(1)
        if len(calls) == 6:
            raise Interrupted
        return float(len(calls))

    @profile("long", "", rounds=9)
    def long_(lab):
        c = lab.contest("t", "u")
        c.contender("a", measure)
        c.contender("b", measure)

    run = contest.measure(long_, options(), {})
    assert (run.interrupted, run.rounds, run.exit_code) == (True, 1, 3)
    assert all(len(who.values) == who.summary.n == 1 for who in run.contests[0].contenders)


def test_what_a_measurement_starts_ends_with_it_and_what_open_starts_with_the_profile(tmp_path):
    seen = {}

    def measure(lab):
        seen["program"] = lab.start(["sleep", "1000"])
        seen["file"] = lab.temporary(f"{tmp_path}/file")
        open(seen["file"], "w").close()
        seen["directory"] = lab.directory(str(tmp_path))
        raise BenchError("it failed")

    def look(lab):
        assert seen["outer"].has_ended() is False and os.path.isdir(seen["kept"])
        return 1.0

    @profile("ends", "", rounds=1)
    def ends(lab):
        seen["outer"] = lab.start(["sleep", "1000"])
        seen["kept"] = lab.directory(str(tmp_path))
        c = lab.contest("t", "u")
        c.contender("starts", measure, lab)
        c.contender("looks", look, lab)

    run = contest.measure(ends, options(), {})
    assert [who.void for who in run.contests[0].contenders] == ["it failed", None]
    assert seen["program"]._process.returncode is not None and seen["outer"]._process.returncode is not None
    assert os.listdir(tmp_path) == []


def test_commands_of_the_warm_up_are_how_it_is_measured(tmp_path):
    def measure(lab):
        out = lab.directory(str(tmp_path))
        lab.run(["sh", "-c", "exit 0", f"{out}/a b"])
        return lab.run([lab.pagewire, "send"]).seconds

    @profile("how", "", rounds=1)
    def how(lab):
        lab.contest("t", "u").contender("a", measure, lab, how="seconds")

    run = contest.measure(how, options(pagewire="/bin/true"), {})
    assert run.contests[0].contenders[0].how == "sh -c 'exit 0' 'DIR/a b'; pagewire send; seconds"


def test_what_a_profile_lacks_as_a_whole_is_an_error_of_the_environment():
    @profile("lacks", "")
    def lacks(lab):
        raise Lacking("two queues need two CPUs")

    with pytest.raises(BenchError, match="two queues need two CPUs") as e:
        contest.measure(lacks, options(), {})
    assert e.value.code == 77


def test_a_profile_that_raises_says_where_it_did():
    @profile("broken", "")
    def broken(lab):
        lab.nothing()

    with pytest.raises(BenchError, match=r"AttributeError.*\(test_contest\.py, line ") as e:
        contest.measure(broken, options(), {})
    assert e.value.code == 1


def test_a_profile_without_a_contender_is_refused():
    with pytest.raises(BenchError, match="it has no contender") as e:
        contest.measure(profile("empty", "")(lambda lab: None), options(), {})
    assert e.value.code == 2


@pytest.mark.parametrize("text, words", [
    ("import os\n\ndef f(:\n", r"SyntaxError: invalid syntax \(mine\.py, line 3\)"),
    ("if 1:\nx = 1\n", r"IndentationError: expected .* \(mine\.py, line 2\)"),
    ("raise ValueError('\\033[31m')\n", r"ValueError: \?\[31m \(mine\.py, line 1\)")])
def test_an_error_in_a_file_of_the_users_names_the_file_and_its_line(tmp_path, text, words):
    mine = tmp_path / "mine.py"
    mine.write_text(text)
    with pytest.raises(BenchError, match=f"^cannot run --profile {mine}: {words}$") as e:
        contest.find(str(mine))
    assert e.value.code == 2


def test_a_profile_that_ends_the_program_is_refused(tmp_path):
    mine = tmp_path / "mine.py"
    mine.write_text("import sys\nsys.exit(5)\n")
    with pytest.raises(BenchError, match=r"SystemExit: 5 \(mine\.py, line 2\)") as e:
        contest.find(str(mine))
    assert e.value.code == 2


@pytest.mark.filterwarnings("error")  # matplotlib warns of a figure that it cannot lay out
def test_a_report_has_the_result_and_a_figure_a_contest(tmp_path):
    pytest.importorskip("matplotlib")
    from bench import contest_report

    @profile("growth-of", "", rounds=2)
    def growth_of(lab):
        c = lab.contest("files: time & memory", "seconds", over="files")
        for n in (1, 10, 100):
            c.contender(f"{n} files", lambda n: n + 1.0, n, work=n)
        laps()[0].open(lab)

        c = lab.contest("delay", "us", spread="delay, us")
        who = c.contender("a", lambda: float(who.histogram.update({1.0: 90, 2.5: 9, 10.0: 1}) or 2))
        c.contender("none", lambda: 1.0)

    doc = contest.measure(growth_of, options(), {}).to_json()
    # of two rounds, without the warm-up
    assert [w["histogram"] for w in doc["contests"][2]["contenders"]] == [[[1, 180], [2.5, 18], [10, 2]], None]
    contest_report.write(doc, tmp_path / "out")
    stems = ["01-files-time-memory-seconds", "02-laps-seconds", "03-delay-us", "growth-of"]
    assert sorted(os.listdir(tmp_path / "out")) == sorted(
        ["result.json", *(f"{s}.{kind}" for s in stems for kind in ("svg", "pdf"))])
    assert json.loads((tmp_path / "out/result.json").read_text()) == doc
    for stem in stems:
        assert (tmp_path / f"out/{stem}.svg").read_text().rstrip().endswith("</svg>")
        assert (tmp_path / f"out/{stem}.pdf").read_bytes().startswith(b"%PDF")
    again = (tmp_path / "out/02-laps-seconds.svg").read_bytes()
    contest_report.write(doc, tmp_path / "out")
    assert (tmp_path / "out/02-laps-seconds.svg").read_bytes() == again
    with pytest.raises(BenchError, match="cannot write a report to /dev/null/x"):
        contest_report.write(doc, type(tmp_path)("/dev/null/x"))
    one = {**doc, "contests": doc["contests"][:1]}
    mine = tmp_path / "out/04-mine.svg"
    mine.write_text("the user's")
    contest_report.write(one, tmp_path / "out")
    assert {p.name for p in (tmp_path / "out").glob("*.svg")} == {f"{stems[0]}.svg", "growth-of.svg", mine.name}


def test_a_figure_tells_why_something_was_not_measured(monkeypatch, tmp_path):
    pytest.importorskip("matplotlib")
    from bench import contest_report

    @profile("lacking", "", rounds=1)
    def lacking(lab):
        def lacks():
            raise Lacking("no tcpreplay here")

        def fails():
            raise BenchError("nothing arrived")

        for spread in (None, "delay, us"):
            c = lab.contest("delay", "us", spread=spread)
            who = c.contender("a", lambda c=c: float(c.contenders[0].histogram.update({0.5: 1, 2.0: 1}) or 0.001))
            c.contender("far", lambda: 1000.0)
            c.compare(who, c.contender("b", lacks))
            c.compare(who, c.contender("c", fails))

    drawn = {}
    monkeypatch.setattr(contest_report.ReportDir, "write_figure", lambda _, name, figure: drawn.update({name: figure}))
    contest_report.write(contest.measure(lacking, options(), {}).to_json(), tmp_path)
    lines, spread = (drawn[f"0{i}-delay-us"].axes[0] for i in (1, 2))
    assert [text.get_text() for text in lines.texts] == ["", "", "skipped: no tcpreplay here", "void: nothing arrived"]
    assert lines.get_xscale() == "log"
    assert [text.get_text() for text in spread.get_legend().get_texts()] == [
        "a, 2 values", "b, skipped: no tcpreplay here", "c, void: nothing arrived"]


def test_text_is_as_wide_as_the_tables():
    @profile("wide", "", rounds=1)
    def wide(lab):
        lab.contest("t", "u", note="word " * 60).contender("c", lambda: 1.0)

    out = io.StringIO()
    contest_text.show(contest.measure(wide, options(), {}), out)
    assert 95 <= max(map(len, out.getvalue().splitlines())) <= 100
