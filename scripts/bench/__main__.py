# SPDX-License-Identifier: BSD-3-Clause
"""`pagewire bench` runs this directory with one argument: its options as a JSON object."""
import os
import sys
from importlib.util import find_spec

SYSTEM = "/usr/bin/python3"  # has Debian's packages, where PATH names another one first

sys.dont_write_bytecode = True
missing = [name for name in ("numpy", "rich", "jinja2", "matplotlib") if not find_spec(name)]
if missing and os.path.exists(SYSTEM) and os.path.realpath(sys.executable) != os.path.realpath(SYSTEM):
    os.execv(SYSTEM, [SYSTEM, "-B", *sys.argv])
if {"numpy", "rich"} & set(missing):
    print(f"pagewire: error: cannot measure: Python has no {' and no '.join(missing)}; apt install python3-numpy "
          "python3-rich python3-matplotlib python3-jinja2", file=sys.stderr)
    sys.exit(77)
sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from bench.main import main  # noqa: E402

sys.exit(main(sys.argv[1:]))
