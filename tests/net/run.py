#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Runs the process tests of tests/net: tests/net/run.py --binary build/app/pagewire [-k PATTERN]"""
from __future__ import annotations

import argparse
import contextlib
import fnmatch
import glob
import importlib
import multiprocessing
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True

from harness import (  # noqa: E402  pylint: disable=wrong-import-position
    Failed, Process, Session, Skip, Test, die_with_parent)


@dataclass(frozen=True)
class Case:
    """One test. Of exclusive ones, only one runs at a time, in worker 0, which has the huge pages; others run
    beside it. Nothing runs beside one that is alone."""
    name: str
    function: Callable[[Test], None]
    exclusive: bool
    alone: bool


@dataclass(frozen=True)
class Outcome:
    name: str
    result: str  # "ok", "not ok", "skip"
    detail: str  # "" for a pass
    seconds: float


def is_wanted(function: Any, args: argparse.Namespace) -> bool:
    long = getattr(function, "long", False)
    once = long or getattr(function, "once", False)
    if args.sanitizer and once or args.once and not once:
        return False
    return bool(args.long or args.k or not long)


def collect(args: argparse.Namespace) -> list[Case]:
    """The tests in the order of their files."""
    found = []
    for path in sorted(glob.glob(os.path.join(HERE, "test_*.py"))):
        module = importlib.import_module(os.path.basename(path)[:-3])
        stem = module.__name__[len("test_"):]
        by_default = getattr(module, "CONCURRENT", False)
        alone = getattr(module, "ALONE", False)
        for name, value in vars(module).items():
            if name.startswith("test_") and callable(value) and value.__module__ == module.__name__ \
                    and is_wanted(value, args):
                exclusive = not getattr(value, "concurrent", by_default)
                found.append(Case(f"{stem}.{name[len('test_'):]}", value, exclusive,
                                  getattr(value, "alone", alone and exclusive)))
    if args.k:
        pattern = args.k if any(c in args.k for c in "*?[") else f"*{args.k}*"
        found = [case for case in found if fnmatch.fnmatchcase(case.name, pattern)]
    return found


def run_one(session: Session, case: Case) -> Outcome:
    start = time.monotonic()
    test = Test(session, case.name)
    result, detail = "ok", ""
    try:
        case.function(test)
    except Skip as e:
        result, detail = "skip", str(e)
    except Failed as e:
        result, detail = "not ok", str(e)
    except Exception:  # pylint: disable=broad-except
        result, detail = "not ok", traceback.format_exc()
    finally:  # an interrupt of the whole run passes here as well
        if result == "not ok":  # the logs are removed with the directory
            detail += "".join("\n" + text for text in map(Process.describe, test.processes[-4:])
                              if text not in detail)
        problems = test.finish()
    if problems:
        result = "not ok"
        detail = "\n".join(([detail] if detail else []) + problems)
    return Outcome(case.name, result, detail, time.monotonic() - start)


def run_share(binary: str, worker: int, cases: list[Case], queues: list[Any], done: Any) -> None:
    """A worker process: takes numbers of cases from each of the queues, until it gets None from it."""
    die_with_parent()
    session = Session(binary, worker)
    try:
        for queue in queues:
            while (number := queue.get()) is not None:
                done.put(run_one(session, cases[number]))
    finally:
        session.finish()


def run_concurrently(binary: str, cases: list[Case], jobs: int) -> Generator[Outcome, None, None]:
    """Outcomes in the order in which the tests end."""
    context = multiprocessing.get_context("fork")
    exclusive, todo, done = context.Queue(), context.Queue(), context.Queue()
    for number, case in enumerate(cases):
        (exclusive if case.exclusive else todo).put(number)
    exclusive.put(None)
    for _ in range(jobs):
        todo.put(None)
    workers = [context.Process(target=run_share, args=(
        binary, n, cases, [todo] if n else [exclusive, todo], done)) for n in range(jobs)]
    for worker in workers:
        worker.start()
    try:
        for _ in cases:
            while done.empty() and any(worker.is_alive() for worker in workers):
                time.sleep(0.05)
            yield done.get(timeout=5)  # queue.Empty: the workers died
    finally:
        for worker in workers:
            if worker.is_alive() and sys.exc_info()[0]:
                worker.terminate()  # its handler of SIGTERM cleans up
            worker.join()


def run_in_turn(session: Session, cases: list[Case]) -> Iterator[Outcome]:
    for case in cases:
        yield run_one(session, case)


def report(tap: bool, number: int, outcome: Outcome) -> None:
    if tap:
        word = "not ok" if outcome.result == "not ok" else "ok"
        skipped = f" # SKIP {outcome.detail}" if outcome.result == "skip" else ""
        print(f"{word} {number} - {outcome.name}{skipped}")
    elif outcome.result == "skip":
        print(f"skip {outcome.name}: {outcome.detail}")
    else:
        print(f"{outcome.result} {outcome.name} ({outcome.seconds:.1f} s)")
    if outcome.result == "not ok":
        for line in outcome.detail.rstrip().splitlines():
            print(f"{'# ' if tap else '    '}{line}")
    sys.stdout.flush()


def run_all(args: argparse.Namespace, cases: list[Case]) -> int:
    outcomes: list[Outcome] = []
    concurrent = [case for case in cases if not case.alone] if args.jobs > 1 else []
    rest = [case for case in cases if case not in concurrent]
    session = Session(args.binary)
    if args.tap:
        print(f"TAP version 13\n1..{len(cases)}", flush=True)
    try:
        if concurrent:
            with contextlib.closing(run_concurrently(args.binary, concurrent, args.jobs)) as found:
                for outcome in found:
                    outcomes.append(outcome)
                    report(args.tap, len(outcomes), outcome)
        for outcome in run_in_turn(session, rest):
            outcomes.append(outcome)
            report(args.tap, len(outcomes), outcome)
    finally:
        session.finish()
        prefix = "# " if args.tap else ""
        for outcome in sorted(outcomes, key=lambda o: -o.seconds)[:args.durations]:
            print(f"{prefix}{outcome.seconds:6.1f} s  {outcome.name}")
        count = [sum(o.result == word for o in outcomes) for word in ("ok", "not ok", "skip")]
        print(f"{prefix}{count[0]} passed, {count[1]} failed, {count[2]} skipped", flush=True)
    return 1 if count[1] else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", default="build/app/pagewire", help="the program under test")
    parser.add_argument("-k", metavar="PATTERN", help="run only tests whose name contains PATTERN")
    parser.add_argument("--sanitizer", action="store_true", help="leave out the tests marked `once` or `long`")
    parser.add_argument("--once", action="store_true", help="run only the tests marked `once` or `long`")
    parser.add_argument("--long", action="store_true", help="also run the tests marked `long`")
    parser.add_argument("--list", action="store_true", help="print the names and end")
    parser.add_argument("--tap", action="store_true", help="print TAP version 13")
    parser.add_argument("--jobs", type=int, default=1, metavar="N",
                        help="run N tests at a time, where they do not measure (1)")
    parser.add_argument("--durations", type=int, nargs="?", const=10, default=0, metavar="N",
                        help="print the N slowest tests at the end (10)")
    args = parser.parse_args()
    cases = collect(args)
    if args.list:
        print("\n".join(case.name for case in cases))
        return 0
    if not os.access(args.binary, os.X_OK):
        parser.error(f"cannot run {args.binary}: no such program; build it, or give --binary")
    # a signal raises SystemExit, so that the test under way cleans up
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(129))
    return run_all(args, cases)


if __name__ == "__main__":
    sys.exit(main())
