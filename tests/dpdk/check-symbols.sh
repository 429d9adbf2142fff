#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# check-symbols.sh OBJECT LIST: every undefined symbol of OBJECT must stand in LIST.
set -eu
object=$1
list=$2

if nm "$object" | grep -q '__asan_\|__ubsan_\|__tsan_'; then
	echo "skipped: a sanitizer's calls are in this build"
	exit 77
fi
symbols=$(nm -u "$object" | awk '{ print $NF }' | sed 's/@.*//')
[ -n "$symbols" ] || { echo "$object has no undefined symbols: not the fast path" >&2; exit 1; }
status=0
for symbol in $symbols; do
	if ! grep -qx "$symbol" "$list"; then
		echo "the fast path calls $symbol, which $list does not allow" >&2
		status=1
	fi
done
exit $status
