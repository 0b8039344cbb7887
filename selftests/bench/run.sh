#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Runs the programs of build/bench where the clock counts instructions (boot.sh -c tells how), one
# after the other in one boot, and passes on their output; the log is in build/guest/all.sh. Those
# of build/bench/loops have a part here, too: loops.sh; the supervisors and containers' inits have boots
# of their own: supervisors.sh, containers.sh. Fails if one did.
#
# usage: run.sh PROGRAM... [-- OPTION...]	the options are for each of them
#
# The CPU is qemu64 because a newer one has the kernel copy with "rep movsb", of which TCG counts
# every byte as an instruction. nokaslr and a TSC that nobody needs to calibrate: the same figures
# in every boot. RCU callbacks in a kernel thread: in softirqs they would be charged to whom they
# happen to interrupt; exit_total_insns has them either way.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
build=${KNELL_BUILD:-$top/build}
files=$build/guest/bench
kernel='' loops='' supervisors='' containers='' failed=''

while [ $# -gt 0 ]; do
	[ "$1" != -- ] || break
	if [ -e "$here/loops/$1.c" ]; then
		loops="$loops $1"
	elif [ "$1" = supervisors ]; then
		supervisors=1
	elif [ "$1" = containers ]; then
		containers=1
	else
		kernel="$kernel $1"
	fi
	shift
done

make -s -C "$top/selftests" build="$build" guest
rm -rf "$files"
if [ -n "$kernel$loops" ]; then
	mkdir -p "$files/tests" "$files/lib"
	for program in $kernel; do
		cp "$build/bench/$program" "$files/tests/"
	done
	# Its second module, and (below) the memory that its black box has.
	case " $kernel " in
	*" observe "*) cp "$build/bench/knell_notrace.ko" "$files/lib/" ;;
	esac
	# shellcheck disable=SC2086 # a list
	[ -z "$loops" ] || "$here/loops.sh" -p "$files" $loops
	# shellcheck disable=SC2086 # a list
	KNELL_GUEST_FILES=$files "$top/selftests/qemu/guest.sh" -c -m 3072 -l 7200 \
		-a "nokaslr tsc=reliable tsc_early_khz=1000000 rcutree.use_softirq=0 \
memmap=64K\$0x10000000" \
		"$here/all.sh" $kernel $loops "$@" || failed="$failed counting"
fi
if [ -n "$loops" ] && [ $# -eq 0 ]; then
	# shellcheck disable=SC2086 # a list
	"$here/loops.sh" "$files" $loops || failed="$failed loops"
fi
if [ -n "$supervisors" ]; then
	"$here/supervisors.sh" "$@" || failed="$failed supervisors"
fi
if [ -n "$containers" ]; then
	"$here/containers.sh" "$@" || failed="$failed containers"
fi
if [ -n "$failed" ]; then
	printf '\nbench: FAILED:%s\n' "$failed"
	exit 1
fi
