#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Runs build/bench/supervisors/supervisors, knelld beside its peers (peers.sh), in one boot whose
# clock counts instructions (run.sh tells the options); the log is in build/guest/all.sh.
#
# usage: supervisors.sh [-- OPTION...]	the options are for the program: make bench BENCH=supervisors
#					BENCH_ARGS="-r 1 knelld dinit"
set -eu

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
build=${KNELL_BUILD:-$top/build}
files=$build/guest/supervisors

[ "${1:-}" != -- ] || shift
"$here/peers.sh" "$files"
mkdir -p "$files/tests"
for program in supervisors service flapper; do
	cp "$build/bench/supervisors/$program" "$files/tests/"
done
KNELL_GUEST_FILES=$files "$top/selftests/qemu/guest.sh" -c -m 3072 -l 1000000 \
	-a "nokaslr tsc=reliable tsc_early_khz=1000000 rcutree.use_softirq=0" \
	"$here/all.sh" supervisors -- "$@"
