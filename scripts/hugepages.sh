# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh disable=SC2034 # the script that sources this file uses its variables
# Sourced by quickstart: reserves huge pages of 2 MiB while a script runs, and then restores the pool.
#
#   hugepages_take N DIR    at least N free pages, and hugetlbfs mounted on DIR. Status 1: not possible here;
#                           2: the kernel gave fewer. $hugepages_why has the reason
#   hugepages_give_back     unmounts DIR and removes from the pool what was added; may be called twice, and from a
#                           trap at any moment of hugepages_take
#
# Several scripts can run at once. Each one has a file in $hugepages_runs, named by its process, with three numbers: the
# pool's size before, the pages that it wanted to add, and those that the kernel added ("?": not known yet). A script
# counts the pool's free pages as its own only if no other script runs, because the others may not have used theirs
# yet. The next script gives back what a killed one has added.

hugepages_pool=${HUGEPAGES_POOL:-/sys/kernel/mm/hugepages/hugepages-2048kB}
hugepages_runs=${HUGEPAGES_RUNS:-/run/pagewire-hugepages}
hugepages_found= # the pool's size before
hugepages_dir=
hugepages_why=

hugepages_size() {
	cat "$hugepages_pool/nr_hugepages"
}

hugepages_free() {
	cat "$hugepages_pool/free_hugepages" 2>/dev/null || echo 0
}

# The pool itself, not a tool: hugeadm changes nr_overcommit_hugepages, and dpdk-hugepages.py clears the pool.
hugepages_resize() {
	echo "$1" >"$hugepages_pool/nr_hugepages" 2>/dev/null || true
}

hugepages_lock() {
	exec 9>"$hugepages_runs/lock"
	flock 9
}

hugepages_unlock() {
	exec 9>&-
}

# hugepages_note FILE BEFORE WANTED ADDED: replaces the file in one step.
hugepages_note() {
	echo "$2 $3 $4" >"$hugepages_runs/new.$$"
	mv "$hugepages_runs/new.$$" "$1"
}

# hugepages_drop FILE: gives back the pages that the file lists as added. If that number is not known yet, gives back
# the pages by which the pool has grown. Lowers the pool by that number, because others may have changed it.
hugepages_drop() {
	read -r before wanted added <"$1" || added=0
	size=$(hugepages_size)
	[ "$added" != "?" ] || added=$((size - before))
	[ "$added" -le "$wanted" ] || added=$wanted
	if [ "$added" -gt 0 ]; then
		# An interrupted write must not be done a second time.
		hugepages_note "$1" $((size - added)) "$added" "?"
		hugepages_resize $((size - added))
	fi
	rm -f "$1"
}

# Sets $others: how many other scripts run. What killed ones have added is given back.
hugepages_others() {
	others=0
	for run in "$hugepages_runs"/[0-9]*; do
		if [ ! -e "$run" ] || [ "${run##*/}" = $$ ]; then
			continue
		elif kill -0 "${run##*/}" 2>/dev/null; then
			others=$((others + 1))
		else
			hugepages_drop "$run"
		fi
	done
}

hugepages_take() {
	if [ ! -w "$hugepages_pool/nr_hugepages" ] || ! mkdir -p "$hugepages_runs" 2>/dev/null; then
		hugepages_why="only root can reserve hugepages: $hugepages_pool/nr_hugepages cannot be written"
		return 1
	fi
	hugepages_lock
	hugepages_others
	hugepages_found=$(hugepages_size)
	lacking=$1
	[ $others -gt 0 ] || lacking=$(($1 - $(hugepages_free)))
	[ $lacking -gt 0 ] || lacking=0
	# Before the write: if that is interrupted, hugepages_give_back finds out how far it came.
	hugepages_note "$hugepages_runs/$$" "$hugepages_found" $lacking "?"
	hugepages_resize $((hugepages_found + lacking))
	given=$(($(hugepages_size) - hugepages_found))
	hugepages_note "$hugepages_runs/$$" "$hugepages_found" $lacking $given
	hugepages_unlock
	if [ $given -lt $lacking ]; then
		hugepages_why="the kernel gave $given of $lacking more pages of 2 MiB"
		hugepages_give_back
		return 2
	fi
	hugepages_dir=$2
	mkdir -p "$2"
	if ! mount -t hugetlbfs -o pagesize=2M pagewire "$2"; then
		hugepages_why="hugetlbfs cannot be mounted on $2"
		hugepages_give_back
		return 1
	fi
}

hugepages_give_back() {
	if [ -n "$hugepages_dir" ]; then
		! mountpoint -q "$hugepages_dir" || umount "$hugepages_dir"
		[ ! -d "$hugepages_dir" ] || rmdir "$hugepages_dir"
		hugepages_dir=
	fi
	if [ -e "$hugepages_runs/$$" ]; then
		hugepages_lock
		hugepages_drop "$hugepages_runs/$$"
		hugepages_unlock
	fi
}
