#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# cli.sh PAGEWIRE SOURCE-ROOT: what a user meets before any packet flows: help, versions, exit
# codes, what goes to standard output and what to standard error. No root, no DPDK port.
set -u
pagewire=$1 root=$2
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
failed=0
port=$((20000 + $$ % 20000))

# expect CODE STREAM PATTERN ARGS...: the exit code, and that STREAM (out or err) has PATTERN; what
# is an error prints nothing on standard output; what is not an error prints nothing on standard error.
expect() {
	code=$1 stream=$2 pattern=$3
	shift 3
	timeout 60 "$pagewire" "$@" >"$dir/out" 2>"$dir/err" </dev/null
	got=$?
	if [ "$got" != "$code" ] || ! grep -qe "$pattern" "$dir/$stream"; then
		echo "pagewire $*: exit code $got, $code expected; '$pattern' expected in std$stream:"
		cat "$dir/out" "$dir/err"
		failed=1
	fi
	case $code in
	0) other=err ;;
	*) other=out ;;
	esac
	if [ "$code" != 3 ] && [ -s "$dir/$other" ]; then
		echo "pagewire $*: this should not be on std$other:"
		cat "$dir/$other"
		failed=1
	fi
}

expect 0 out '^usage: pagewire COMMAND' --help
expect 0 out '^usage: pagewire COMMAND' help
expect 0 out '^pagewire [0-9]*\.[0-9]' --version
expect 0 out 'DPDK' --version
expect 2 err '^usage: pagewire COMMAND'
expect 2 err 'cannot run sedn: no such command; did you mean send?' sedn
expect 2 err 'cannot run x: no such command' help x
expect 0 out '^      --rcvbuf SIZE' recv --help all
expect 0 out '^      --rcvbuf SIZE' help recv all
expect 0 out 'more options: pagewire recv --help all' recv --help
# A host name: the first address of the family that the other option has.
expect 3 err 'listening on 127.0.0.1:' recv --listen "localhost:$port" --source 127.0.0.1 --out "$dir" --timeout 100ms
expect 2 err "cannot resolve --listen 'nosuch.invalid'" recv --listen nosuch.invalid --out "$dir"
for command in send recv stage doctor; do
	expect 0 out "^usage: pagewire $command " "$command" --help
	expect 0 out "^usage: pagewire $command " "$command" -h
	expect 0 out "^usage: pagewire $command " help "$command"
	expect 0 out "^  $command " --help
done

expect 2 err 'pagewire recv: option --foo is unknown; see pagewire recv --help' recv --foo
expect 2 err 'neither a port nor an address is named; use --port PORT or --listen' recv --out "$dir"
expect 2 err 'use --out DIR, or --discard' recv --listen 127.0.0.1
expect 2 err "read --listen '300.0.0.1'" recv --listen 300.0.0.1 --out "$dir"
expect 2 err 'operand' recv --listen 127.0.0.1 --out "$dir" stray
expect 2 err 'cannot use EAL arguments without a port' recv --listen 127.0.0.1 --out "$dir" -- -l 1
expect 2 err 'leave them out, or --discard' recv --listen 127.0.0.1 --out "$dir" --discard
expect 2 err 'bad.ini:2: option outt is unknown; did you mean out?' recv --config "$dir/bad.ini" \
	$(printf '[recv]\noutt = x\n' >"$dir/bad.ini")
expect 1 err 'mkdir -p' recv --listen "127.0.0.1:$port" --out "$dir/none"
expect 1 err 'no interface of this host has the address' recv --listen 203.0.113.7 --out "$dir"
if "$pagewire" --version | grep -q 'without DPDK'; then
	expect 77 err 'built without DPDK' send file --port null --to 239.1.2.3
	expect 77 err 'built without DPDK' recv --port null --out "$dir"
else
	# A privilege that is missing has its name, before DPDK fails for lack of it.
	echo x >"$dir/file"
	unprivileged=$pagewire
	if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
		printf '#!/bin/sh\nexec setpriv --bounding-set=-net_raw "%s" "$@"\n' "$pagewire" >"$dir/pagewire"
		chmod +x "$dir/pagewire"
		unprivileged=$dir/pagewire
	fi
	privileged=$pagewire pagewire=$unprivileged
	expect 77 err 'cannot open af_packet:lo: it needs cap_net_raw' send "$dir/file" --port af_packet:lo \
		--to 127.0.0.1 --from 127.0.0.1 --to-mac 02:00:00:00:00:01 --no-huge
	expect 77 err 'cannot open af_packet:lo: it needs cap_net_raw' recv --port af_packet:lo --out "$dir" --no-huge
	pagewire=$privileged
	expect 2 err "cannot use --port 'bad:'" recv --port bad: --out "$dir"
fi

# Silence: exit code 3, and a document whose every key is described.
expect 3 err 'no packet came: is the sender' recv --listen "127.0.0.1:$port" --out "$dir" \
	--timeout 200ms --json
for key in $(grep -o '"[a-z0-9_]*":' "$dir/out" | tr -d '":'); do
	if ! grep -q "\`$key\`" "$root/docs/json.md"; then
		echo "docs/json.md does not describe $key"
		failed=1
	fi
done
grep -q '"schema": "pagewire.recv/1"' "$dir/out" || { echo "no schema in the result"; failed=1; }
[ -e "$dir/pagewire-gaps.json" ] && { echo "a gap manifest of nothing was written"; failed=1; }

# A signal ends it cleanly.
rm "$dir/err"
"$pagewire" recv --listen "127.0.0.1:$port" --out "$dir" --timeout 60s >"$dir/out" 2>"$dir/err" &
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
	grep -qs listening "$dir/err" && break
	sleep 0.1
done
kill -TERM $!
wait $!
[ $? = 3 ] && grep -q 'interrupted by SIGTERM' "$dir/out" ||
	{ echo "SIGTERM does not end recv with exit code 3"; cat "$dir/out" "$dir/err"; failed=1; }

# The exit codes of exit.h are those of the documents.
codes=$(sed -nE 's/^#define PW_EXIT_[A-Z]+ +([0-9]+).*/\1/p' "$root/app/cli/exit.h" | tr '\n' ' ')
[ "$codes" = "0 1 2 3 77 " ] || { echo "exit.h has other codes: $codes"; failed=1; }
for code in $codes; do
	grep -q "^\.It $code\$" "$root/docs/man/exit.inc" || { echo "no $code in exit.inc"; failed=1; }
	grep -q "^| $code | " "$root/docs/using.md" || { echo "no $code in docs/using.md"; failed=1; }
done
grep -q 'ENODEV , ENOSPC , ENOMEM , EPERM , EACCES , ENOTSUP' "$root/docs/man/exit.inc" ||
	{ echo "exit.inc does not list the errors of exit.c"; failed=1; }

if [ -w /dev/full ]; then
	"$pagewire" --help >/dev/full 2>"$dir/err"
	[ $? = 1 ] && grep -q 'cannot write standard output' "$dir/err" ||
		{ echo "a full standard output goes unnoticed"; failed=1; }
fi
exit $failed
