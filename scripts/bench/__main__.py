# SPDX-License-Identifier: BSD-3-Clause
"""`pagewire bench` runs this directory with one argument: its options as a JSON object."""
import os
import sys

sys.dont_write_bytecode = True
sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from bench.main import main  # noqa: E402

sys.exit(main(sys.argv[1:]))
