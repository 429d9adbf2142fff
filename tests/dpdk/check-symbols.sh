#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# check-symbols.sh ARCHIVE MEMBER LIST: every undefined symbol of the archive's member must stand in
# LIST.
set -eu
archive=$1
member=$2
list=$3

of_member() {
	nm "$@" "$archive" 2>/dev/null | awk -v m="$member" '/:$/ { on = index($0, m) > 0; next } on && NF { print $NF }'
}

symbols=$(of_member -u)
[ -n "$symbols" ] || { echo "$member in $archive has no undefined symbols: not the fast path" >&2; exit 1; }
status=0
for symbol in $symbols; do
	if ! grep -qx "$symbol" "$list"; then
		echo "the fast path calls $symbol, which $list does not allow" >&2
		status=1
	fi
done
exit $status
