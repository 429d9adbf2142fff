#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Runs the tests of tests/net: tests/net/run.py --binary build/app/pagewire [-k PATTERN]"""
import argparse
import fnmatch
import glob
import importlib
import os
import signal
import sys
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True

from harness import Failed, Process, Session, Skip, Test  # pylint: disable=wrong-import-position


def collect(pattern, sanitizer, everything):
    tests = []
    for path in sorted(glob.glob(os.path.join(HERE, "test_*.py"))):
        module = importlib.import_module(os.path.basename(path)[:-3])
        stem = module.__name__[len("test_"):]
        for name, value in vars(module).items():  # in the order of the file
            if name.startswith("test_") and callable(value) and value.__module__ == module.__name__:
                spared = (sanitizer and getattr(value, "once", False)) or (
                    getattr(value, "long", False) and not (everything or pattern))
                if not spared:
                    tests.append((f"{stem}.{name[len('test_'):]}", value))
    if pattern:
        glob_pattern = pattern if any(c in pattern for c in "*?[") else f"*{pattern}*"
        tests = [t for t in tests if fnmatch.fnmatchcase(t[0], glob_pattern)]
    return tests


def run_one(session, name, function):
    """(result, detail) of one test; the detail of a pass is empty."""
    test = Test(session, name)
    result, detail = "ok", ""
    try:
        function(test)
    except Skip as e:
        result, detail = "skip", str(e)
    except Failed as e:
        result, detail = "not ok", str(e)
    except Exception:  # pylint: disable=broad-except
        result, detail = "not ok", traceback.format_exc()
    finally:  # an interrupt of the whole run passes here too
        if result == "not ok":  # the logs go with the directory
            detail += "".join("\n" + text for text in map(Process.describe, test.processes[-4:])
                              if text not in detail)
        problems = test.finish()
    if problems:
        result = "not ok"
        detail = "\n".join(([detail] if detail else []) + problems)
    return result, detail


def report(tap, number, name, result, seconds, detail):
    if tap:
        word = "not ok" if result == "not ok" else "ok"
        skipped = f" # SKIP {detail}" if result == "skip" else ""
        print(f"{word} {number} - {name}{skipped}")
    elif result == "skip":
        print(f"skip {name}: {detail}")
    else:
        print(f"{result} {name} ({seconds:.1f} s)")
    if result == "not ok":
        for line in detail.rstrip().splitlines():
            print(f"{'# ' if tap else '    '}{line}")
    sys.stdout.flush()


def run_all(session, tests, tap):
    counts = {"ok": 0, "not ok": 0, "skip": 0}
    if tap:
        print(f"TAP version 13\n1..{len(tests)}", flush=True)
    try:
        for number, (name, function) in enumerate(tests, 1):
            start = time.monotonic()
            result, detail = run_one(session, name, function)
            counts[result] += 1
            report(tap, number, name, result, time.monotonic() - start, detail)
    finally:
        session.finish()
        print(f"{'# ' if tap else ''}{counts['ok']} passed, {counts['not ok']} failed, "
              f"{counts['skip']} skipped", flush=True)
    return 1 if counts["not ok"] else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", default="build/app/pagewire", help="the program under test")
    parser.add_argument("-k", metavar="PATTERN", help="only tests whose name contains it")
    parser.add_argument("--sanitizer", action="store_true", help="leave out the tests marked `once`")
    parser.add_argument("--long", action="store_true", help="also the tests marked `long`")
    parser.add_argument("--list", action="store_true", help="print the names and end")
    parser.add_argument("--tap", action="store_true", help="print TAP version 13")
    args = parser.parse_args()
    tests = collect(args.k, args.sanitizer, args.long)
    if args.list:
        print("\n".join(name for name, _ in tests))
        return 0
    if not os.access(args.binary, os.X_OK):
        parser.error(f"no program {args.binary}; build it, or give --binary")
    # a SIGTERM must run the clean-up too
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(129))
    return run_all(Session(args.binary), tests, args.tap)


if __name__ == "__main__":
    sys.exit(main())
