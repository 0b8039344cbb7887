#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Runs the module's tests on its coverage build, and the machine of down.sh beside them, and tells which
# edges of its code nothing has reached: "floor" below is how many of its own are to be, in percent, and
# "unreached" is to have the functions in which the rest are. "N passed, N failed" comes last.
#
# usage: check.sh [NAME...]	(programs.sh; none: those of "quick"; FULL=1: all of the module's)
#
# With a NAME it tells, and demands nothing. build/coverage/report has what is known of each edge.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
out=$(cd "$here/../.." && pwd)/build/coverage
floor=95
[ $# -eq 0 ] || floor=0
if [ $# -eq 0 ] && [ -n "${FULL:-}" ]; then
	set -- kmod
elif [ $# -eq 0 ]; then
	# shellcheck disable=SC2046 # a list
	set -- $(grep -v '^#' "$here/quick")
fi

# report.awk's.
report()
{
	awk "$@" -f "$here/report.awk" "$here/unreached" "$out/hit" "$out/places"
}

mkdir -p "$out"
[ "$floor" -eq 0 ] || export DOWN=1
"$here/run.sh" "$out" "$@" >"$out/log" 2>&1 && bad=0 || bad=1
[ "$floor" -eq 0 ] || cat "$out/down.said" >>"$out/log"
grep -v -e '^ *# coverage:' -e '^[0-9]* passed, ' "$out/log"
said=$(grep '^[0-9]* passed, [0-9]* failed' "$out/log" | tail -n 1)
cat "$out"/check/guest-*/result "$out/log" | tr -d '\r' | sed -n 's/^    # coverage: //p' | tr ' ' '\n' |
	sed '/^$/d' | sort -u >"$out/hit"
report -v all=1 >"$out/report" || true
verdict=1
report -v floor=$floor || [ "$floor" -eq 0 ] || verdict=0
passed=$(echo "$said" | sed -n 's/^\([0-9]*\) passed.*/\1/p')
failed=$(echo "$said" | sed -n 's/.* \([0-9]*\) failed.*/\1/p')
skipped=$(echo "$said" | sed -n 's/.* failed\(, [0-9]* skipped\).*/\1/p')
passed=$((${passed:-0} + verdict + $(sed -n '/^ok /p' "$out/log" | wc -l)))
failed=$((${failed:-1} + 1 - verdict + $(sed -n '/^not ok /p' "$out/log" | wc -l)))
echo "$passed passed, $failed failed$skipped"
[ "$failed" -eq 0 ] && [ "$bad" -eq 0 ]
