#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# knell.unit(5) has every key, in the part that tells what becomes of it, and no others. Prints TAP.
#
# usage: manual.sh KEYS_HELPER MANUAL
set -u

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$1" | sort -u >"$work/table"
awk '
	/^\.Sh / { part = $0 }
	part ~ /ACCEPTED AND IGNORED/ { kind = "ignored" }
	part ~ /ACCEPTED, NOT ENFORCED/ { kind = "sandbox" }
	part ~ /COMPATIBILITY/ { kind = "spelling" }
	/^\.Bd / { list = 1 }
	/^\.Ed/ { list = 0 }
	kind && list && /^\.Cm / { print kind " " substr($0, 5); next }
	kind || !/^\.It / && !goes_on { next }
	{
		goes_on = /\\$/
		sub(/\\$/, "")
		n = split($0, words, " ")
		for (i = 1; i < n; i++)
			if (words[i] == "Cm")
				print "done " words[i + 1]
	}' "$2" | sort -u >"$work/manual"
if diff "$work/table" "$work/manual" >"$work/diff"; then
	echo "ok 1 - knell.unit.5 has every key that is known"
	status=0
else
	sed 's/^</# not in the manual: /; s/^>/# not in the table: /; /^[0-9-]/d' "$work/diff"
	echo "not ok 1 - knell.unit.5 has every key that is known"
	status=1
fi
[ -s "$work/table" ] || status=1
echo 1..1
exit $status
