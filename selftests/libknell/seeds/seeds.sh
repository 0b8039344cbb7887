#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Shows that the tools under which the tests run find faults: makes one of each kind that is for the
# tool of FLAVOUR, and expects the command to fail and to say so; without a fault, neither. Prints TAP.
#
# usage: seeds.sh FLAVOUR COMMAND...	(list.sh's, with the program of seed.c in its end)
set -u

flavour=$1
shift
nr=0

# fault KIND WORDS
fault()
{
	kind=$1 words=$2
	shift 2
	nr=$((nr + 1))
	said=$("$@" "$kind" 2>&1) && status=0 || status=$?
	if [ "$status" -ne 0 ] && [ "$status" -lt 124 ] && echo "$said" | grep -q "$words"; then
		echo "ok $nr $flavour: $kind"
	else
		echo "# status $status, without \"$words\""
		echo "$said" | sed 's/^/# /'
		echo "not ok $nr $flavour: $kind"
	fi
}

none()
{
	nr=$((nr + 1))
	said=$("$@" none 2>&1) && [ -z "$said" ] && echo "ok $nr $flavour: no fault" && return
	echo "$said" | sed 's/^/# /'
	echo "not ok $nr $flavour: no fault"
}

echo "TAP version 13"
case $flavour in
asan)
	echo 1..4
	fault use-after-free 'heap-use-after-free' "$@"
	fault leak 'LeakSanitizer: detected memory leaks' "$@"
	fault overflow 'signed integer overflow' "$@"
	;;
tsan)
	echo 1..2
	fault race 'ThreadSanitizer: data race' "$@"
	;;
plain)
	echo 1..4
	fault use-after-free 'Invalid \(read\|write\)' "$@"
	fault leak 'definitely lost' "$@"
	fault uninitialised 'depends on uninitialised value' "$@"
	;;
esac
none "$@"
