#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Runs the device's fuzzer (../device/fuzz_test.c), guided by the module's coverage build, on the debug
# kernel that watches memory (../debug), or with STOCK=1 on Debian's. "N passed, N failed" comes last.
#
# usage: fuzz.sh
# In the environment: OPS, how many steps (2,000,000); SEED; BLIND=1: not guided; LOUD=1: all programs
# are on the console, for a machine that hangs and does not panic. JOBS=N: N machines at a time, each
# with its share of the steps and a seed of its own, from SEED on: one alone waits more than it works.
#
# What a run has said makes it, or what was wrong with it, again:
#	KEPT=FILE	its log: with its SEED and OPS, the same programs from the first to the last
#	REPLAY=FILE	its log, or its console: only the programs that are told there, TIMES=N times (100)
set -eu

here=$(cd "$(dirname "$0")" && pwd)
out=$(cd "$here/../.." && pwd)/build/coverage

# What the parts have said, and their sum.
sum()
{
	awk '/^[0-9]+ passed, / { passed += $1; failed += $3; skipped += $5; next }
		match($0, /[0-9]+ steps, [0-9]+ programs/) { steps += substr($0, RSTART) }
		{ print }
		END {
			printf "%d steps in all\n%d passed, %d failed", steps, passed, failed
			print skipped ? ", " skipped " skipped" : ""
		}' "$@"
}

in_parts()
{
	[ -z "${REPLAY:-}${KEPT:-}" ] || { echo "fuzz.sh: JOBS is for what is new, not for REPLAY or KEPT" >&2; exit 1; }
	nr=$JOBS part=0 parts='' pids='' failed=0
	mkdir -p "$out"
	while [ $part -lt "$nr" ]; do
		part=$((part + 1))
		JOBS='' PART=-$part SEED=$((${SEED:-1} + part - 1)) OPS=$((${OPS:-2000000} / nr)) \
			"$0" >"$out/part-$part" 2>&1 &
		pids="$pids $!" parts="$parts $out/part-$part"
	done
	for pid in $pids; do
		wait "$pid" || failed=1
	done
	# shellcheck disable=SC2086 # a list
	sum $parts
	exit $failed
}

[ "${JOBS:-1}" -le 1 ] || in_parts
append="KNELL_FUZZ_OPS=${OPS:-2000000} ${SEED:+KNELL_FUZZ_SEED=$SEED} ${BLIND:+KNELL_FUZZ_BLIND=1}"
append="$append KNELL_FUZZ_TIMES=${TIMES:-100} ${LOUD:+ignore_loglevel}"
if [ -z "${STOCK:-}" ]; then
	dir=${KDIR:-$("$here/../debug/kernel.sh" memory)}
	out=$out-debug
	export KDIR="$dir" KERNEL="$dir/arch/x86/boot/bzImage" MEMORY="${MEMORY:-1536}" SLOW="${SLOW:-20}"
	append="$append slub_debug=- no5lvl"
fi
out=$out${PART:-}
export APPEND="$append ${APPEND:-}"
log=$out/fuzz.log
mkdir -p "$out/files"
rm -f "$out"/files/fuzz.*

# A log may have a program twice: as it ran, and as it failed.
if [ -n "${REPLAY:-}" ]; then
	grep -a -o 'fuzz: [0-9]* [0-9]*/[0-9]*:[ 0-9a-f]*' "$REPLAY" | awk '!seen[$0]++' >"$out/files/fuzz.programs"
	[ -s "$out/files/fuzz.programs" ] || { echo "fuzz.sh: $REPLAY tells of no program" >&2; exit 1; }
elif [ -n "${KEPT:-}" ]; then
	sed -n 's/.*fuzz: kept \([0-9]*\)$/\1/p' "$KEPT" >"$out/files/fuzz.kept"
fi
"$here/run.sh" "$out" device_fuzz >"$log" 2>&1 && status=0 || status=$?
grep -v '# coverage:\|fuzz: kept' "$log"
exit "$status"
