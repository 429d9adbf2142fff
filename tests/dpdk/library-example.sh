#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# library-example.sh EXAMPLE PAGEWIRE: docs/library.md's program sends a file into a capture, our
# receiver reads the capture and must end with the same file.
set -eu
example=$1
pagewire=$2
dir=$(mktemp -d /tmp/pagewire-example.XXXXXX)
trap 'rm -rf "$dir"' EXIT

head -c 1000001 /dev/urandom >"$dir/a.bin"
mkdir "$dir/out"
# the sanitizers' libraries must come first, and these two programs share none with the test runner
"$example" "pcap:$dir/wire.pcap" 239.77.0.1:4001 "$dir/a.bin" >"$dir/said"
cat "$dir/said"
grep -q '^1000001 file bytes from 0x.*, 0 of them copied by the CPU$' "$dir/said"
"$pagewire" recv --port "pcap:$dir/wire.pcap" --out "$dir/out" --expect 1 --timeout 5s --no-huge
cmp "$dir/a.bin" "$dir/out/a.bin"
