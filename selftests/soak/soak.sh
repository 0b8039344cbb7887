#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Runs the storms in guests, one at a time, at their full size; "N passed, N failed" comes last.
#
# usage: soak.sh [STORM...]	(of the table below; none: all)
# SIZE in hundredths (100), SEED as a storm has said it, APPEND for the kernel, SLOW times as patient.
# What a storm has said, with its figures, is in build/soak/STORM/result.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
qemu=$here/../qemu
build=${KNELL_BUILD:-$(cd "$here/../.." && pwd)/build}
export KNELL_BUILD="$build" KNELL_RUNNER=$$
out=$build/soak${KREL:+-$KREL}
# Not with slub_debug, as in boots.sh: what it checks of a process costs more than its life here.
append="loglevel=5 slub_debug=- memmap=64K\$0x10000000"
append="$append KNELL_SOAK_SIZE=${SIZE:-100} ${SEED:+KNELL_SOAK_SEED=$SEED} ${APPEND:-}"

# Storm, program, CPUs (boot.sh), MiB of memory, seconds it may take.
storms='exits soak_exits_test 4 1024 7200
live soak_live_test 2 5120 7200
timers soak_timers_test 2 1024 3600
trees soak_trees_test 2 1024 7200
machine soak_machine_test 3 1024 7200
memory soak_memory_test 2 1024 3600
pids soak_pids_test 2 1024 7200
managers keep_kill_test 2 1024 7200
modules soak_modules_test 2t 1024 7200'

storm()
{
	limit=$(($5 * ${SLOW:-1}))
	echo "$2 $limit" |
		"$qemu/run-list.sh" "$out/$1" -p "$3" -m "$4" -s "$limit" -t $((limit + 300)) -a "$append" ||
		echo "$1: not ended by itself"
	"$qemu/console-clean.sh" "$out/$1/console.log" || complaints=$((complaints + 1))
	cat "$out/$1/result" >>"$out/result"
}

# shellcheck disable=SC2046 # a list
[ $# -gt 0 ] || set -- $(printf '%s\n' "$storms" | cut -d ' ' -f 1)
mkdir -p "$out"
: >"$out/result"
"$qemu/guest-root.sh"
complaints=0 programs=''
for name in "$@"; do
	row=$(printf '%s\n' "$storms" | grep "^$name ") || { echo "soak.sh: no storm $name" >&2; exit 1; }
	# shellcheck disable=SC2086 # a list
	storm $row
	# shellcheck disable=SC2086 # a list
	programs="$programs $(set -- $row; echo "$2")"
done
# shellcheck disable=SC2086 # a list
COMPLAINTS=$complaints exec "$qemu/sum.sh" "$out/result" $programs
