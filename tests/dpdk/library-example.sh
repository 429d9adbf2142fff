#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# library-example.sh EXAMPLE EXAMPLE-RECV PAGEWIRE: docs/library.md's programs. The sender sends a file
# into a capture, which our receiver and the document's read; then the two programs have a virtio ring
# between them. Each receiver must end with the same file.
set -eu
example=$1
example_recv=$2
pagewire=$3
dir=$(mktemp -d /tmp/pagewire-example.XXXXXX)
receiver=
# a failure shows what the program under test said, and what its receiver misses
end() {
	status=$?
	[ -z "$receiver" ] || kill "$receiver" 2>/dev/null || :
	[ "$status" = 0 ] || tail -n +1 "$dir/said" "$dir"/out*/pagewire-gaps.json 2>/dev/null || :
	rm -rf "$dir"
	exit "$status"
}
trap end EXIT

head -c 1000001 /dev/urandom >"$dir/a.bin"
mkdir "$dir/out" "$dir/out2" "$dir/out3"
# the sanitizers' libraries must come first, and these programs share none with the test runner
"$example" "pcap:$dir/wire.pcap" 239.77.0.1:4001 "$dir/a.bin" >"$dir/said"
cat "$dir/said"
grep -q '^1000001 file bytes from 0x.*, 0 of them copied by the CPU$' "$dir/said"
"$pagewire" recv --port "pcap:$dir/wire.pcap" --out "$dir/out" --expect 1 --timeout 5s --no-huge
cmp "$dir/a.bin" "$dir/out/a.bin"

"$example_recv" "pcap:$dir/wire.pcap" 239.77.0.1:4001 "$dir/out2" >"$dir/said"
cat "$dir/said"
grep -q '^a\.bin: complete, 1000001 of 1000001 bytes$' "$dir/said"
cmp "$dir/a.bin" "$dir/out2/a.bin"

"$example_recv" "virtio-user:$dir/wire.sock" 239.77.0.1:4001 "$dir/out3" >"$dir/said" &
receiver=$!
"$example" "vhost:$dir/wire.sock" 239.77.0.1:4001 "$dir/a.bin"
wait "$receiver"
receiver=
cat "$dir/said"
grep -q '^a\.bin: ' "$dir/said"
cmp "$dir/a.bin" "$dir/out3/a.bin"
