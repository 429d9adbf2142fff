#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# check-man3.sh LIBRARY PAGE...: each name that the library exports has a page, and mandoc has no complaint. Without
# mandoc the second half is skipped (77).
set -u
library=$1 failed=0
shift
for name in $(nm -D --defined-only "$library" | sed -nE 's/.* T (pagewire_[a-z_]+).*/\1/p'); do
	seen=yes
	case " $* " in
	*"/$name.3 "*) ;;
	*)
		echo "$name has no page"
		failed=1
		;;
	esac
done
[ $failed = 0 ] && [ -n "${seen-}" ] || exit 1
if ! command -v mandoc >/dev/null; then
	echo "no mandoc: the pages are not linted; apt-get install mandoc"
	exit 77
fi
mandoc -T lint -W warning "$@"
