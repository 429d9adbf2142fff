#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Installs the Debian 12 packages that building, testing and running pagewire need. Asks apt only
# for what is missing, so a second run does nothing. Called by quickstart and run-tests.
set -eu

# build
packages="gcc libc6-dev pkg-config meson ninja-build libdpdk-dev libnuma-dev liburing-dev
libxml2-dev zlib1g-dev libzstd-dev liblz4-dev liblzma-dev libjansson-dev libxxhash-dev libssl-dev libcap-ng-dev libinih-dev
libisal-dev libxdp-dev libbpf-dev bpftool systemtap-sdt-dev libmicrohttpd-dev libcurl4-openssl-dev libpcap-dev"
# run: drivers of DPDK, its tools (dpdk-hugepages.py, dpdk-devbind.py), the bench and its reports
packages="$packages dpdk dpdk-dev iproute2 kmod python3 python3-numpy python3-matplotlib python3-jinja2
python3-rich"
# tests, fuzzing and the comparison
packages="$packages libcmocka-dev libnorm-dev libstdc++-12-dev clang libclang-rt-14-dev clang-format tshark iperf3 fio tcpreplay
mandoc bpftrace zstd lz4 xz-utils python3-pytest python3-pytest-xdist python3-pandas python3-jsonschema qemu-system-x86 openssl binutils procps
util-linux mount git valgrind strace e2fsprogs nftables openmpi-bin
bash-completion zsh fish debhelper dpkg-dev lintian mmdebstrap"

missing=
for p in $packages; do
	status=$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null) || status=
	[ "$status" = installed ] || missing="$missing $p"
done
if [ -z "$missing" ]; then
	echo "set-up: every package is here"
	exit 0
fi
if [ "$(id -u)" -ne 0 ]; then
	echo "set-up: these packages are missing and only root can install them; run:" >&2
	echo "  sudo apt-get install --no-install-recommends$missing" >&2
	exit 77
fi
echo "set-up: installing$missing"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt-get -q update >"$log" 2>&1 ||
	echo "set-up: apt-get update failed, trying with the package lists that are here" >&2
# shellcheck disable=SC2086 # a list of words
if ! apt-get -q -y install --no-install-recommends $missing >"$log" 2>&1; then
	tail -20 "$log" >&2
	echo "set-up: apt-get failed; fix the error above and run this again" >&2
	exit 1
fi
echo "set-up: done"
