#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Every key that the systemd which is installed here knows is known in the same section. Prints TAP.
#
# usage: known.sh KEYS_HELPER
set -u

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

/lib/systemd/systemd --dump-configuration-items 2>/dev/null | awk '
	/^\[/ { section = substr($0, 2, length($0) - 2); next }
	section ~ /^(Unit|Install|Service|Socket|Timer)$/ && /=/ {
		sub(/=.*/, "")
		print section " " $0
	}
	' | sort -u >"$work/theirs"
"$1" sections | sort -u >"$work/ours"
comm -23 "$work/theirs" "$work/ours" >"$work/missing"
sed 's/^/# not known: /' "$work/missing"
if [ "$(wc -l <"$work/theirs")" -ge 500 ] && [ ! -s "$work/missing" ]; then
	echo "ok 1 - every key of systemd is known"
	status=0
else
	echo "not ok 1 - every key of systemd is known"
	status=1
fi
echo 1..1
exit $status
