#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""extract-example.py FILE.md OUT.c...: the document's ```c blocks, one to each OUT.c."""

import re
import sys

text = open(sys.argv[1], encoding="utf-8").read()
outs = sys.argv[2:]
blocks = re.findall(r"^```c\n(.*?)^```$", text, re.S | re.M)
if len(blocks) != len(outs):
    sys.exit("%s: %d C blocks, wanted are %d" % (sys.argv[1], len(blocks), len(outs)))
for block, out in zip(blocks, outs):
    open(out, "w", encoding="utf-8").write(block)
