#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# check-man.sh PAGE PAGEWIRE [COMMAND]: each option that --help all shows is in the page, and mandoc
# finds no error in it. Without mandoc the second half is skipped (77).
set -u
page=$1 pagewire=$2 command=${3-}
failed=0

if [ -n "$command" ]; then
	text=$(mktemp) || exit 1
	trap 'rm -f "$text"' EXIT
	"$pagewire" "$command" --help all >"$text" || exit 1
	# Option lines are indented; prose is not searched, it mentions other options.
	options=$(sed -nE 's/^ {2}(-., |    )--([a-z0-9-]+).*/\2/p' "$text")
	for name in help config $options; do
		if ! grep -qE "^\.It (Fl . , )?Fl Fl $name( |\$)" "$page"; then
			echo "$page: --$name is missing"
			failed=1
		fi
	done
	[ "$(echo "$options" | wc -l)" -ge 5 ] || { echo "--help all shows no options"; failed=1; }
fi
[ "$failed" = 0 ] || exit 1
if ! command -v mandoc >/dev/null; then
	echo "no mandoc: the page is not linted; apt-get install mandoc"
	exit 77
fi
mandoc -T lint -W error "$page"
