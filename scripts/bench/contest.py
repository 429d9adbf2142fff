# SPDX-License-Identifier: BSD-3-Clause
"""Profiles: `bench --profile NAME` compares a part of pagewire with another program, or with a limit of the machine.

    profile     a function that gets a Lab        one file in profiles/, or of your own: --profile ./mine.py
      contest     one unit, one title             "cycles a packet, 1440-byte symbols"
        contender   measured once a round, in an order drawn anew; round 0 is a warm-up
        target      contender a / contender b, round by round, and the ratio asked for

A contender for which the host lacks something (Lacking, in the warm-up) is skipped with its targets.
"""
from __future__ import annotations

import importlib.util
import json
import os
import random
import shlex
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from bench import samples, stats
from bench.cells import Cell, run_cell
from bench.model import BenchError, Interrupted, Lacking, Options, Sample, Summary
from bench.plan import cell_cpus
from bench.programs import LIMIT_S, Finished, Program
from bench.store import Store, make_store
from bench.view import plain
from bench.ways import read_ways
from bench.wires import Wire, open_wire

PROFILES = Path(__file__).parent / "profiles"
T = TypeVar("T")


@dataclass
class Contender:
    """What is measured: measure(*args) returns a number in the contest's unit."""
    name: str
    measure: Callable[..., float]
    args: tuple[Any, ...] = ()
    how: str = ""               # what another lab types to measure it alone: its commands are added in the warm-up
    work: float | None = None   # where the contest is over something: so many files, bytes
    skipped: str | None = None
    void: str | None = None     # of its last sample that is void
    values: list[float | None] = field(default_factory=list)  # a round each
    summary: Summary = field(default_factory=Summary)
    # where the contest has a spread: how many values lie in a class, by its upper end; of all rounds together.
    # measure() adds to it.
    histogram: Counter[float] = field(default_factory=Counter)


@dataclass
class Target:
    """a's value over b's is at most, or at least, what is asked for. Neither: it is only shown."""
    a: Contender
    b: Contender
    at_most: float | None = None
    at_least: float | None = None
    ratio: Summary = field(default_factory=Summary)

    def judge(self) -> tuple[bool | None, bool]:
        """(reached by the median, the same is true of the whole interval). None: not measured, or not asked."""
        s = self.ratio
        if s.median is None or s.low is None or s.high is None:
            return None, False
        if self.at_most is not None:
            return s.median <= self.at_most, s.high <= self.at_most or s.low > self.at_most
        if self.at_least is not None:
            return s.median >= self.at_least, s.low >= self.at_least or s.high < self.at_least
        return None, False


@dataclass
class Contest:
    """Contenders that are measured in one unit."""
    title: str
    unit: str
    note: str = ""          # what a reader must know beside the figures
    over: str | None = None  # what the contenders' `work` counts: the report draws a line over it
    spread: str | None = None  # what the contenders' histograms are of: the report draws them
    contenders: list[Contender] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)

    def contender(self, name: str, measure: Callable[..., float], *args: Any, how: str = "",
                  work: float | None = None) -> Contender:
        """measure(*args) is called once a round. how: what its commands, which are recorded, do not say."""
        who = Contender(name, measure, args, how, work)
        self.contenders.append(who)
        return who

    def target(self, a: Contender, b: Contender, *, at_most: float | None = None,
               at_least: float | None = None) -> None:
        """What is asked of a's value over b's."""
        self.targets.append(Target(a, b, at_most, at_least))

    def compare(self, a: Contender, b: Contender) -> None:
        """Shows a's value over b's, of which nothing is asked."""
        self.target(a, b)


class Lab:
    """What a profile works with. What it starts and makes in a measurement ends with that measurement; what it
    starts and makes before, with the profile."""

    def __init__(self, options: Options) -> None:
        self.pagewire = options.pagewire
        self.source_cpu, self.sink_cpu = cell_cpus(options.core)
        self.dir = options.dir          # on a disk
        self.file = options.file        # the user's; None: the profile makes its own
        self.no_huge = options.no_huge
        self.seed = options.seed
        self.contests: list[Contest] = []
        self.commands: list[str] = []   # that the measurement has run
        self._words = {self.pagewire: "pagewire"}  # for paths in them
        self._ends = ExitStack()

    def contest(self, title: str, unit: str, note: str = "", over: str | None = None,
                spread: str | None = None) -> Contest:
        """A new contest of this profile."""
        self.contests.append(Contest(title, unit, note, over, spread))
        return self.contests[-1]

    def start(self, argv: Sequence[object], cpu: int | None = None, limit: float = LIMIT_S,
              wire: Wire | None = None) -> Program:
        """Starts a program, which is ended in every case; see programs.py. wire: at the sender's end of it."""
        self._record(shlex.join(str(word) for word in argv))
        return self.enter(Program(argv, cpu, limit, wire.source_ns if wire else -1))

    def run(self, argv: Sequence[object], cpu: int | None = None, limit: float = LIMIT_S,
            wire: Wire | None = None) -> Finished:
        """Runs a program until it has ended with exit code 0."""
        return self.start(argv, cpu, limit, wire).wait()

    def store(self, *sizes: int, eal_bytes: int = 0, on_disk: bool = False) -> Store:
        """Files of these sizes on tmpfs, and on hugetlbfs where there is room for them and for EAL's memory."""
        store = Store()
        self.at_end(store.remove)
        make_store(store, self.pagewire, sizes, eal_bytes, cold_dir=self.dir if on_disk else None)
        for f in store.files:
            self._words |= {f.huge: "HUGEFILE", f.tmpfs: "TMPFSFILE", f.disk: "DISKFILE"}
        return store

    def huge(self, store: Store) -> str:
        """The first file on hugetlbfs. Lacking: why it is not there."""
        if not store.files[0].huge:
            raise Lacking(store.huge_why)
        return store.files[0].huge

    def wire(self, kind: str, mtu: int = 1500) -> Wire:
        """A wire of wires.py that needs no socket: "loopback", "veth", "sink"."""
        return self.enter(closing(open_wire(kind, mtu, "")))

    def send(self, way: str, wire: Wire, store: Store, passes: int = 1, limit: float = LIMIT_S) -> Sample:
        """One sample of a way of the bench, as `pagewire bench --ways` measures it: values["goodput_bps"] and the
        other metrics of metrics.py. It sends the store's first file."""
        found = next((w for w in read_ways(self.pagewire) if way in (w.name, w.label)), None)
        if not found:
            raise Lacking(f"cannot measure {way}: this pagewire has no such way")
        file = store.files[0]
        cell = Cell(self.pagewire, found, wire, file.huge if file.huge and not found.needs_page_cache else file.tmpfs,
                    file.len_bytes, wire.mtu, passes=passes, no_huge=True, source_cpu=self.source_cpu,
                    sink_cpu=self.sink_cpu, deadline_ns=int(limit * 1e9))
        self._record(f"pagewire bench --ways {way} --wires {wire.kind} --sizes {file.len_bytes} --mtu {wire.mtu}")
        end = run_cell(cell)
        if end.source.get("lacking"):
            raise Lacking(end.source["error"])
        sample = samples.sample(cell, end.source, end.sink, end.counted)
        if sample.void:
            raise BenchError(sample.void)
        return sample

    def temporary(self, path: str) -> str:
        """The path; the file that will be there is removed at the end."""
        self.at_end(Path(path).unlink, True)
        self._words[path] = os.path.basename(path).upper()
        return path

    def enter(self, context: AbstractContextManager[T]) -> T:
        """Enters a context that is left at the end."""
        return self._ends.enter_context(context)

    def at_end(self, call: Callable[..., object], *args: object) -> None:
        """Calls call(*args) at the end, in every case."""
        self._ends.callback(call, *args)

    def directory(self, parent: str) -> str:
        """A new directory there. It is removed at the end with all that is in it."""
        try:
            path = self.enter(tempfile.TemporaryDirectory(prefix="pagewire-", dir=parent))
        except OSError as e:
            raise BenchError(f"cannot make a directory in {parent}: {e.strerror}; name another by --dir") from None
        self._words[path] = "DIR"
        return path

    def _record(self, command: str) -> None:
        """Paths that only this run knows get a name."""
        for path in sorted(filter(None, self._words), key=len, reverse=True):
            command = command.replace(path, self._words[path])
        self.commands.append(command)

    def turn(self, who: Contender) -> float:
        """One measurement, and the end of all that it started."""
        outer, self._ends = self._ends, ExitStack()
        self.commands.clear()
        try:
            return float(who.measure(*who.args))
        finally:
            self._ends, ends = outer, self._ends
            ends.close()

    def close(self) -> None:
        """Ends what open() started."""
        self._ends.close()


@dataclass(frozen=True)
class Profile:
    """A question and how it is measured."""
    name: str
    summary: str
    rounds: int                       # unless asked otherwise
    open: Callable[[Lab], None]       # adds contests; makes files and whatever else they need


def profile(name: str, summary: str, rounds: int = 5) -> Callable[[Callable[[Lab], None]], Profile]:
    """Decorates the function that adds the contests of a profile."""
    return lambda open_: Profile(name, summary, rounds, open_)


def _import(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("profile_" + path.stem, path)
    if not spec or not spec.loader:
        raise BenchError(f"cannot run --profile {path}: it is no Python file; its name must end with .py", 2)
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except OSError as e:
        raise BenchError(f"cannot run --profile {path}: {e.strerror}", 2) from None
    except (Exception, SystemExit) as e:
        raise BenchError(f"cannot run --profile {path}: {_explain(e)}", 2) from None
    return module


def _load(path: Path) -> Profile:
    found = [v for v in vars(_import(path)).values() if isinstance(v, Profile)]
    if len(found) != 1:
        raise BenchError(f"cannot run --profile {path}: it has {len(found)} functions decorated by @profile; "
                         "one is needed", 2)
    return found[0]


def profiles() -> list[Profile]:
    """Those that come with pagewire, by name."""
    return sorted((_load(p) for p in PROFILES.glob("[!_]*.py")), key=lambda p: p.name)


def find(name: str) -> Profile:
    """The profile of this name, or of the file at this path."""
    if "/" in name or name.endswith(".py"):
        return _load(Path(name))
    known = {p.name: p for p in profiles()}
    if name not in known:
        raise BenchError(f"cannot run --profile {name}: it does not exist; use one of {', '.join(known)}, "
                         "or the path of a file", 2)
    return known[name]


@dataclass
class Run:
    """The result of a profile."""
    profile: Profile
    seed: int
    env: dict[str, str | None]
    contests: list[Contest]
    rounds: int = 0            # that were run wholly
    interrupted: bool = False

    @property
    def exit_code(self) -> int:
        """3 when a contender has failed: ratios of the others are not to be cited."""
        return 3 if self.interrupted or any(who.void for c in self.contests for who in c.contenders) else 0

    def summarize(self) -> None:
        """Fills the summaries from the values of whole rounds."""
        for contest in self.contests:
            for who in contest.contenders:
                del who.values[self.rounds:]
                who.summary = stats.summarize(who.values, self.seed)
            for t in contest.targets:
                t.ratio = stats.ratio(t.a.values, t.b.values, self.seed)

    def to_json(self) -> dict[str, Any]:
        """pagewire.profile/1"""
        return {"schema": "pagewire.profile/1", "profile": self.profile.name, "summary": self.profile.summary,
                "rounds": self.rounds, "seed": self.seed, "env": self.env,
                "contests": [_contest_json(c) for c in self.contests], "exit_code": self.exit_code}


def _summary_json(s: Summary) -> dict[str, float | None]:
    return {"median": s.median, "low": s.low, "high": s.high, "n": s.n}


def _contest_json(contest: Contest) -> dict[str, Any]:
    claims: list[dict[str, Any]] = []
    for t in contest.targets:
        reached, sure = t.judge()
        asked = {key: bound for key, bound in (("at_most", t.at_most), ("at_least", t.at_least)) if bound is not None}
        claims.append({"a": t.a.name, "b": t.b.name, **asked, "ratio": _summary_json(t.ratio), "reached": reached,
                       "sure": sure})
    return {"title": contest.title, "unit": contest.unit, "note": contest.note or None, "over": contest.over,
            "spread": contest.spread,
            "contenders": [{"name": who.name, "how": who.how or None, "work": who.work, "skipped": who.skipped,
                            "void": who.void, "values": who.values, "summary": _summary_json(who.summary),
                            "histogram": [[end, n] for end, n in sorted(who.histogram.items())] or None}
                           for who in contest.contenders],
            "claims": claims}


def _explain(e: BaseException) -> str:
    """Our own errors say it all; of others, the line of the profile is worth as much as the text."""
    if isinstance(e, (BenchError, Lacking)):
        return plain(str(e))
    at = traceback.extract_tb(e.__traceback__)[-1]
    file, line, text = at.filename, at.lineno, str(e)
    if isinstance(e, SyntaxError) and e.filename:  # the traceback ends in Python's own import
        file, line, text = e.filename, e.lineno, e.msg
    return plain(f"{type(e).__name__}: {text} ({os.path.basename(file)}{f', line {line}' if line else ''})")


def _take_turn(lab: Lab, who: Contender, round_: int) -> None:
    """round 0: the warm-up, which keeps nothing but what is lacking."""
    value: float | None = None
    if who.skipped is None:
        try:
            value = lab.turn(who)
            if value != value or abs(value) == float("inf"):
                raise BenchError(f"cannot measure {who.name}: it gave no number")
        except Interrupted:
            raise
        except Exception as e:
            value = None
            if round_ == 0 and isinstance(e, Lacking):
                who.skipped = _explain(e)
            else:
                who.void = _explain(e)
    if round_:
        who.values.append(value)
    else:
        who.histogram.clear()
        started = Counter(lab.commands)  # in the order in which each was first started
        who.how = "; ".join([*(c if n == 1 else f"{c} (started {n} times)" for c, n in started.items()),
                             *filter(None, [who.how])])


def _open(profile_: Profile, lab: Lab) -> None:
    """Adds the contests. An error there is the profile's."""
    try:
        profile_.open(lab)
    except (BenchError, Lacking, Interrupted):
        raise
    except Exception as e:
        raise BenchError(f"cannot run --profile {profile_.name}: {_explain(e)}") from None
    if not any(contest.contenders for contest in lab.contests):
        raise BenchError(f"cannot run --profile {profile_.name}: it has no contender; add one by "
                         "contest.contender(name, measure)", 2)


Tick = Callable[[int, int, str], None]  # before each measurement: how many are done, of how many, and its name


def measure(profile_: Profile, options: Options, env: dict[str, str | None],
            tick: Tick = lambda done, total, what: None) -> Run:
    """Opens the profile, measures each contender once a round, summarizes. A signal raises Interrupted in it."""
    lab = Lab(options)
    run = Run(profile_, options.seed, env, lab.contests)
    rounds = options.rounds or profile_.rounds
    order = random.Random(options.seed)
    try:
        _open(profile_, lab)
        turns = [who for c in lab.contests for who in c.contenders]
        for round_ in range(rounds + 1):
            order.shuffle(turns)
            for i, who in enumerate(turns):
                tick(round_ * len(turns) + i, (rounds + 1) * len(turns), who.name)
                _take_turn(lab, who, round_)
            run.rounds = round_
    except Interrupted:
        run.interrupted = True
    except Lacking as e:
        raise BenchError(str(e), 77) from None
    finally:
        lab.close()
    run.summarize()
    return run


def show(run: Run, options: Options) -> int:
    """Prints the result as text or JSON, and writes the report. The exit code."""
    from bench import contest_text

    if not run.rounds and run.interrupted:
        return run.exit_code
    if options.json:
        print(json.dumps(run.to_json(), indent=2))
    else:
        contest_text.show(run)
    if options.report:
        from bench import contest_report  # matplotlib: slow to import
        contest_report.write(run.to_json(), Path(options.report))
        if not options.json:
            print(f"report: {options.report}")
    return run.exit_code
