#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Runs once more, alone, the few tests that have failed beside others, and says of each that passes
# now "unstable", with what it had said first. Such a test, or what it tests, has a race or a limit
# that this machine's load has shown: a fault to be mended, not a result that another machine would
# get. Its results in DIR/result become those of the second run.
#
# usage: again.sh DIR NAME...	(DIR as check.sh leaves it; all that were to run)
#
# Not if more than a few have failed, or if one did not end by itself, or tainted the kernel: then it
# is no matter of load. RETRY=0 in the environment: none.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
out=$1
shift
most=${RETRY:-3}

failures()
{
	awk -v programs="$*" -f "$here/tap.awk" "$out/result" | sed -n 's/^FAILED: //p'
}

# The lines of the tests called $1: all that they said.
block()
{
	awk -v name="$1" '$1 == "RUN" { on = $2 == name } on { sub(/\r$/, ""); print } $1 == "END" { on = 0 }' "$2"
}

# Runs the test of that name alone; its lines are in $out/again/NAME then. Fails if it is no test, or
# the kernel had to complain.
run_alone()
{
	if grep "^$1 " "$out/programs" >"$out/again/line"; then
		mkdir "$out/guest-again-$1"
		mv "$out/again/line" "$out/guest-again-$1/programs"
		"$here/job.sh" "$out" "guest-again-$1"
		block "$1" "$out/guest-again-$1/result" >"$out/again/$1"
		[ "$(cat "$out/guest-again-$1/complaints")" -eq 0 ]
	elif grep "^$1 " "$out/suites" >"$out/again/line"; then
		mv "$out/host/$1" "$out/again/$1.first"
		xargs -L 1 "$here/job.sh" "$out" <"$out/again/line"
		block "$1" "$out/host/$1" >"$out/again/$1"
	else
		return 1
	fi
}

passes()
{
	awk -v programs="$1" -f "$here/tap.awk" "$out/again/$1" | tail -n 1 | grep -q '^[1-9][0-9]* 0 '
}

failures "$@" >"$out/failures"
names=$(sed 's/:.*//' "$out/failures" | sort -u)
nr=$(printf '%s' "$names" | grep -c . || true)
[ "$nr" -gt 0 ] && [ "$nr" -le "$most" ] || exit 0
mkdir "$out/again"
for name in $names; do
	block "$name" "$out/result" | grep -q "^END $name \(exit\|timeout\|signal\) " || continue
	echo "$name failed and is run again, alone"
	if ! run_alone "$name" </dev/null || ! passes "$name"; then
		continue
	fi
	sed -n "s/^$name: /unstable: &/p" "$out/failures"
	block "$name" "$out/result" | sed -n "s/^ *# *\(.*Expected.*\)/unstable: $name: \1/p"
	awk -v name="$name" '$1 == "RUN" { off = $2 == name } !off { print }' "$out/result" >"$out/again/result"
	cat "$out/again/result" "$out/again/$name" >"$out/result"
done
