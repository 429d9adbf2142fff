#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""extract-example.py FILE.md OUT.c: the document's only ```c block."""

import re
import sys

text = open(sys.argv[1], encoding="utf-8").read()
blocks = re.findall(r"^```c\n(.*?)^```$", text, re.S | re.M)
if len(blocks) != 1:
    sys.exit("%s: %d C blocks, one is wanted" % (sys.argv[1], len(blocks)))
open(sys.argv[2], "w", encoding="utf-8").write(blocks[0])
