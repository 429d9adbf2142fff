#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Runs the blocks of README.md and docs/*.md: tests/docs/run.py --binary build/app/pagewire"""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.dont_write_bytecode = True
sys.path[0] = os.path.join(TOP, "tests/net")  # for run.py and harness.py, which the three runners share
sys.path += [HERE, os.path.join(TOP, "docs")]

import run  # noqa: E402  pylint: disable=wrong-import-position

if __name__ == "__main__":
    run.HERE = HERE
    run.__doc__ = __doc__
    sys.exit(run.main())
