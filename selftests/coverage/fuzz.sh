#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Runs the device's fuzzer (../device/fuzz_test.c), guided by the module's coverage build, on the debug
# kernel that watches memory (../debug), or with STOCK=1 on Debian's. "N passed, N failed" comes last.
#
# usage: fuzz.sh
# In the environment: OPS, how many steps (2,000,000); SEED; BLIND=1: not guided; LOUD=1: each program
# is told to the console before it runs.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
out=$(cd "$here/../.." && pwd)/build/coverage
append="KNELL_FUZZ_OPS=${OPS:-2000000} ${SEED:+KNELL_FUZZ_SEED=$SEED} ${BLIND:+KNELL_FUZZ_BLIND=1}"
append="$append ${LOUD:+KNELL_FUZZ_LOUD=1 ignore_loglevel}"
if [ -z "${STOCK:-}" ]; then
	dir=${KDIR:-$("$here/../debug/kernel.sh" memory)}
	out=$out-debug
	export KDIR="$dir" KERNEL="$dir/arch/x86/boot/bzImage" MEMORY="${MEMORY:-1536}" SLOW="${SLOW:-10}"
	append="$append slub_debug=-"
fi
export APPEND="$append ${APPEND:-}"
log=$out/fuzz.log
mkdir -p "$out"
"$here/run.sh" "$out" device_fuzz >"$log" 2>&1 && status=0 || status=$?
grep -v '# coverage:' "$log"
exit "$status"
