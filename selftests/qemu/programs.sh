#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Lists the test programs that were built, one a line with the seconds it may take and the CPUs it
# wants: 300 and 2, unless a line "runner-limit: SECONDS" or "runner-smp: CPUS" in the program's
# source says otherwise; SLOW times as many seconds and SMP CPUs where these are set. Of knelld and
# of Varlink, one thread each, it is 1: QEMU has a third less to do where there is no second one to
# agree with. "runner-smp-ARCH: CPUS" is for that machine alone, "2t" what boot.sh says.
#
# usage: programs.sh [NAME...]
# A NAME selects NAME_test, NAME_test.sh and all whose names begin with NAME_, or nothing; none: all
# programs. ROOM_NAME_test is NAME_test.c of the directory ROOM. Two names are not of programs: "kmod"
# selects those of the module's own tests, "guest" all.
set -eu

selftests=$(cd "$(dirname "$0")/.." && pwd)
built=${KNELL_BUILD:-$selftests/../build}/selftests

# The number that the source of program $1 says after "runner-$2:", or $3.
wants()
{
	file=$1
	[ "${1%.sh}" != "$1" ] || file=$1.c
	source=$selftests/$file
	[ -e "$source" ] || source=$selftests/${file%%_*}/${file#*_}
	said=$(sed -n "s/.*runner-$2: *\\([0-9][0-9]*t*\\).*/\\1/p" "$source" | head -n 1)
	echo "${said:-$3}"
}

list()
{
	for path in "$built"/*_test "$built"/*_test.sh; do
		program=${path##*/}
		[ -x "$path" ] || continue
		case $program in
		"$1"|"$1"_test|"$1"_test.sh|"${1:+$1_}"*)
			seconds=$(($(wants "$program" limit 300) * ${SLOW:-1}))
			cpus=2
			case $program in knelld_*|varlink_*) cpus=1 ;; esac
			echo "$program $seconds ${SMP:-$(wants "$program" "smp-${ARCH:-x86_64}" \
				"$(wants "$program" smp $cpus)")}" ;;
		esac
	done
}

# The module's own are in no room but those of storms and of the device, and need no more than the module.
of_kmod()
{
	case $1 in
	knelld_*|knellctl_*|embed_*|examples_*|docs_*) return 1 ;;
	soak_*|device_*) return 0 ;;
	esac
	[ -e "$selftests/$1" ] || [ -e "$selftests/$1.c" ]
}

[ $# -gt 0 ] || set -- ''
for name in "$@"; do
	case $name in
	guest) list '' ;;
	kmod)
		list '' | while read -r program rest; do
			! of_kmod "$program" || echo "$program $rest"
		done ;;
	*) list "$name" ;;
	esac
done | awk '!seen[$0]++'
