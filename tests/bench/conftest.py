# SPDX-License-Identifier: BSD-3-Clause
"""Makes the bench's modules and the tests' own helpers importable."""
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "scripts")]
