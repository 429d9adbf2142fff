# SPDX-License-Identifier: BSD-3-Clause
"""Reads the options that the C program passes as JSON, and runs what they ask for."""
from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from dataclasses import fields
from types import FrameType
from typing import TYPE_CHECKING

from bench.model import BenchError, Interrupted, Lacking, Options, Result
from bench.plan import say, warn

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bench.receive import Receive
    from bench.ways import Named
    from rich.live import Live

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
INTERRUPTED = "interrupted: what was measured so far follows"
LINE_S = 1.0  # between two lines of progress where standard error is no terminal


def read_options(text: str) -> Options:
    """Options from a JSON object: lists become tuples."""
    known = {f.name for f in fields(Options)}
    given = json.loads(text)
    unknown = set(given) - known
    if unknown:
        raise BenchError(f"cannot read the options: {', '.join(sorted(unknown))} is not one; "
                         "install pagewire again")
    return Options(**{k: tuple(v) if isinstance(v, list) else v for k, v in given.items() if v is not None})


def duration(seconds: float) -> str:
    """"850 ms", "12.3 s", "1 m 40 s", "2 h 5 m"."""
    s = int(seconds)
    if seconds < 1:
        return f"{seconds * 1000:.3g} ms"
    if s < 60:
        return f"{seconds:.1f} s"
    return f"{s // 60} m {s % 60} s" if s < 3600 else f"{s // 3600} h {s // 60 % 60} m"


def _on_signals(action: signal.Handlers) -> None:
    for s in SIGNALS:
        signal.signal(s, action)


def _interrupt(number: int, _frame: FrameType | None) -> None:
    """The first signal ends the bench with what it has; a second one has the default action."""
    _on_signals(signal.SIG_DFL)
    raise Interrupted(signal.strsignal(number))


def _live_line() -> Live:
    from rich.console import Console
    from rich.live import Live

    return Live(console=Console(stderr=True), transient=True, auto_refresh=False)


class Progress:
    """A live line on a terminal; with --progress a line a second where there is none."""

    def __init__(self, forced: bool) -> None:
        self.live = _live_line() if sys.stderr.isatty() else None
        self.forced = forced
        self.said = 0.0

    def __enter__(self) -> Progress:
        if self.live:
            self.live.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        if self.live:
            self.live.stop()

    def tick(self, done: int, total: int, what: str, left: float | None = None) -> None:
        """Before a measurement. left: seconds."""
        line = f"bench {done + 1} of {total}: {what}" + (f", {duration(left)} left" if left else "")
        if self.live:
            from rich.text import Text
            self.live.update(Text(line, no_wrap=True, overflow="ellipsis"), refresh=True)
        elif self.forced and time.monotonic() - self.said >= LINE_S:
            self.said = time.monotonic()
            say(line)


def _print_ways(o: Options, ways: Iterable[Named], note: str = "") -> None:
    """Each with its wires; with --ways only those. note: a format of the way."""
    from bench import wires
    from bench.ways import is_chosen

    for way in ways:
        on = [kind for kind in wires.KINDS if kind in way.wires and is_chosen(way, kind, o.ways)]
        if on:
            print(f"{way.label:24} {way.summary}\n{'':24} wires: {' '.join(on)}{note.format(way=way)}")


def print_list(o: Options) -> int:
    """The ways and the profiles; with --receive the ways to receive, and the sender that each gets."""
    from bench import contest, receivers
    from bench.plan import check_ways
    from bench.ways import read_ways

    if o.receive:
        found = receivers.read_receivers(o.pagewire)
        receivers.check(found, o)
        _print_ways(o, found, "; sender: {way.sender}")
        return 0
    ways = read_ways(o.pagewire)
    check_ways(ways, o.ways)
    _print_ways(o, ways)
    if not o.ways:
        print("\nprofiles:")
        for profile in contest.profiles():
            print(f"{profile.name:24} {profile.summary}")
    return 0


def print_result(o: Options, result: Result, code: int) -> None:
    """As table, JSON or CSV; and the report."""
    from bench import result as results

    if o.json:
        json.dump({**results.to_json(result), "exit_code": code}, sys.stdout, indent=2)
        print()
    elif o.csv:
        results.write_csv(sys.stdout, result, o.all_samples)
    else:
        from bench.table import print_table
        print_table(sys.stdout, result, o.include_setup)
    if o.report:
        from bench.report import write_report
        write_report([result], o.report)
        if not o.json and not o.csv:
            print(f"report: {o.report}/report.html")


def compare_results(o: Options) -> int:
    """--compare: of result files, as table, JSON or report."""
    from bench import compare
    from bench import result as results

    if o.report:
        from bench.report import write_report
        write_report([results.load(path) for path in o.compare], o.report)
    code = compare.run(o.compare, sys.stdout, o.json, o.version)
    if o.report and not o.json:
        print(f"report: {o.report}/report.html")
    return code


def run_profile(o: Options) -> int:
    """--profile NAME."""
    from bench import contest, env
    from bench.ways import ask

    profile = contest.find(o.profile or "")
    with Progress(o.progress) as progress:
        run = contest.measure(profile, o, env.read(ask(o.pagewire, "version"), None), progress.tick)
    if run.interrupted:
        warn(INTERRUPTED)
    return contest.show(run, o)


def run_bench(o: Options) -> int:
    """The comparison of ways to send, or to receive. 3: interrupted, or a sample is void."""
    from bench import result as results
    from bench.plan import make_plan
    from bench.run import Bench

    older = results.load(o.resume) if o.resume else None
    code = 0
    bench: Bench | Receive
    with Progress(o.progress) as progress, contextlib.ExitStack() as at_end:
        at_end.callback(_on_signals, signal.SIG_DFL)
        if o.receive:
            from bench.receive import Receive
            bench = at_end.enter_context(contextlib.closing(Receive(o, progress.tick)))
        else:
            plan = at_end.enter_context(contextlib.closing(make_plan(o)))
            bench = Bench(plan, progress.tick)
            if older:
                say(f"bench: {bench.resume(older, o.resume or '')}")
            say(f"bench: {len(plan.items)} rows, about {duration(bench.seconds_left())}")
        at_end.callback(_on_signals, signal.SIG_IGN)  # the first of these: files and links are removed whole
        try:
            bench.run(lambda left: say(f"bench: the warm-up is done, about {duration(left)} more"))
        except Interrupted:
            warn(INTERRUPTED)
            code = 3
        except BenchError as e:
            if not bench.result.rounds:
                raise
            code = complain(e)
    if any(s.void for row in bench.result.rows for s in row.samples):
        code = code or 3  # wrong bytes or none: such a result is not to be cited
    print_result(o, bench.result, code)
    return code


def complain(e: BenchError | Lacking) -> int:
    """The line on standard error; the exit code."""
    code = e.code if isinstance(e, BenchError) else 77
    print(f"pagewire bench: {e}" if code == 2 else f"pagewire: error: {e}", file=sys.stderr, flush=True)
    return code


def dispatch(o: Options) -> int:
    """What the options ask for."""
    if o.list:
        return print_list(o)
    if o.report:
        from bench.report import prepare
        prepare(o.report)
    if o.compare:
        return compare_results(o)
    if o.classic:
        from bench import textbook
        return textbook.main(o, sys.stdout)
    if o.profile:
        return run_profile(o)
    return run_bench(o)


def main(argv: list[str]) -> int:
    """The exit code of `pagewire bench`, for its options as one JSON object."""
    for s in SIGNALS:
        if s != signal.SIGHUP or signal.getsignal(s) is not signal.SIG_IGN:  # nohup
            signal.signal(s, _interrupt)
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)  # the C program has blocked them
        code = dispatch(read_options(argv[0]))
        sys.stdout.flush()
        return code
    except (BenchError, Lacking) as e:
        return complain(e)
    except Interrupted:
        say("interrupted: nothing was measured")
        return 3
    except OSError as e:
        if e.filename is not None:  # of a file, not of standard output
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(e, BrokenPipeError):  # `pagewire bench --list | head`
            return 1
        return complain(BenchError(f"cannot write to standard output: {e.strerror}; send it to a file system "
                                   "with free space"))
