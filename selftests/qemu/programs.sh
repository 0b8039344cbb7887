#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Lists the test programs that were built, one a line with the seconds it may take and the CPUs it
# wants: 300 and 2, unless a line "runner-limit: SECONDS" or "runner-smp: CPUS" in the program's
# source says otherwise; SLOW times as many seconds and SMP CPUs where these are set.
#
# usage: programs.sh [NAME...]
# A NAME selects NAME_test, NAME_test.sh and all whose names begin with NAME_; none: all programs.
set -eu

selftests=$(cd "$(dirname "$0")/.." && pwd)
built=${KNELL_BUILD:-$selftests/../build}/selftests

# The number that the source of program $1 says after "runner-$2:", or $3.
wants()
{
	case $1 in
	libknell_*) source=$selftests/libknell/${1#libknell_} ;;
	*) source=$selftests/$1 ;;
	esac
	[ "${1%.sh}" != "$1" ] || source=$source.c
	said=$(sed -n "s/.*runner-$2: *\\([0-9][0-9]*\\).*/\\1/p" "$source" | head -n 1)
	echo "${said:-$3}"
}

list()
{
	found=0
	for path in "$built"/*_test "$built"/*_test.sh; do
		program=${path##*/}
		[ -x "$path" ] || continue
		case $program in
		"$1"|"$1"_test|"$1"_test.sh|"${1:+$1_}"*)
			seconds=$(($(wants "$program" limit 300) * ${SLOW:-1}))
			echo "$program $seconds ${SMP:-$(wants "$program" smp 2)}"
			found=1 ;;
		esac
	done
	if [ $found -eq 0 ]; then
		echo "programs.sh: no test program ${1:-at all}" >&2
		exit 1
	fi
}

[ $# -gt 0 ] || set -- ''
for name in "$@"; do
	list "$name"
done | awk '!seen[$0]++'
