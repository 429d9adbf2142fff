#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Runs the tests of tests/vm, which boot guests: tests/vm/run.py --binary build/app/pagewire"""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
NET = os.path.join(os.path.dirname(HERE), "net")
sys.dont_write_bytecode = True
sys.path[0] = NET  # for run.py and harness.py, which tests/net and tests/vm share
sys.path.append(HERE)

import run  # noqa: E402  pylint: disable=wrong-import-position

if __name__ == "__main__":
    run.HERE = HERE
    run.__doc__ = __doc__
    sys.exit(run.main())
