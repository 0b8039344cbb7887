#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Runs build/bench/containers/containers, knelld --container beside its peers (peers.sh), in one boot
# whose clock counts instructions (run.sh tells the options); the log is in build/guest/all.sh.
#
# usage: containers.sh [-- OPTION...]	the options are for the program
set -eu

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
build=${KNELL_BUILD:-$top/build}
files=$build/guest/containers

[ "${1:-}" != -- ] || shift
"$here/peers.sh" "$files" knelld_static tini tini_static catatonit dumb_init
mkdir -p "$files/tests"
for program in containers/containers supervisors/service supervisors/ender; do
	cp "$build/bench/$program" "$files/tests/"
done
KNELL_GUEST_FILES=$files "$top/selftests/qemu/guest.sh" -c -m 1024 -l 36000 \
	-a "nokaslr tsc=reliable tsc_early_khz=1000000 rcutree.use_softirq=0" \
	"$here/all.sh" containers -- "$@"
