# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh disable=SC2034 # its variables are for those who source it
# Sourced: hugepages for a script's time, and back to what was found.
#
#   hugepages_take N DIR    at least N free pages of 2 MiB, hugetlbfs mounted on DIR. Status 1: they
#                           cannot be had; 2: not so many. $hugepages_why says why
#   hugepages_give_back     unmounts, takes from nr_hugepages what was added; safe to call twice

# The kernel's knob itself: hugeadm leaves another nr_overcommit_hugepages behind, and
# dpdk-hugepages.py clears the pool with the files that lie in it.
hugepages_knob=/proc/sys/vm/nr_hugepages
hugepages_found=
hugepages_added=0
hugepages_dir=
hugepages_why=

hugepages_free() {
	cat /sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages 2>/dev/null || echo 0
}

hugepages_take() {
	if [ "$(id -u)" -ne 0 ]; then
		hugepages_why="only root can reserve hugepages"
		return 1
	fi
	if [ ! -w $hugepages_knob ]; then
		hugepages_why="$hugepages_knob cannot be written"
		return 1
	fi
	hugepages_found=$(cat $hugepages_knob)
	lacking=$(($1 - $(hugepages_free)))
	if [ $lacking -gt 0 ]; then
		echo $((hugepages_found + lacking)) >$hugepages_knob 2>/dev/null || true
		hugepages_added=$(($(cat $hugepages_knob) - hugepages_found))
	fi
	if [ "$(hugepages_free)" -lt "$1" ]; then
		hugepages_why="the kernel gave $(hugepages_free) of $1 free pages of 2 MiB"
		hugepages_give_back
		return 2
	fi
	mkdir -p "$2"
	if ! mount -t hugetlbfs -o pagesize=2M pagewire "$2"; then
		hugepages_why="hugetlbfs cannot be mounted on $2"
		hugepages_give_back
		return 1
	fi
	hugepages_dir=$2
}

hugepages_give_back() {
	if [ -n "$hugepages_dir" ]; then
		umount "$hugepages_dir" && rmdir "$hugepages_dir"
		hugepages_dir=
	fi
	# by what was added: others may have changed the pool in the meantime
	if [ "$hugepages_added" -gt 0 ]; then
		echo $(($(cat $hugepages_knob) - hugepages_added)) >$hugepages_knob
		hugepages_added=0
	fi
}
