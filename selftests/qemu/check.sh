#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Runs the test programs in the guest and counts their results; "N passed, N failed" comes last.
#
# usage: check.sh [NAME...]	(programs.sh tells what a name selects)
#
# All programs that want as many CPUs run in one boot. When the guest goes down, the program it was running has failed and
# another boot goes on with the next one. Nothing passes but by the file of the second serial port,
# which has to be complete (DONE), and a complaint of the kernel fails the run. The freed memory
# checks of the stock kernel are on: SLUB's for our own caches and those that we hold references in.
#
# libknell's programs run on this machine, too (libknell/host.sh), those that were selected. When all
# were, its lines that have run, here or there, are counted.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
build=${KNELL_BUILD:-$(cd "$here/../.." && pwd)/build}
out=$build/check
export KNELL_RUNNER=$$
append="loglevel=5 page_poison=1 slub_debug=FZPU ${APPEND:-}"

rm -rf "$out"
mkdir -p "$out"
"$here/programs.sh" "$@" >"$out/programs"
"$here/guest-root.sh"

# Runs what is listed in $out/left and leaves there what was not reached.
boot_once()
{
	dir=$out/boot-$1
	cpus=$(awk 'NR == 1 { print $3 }' "$out/left")
	awk -v cpus="$cpus" '$3 == cpus' "$out/left" >"$out/now"
	awk -v cpus="$cpus" '$3 != cpus' "$out/left" >"$out/next"
	silence=$(awk '$2 > max { max = $2 } END { print max + 120 }' "$out/now")
	awk '{ print $1, $2 }' "$out/now" |
		"$here/run-list.sh" "$dir" -p "$cpus" -s "$silence" -t $((3600 * ${SLOW:-1})) -m "${MEMORY:-512}" -a "$append" ||
		echo "boot $1: not ended by itself"
	cat "$dir/result" >>"$out/result"
	if ! "$here/console-clean.sh" "$dir/console.log" >"$dir/complaints"; then
		complaints=$((complaints + 1))
		echo "boot $1: the kernel complained ($dir/console.log):"
		cat "$dir/complaints"
	fi
	if grep -q '^DONE' "$dir/result"; then
		mv "$out/next" "$out/left"
		return
	fi
	echo "boot $1: did not get to its end; its console says last:"
	tail -n 60 "$dir/console.log"
	# A boot that got nowhere would get nowhere again.
	last=$(sed -n 's/^RUN \([^ ]*\) .*/\1/p' "$dir/result" | tail -n 1)
	[ -n "$last" ] || : >"$out/next"
	awk -v last="$last" 'found { print } $1 == last { found = 1 }' "$out/now" >"$out/left"
	cat "$out/next" >>"$out/left"
}

cp "$out/programs" "$out/left"
: >"$out/result"
names=$(sed -n 's/^libknell_\(.*\)_test .*/\1/p' "$out/programs")
if [ -n "$names" ]; then
	# shellcheck disable=SC2086 # a list
	"$here/../libknell/host.sh" "$out/host" $names
	cat "$out/host/result" >>"$out/result"
fi
complaints=0
nr=1
while [ -s "$out/left" ]; do
	boot_once $nr
	nr=$((nr + 1))
done

# The guest's counts come over its serial port, from libknell/zlines_test.sh.
all=$(find "$build/selftests" -name 'libknell_*_test*' -perm /111 | wc -l)
if [ "$all" -gt 0 ] && [ "$(grep -c '^libknell_' "$out/programs")" -eq "$all" ]; then
	mkdir -p "$out/gcov"
	tr -d '\r' <"$out/result" | sed -n 's/^    # gcda //p' | base64 -d | tar -C "$out/gcov" -x -z || true
	"$here/../libknell/coverage.sh" "$out/gcov" >"$out/coverage" && verdict=ok || verdict='not ok'
	cat "$out/coverage"
	printf 'RUN libknell-coverage 0\n    1..1\n    %s 1 %s\nEND libknell-coverage exit 0 0\n' \
		"$verdict" "$(tail -n 1 "$out/coverage")" >>"$out/result"
	echo libknell-coverage >>"$out/programs"
fi

echo "logs are in $out"
# shellcheck disable=SC2046 # a list
COMPLAINTS=$complaints exec "$here/sum.sh" "$out/result" \
	$(cat "$out/programs" "$out/host/programs" 2>/dev/null | awk '{ print $1 }')
