#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Runs the programs of build/bench where the clock counts instructions (boot.sh -c tells how), one
# after the other in one boot, and passes on their output and exit status; the log is in
# build/guest/all.sh.
#
# usage: run.sh PROGRAM... [-- OPTION...]
#
# The CPU is qemu64 because a newer one has the kernel copy with "rep movsb", of which TCG counts
# every byte as an instruction. nokaslr and a TSC that nobody needs to calibrate: the same figures
# in every boot. RCU callbacks in a kernel thread: in softirqs they would be charged to whom they
# happen to interrupt; exit_total_insns has them either way.
set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)
build=${KNELL_BUILD:-$top/build}

make -s -C "$top/selftests" build="$build" guest
mkdir -p "$build/selftests"
for program in "$@"; do
	[ "$program" != -- ] || break
	cp "$build/bench/$program" "$build/selftests/"
done
exec "$top/selftests/qemu/guest.sh" -c -m 1024 -l 3600 \
	-a "nokaslr tsc=reliable tsc_early_khz=1000000 rcutree.use_softirq=0" \
	"$top/selftests/bench/all.sh" "$@"
