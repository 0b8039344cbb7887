#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# What a key of directives.c fills is read by somebody outside of user/unit: a key that is there for
# show must say so (IGNORED). What [Install] and a condition say is user/unit's own business, and
# what the values of timers mean (timer_spec.c). Prints TAP.
#
# usage: read.sh TOP
set -u

cd "$1/user" || exit 1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

sed -n 's/.*{ "\([^"]*\)".*OF_\(UNIT\|OLD\|SERVICE\|TIMER\|SOCKET\|EXEC\|KILL\)(\([a-z_0-9]*\)),.*/\3 \1/p' \
	unit/directives.c >"$work/all"
sed -n '/NOTE_IGNORED\|NOTE_SANDBOX/s/.*{ "\([^"]*\)".*OF_[A-Z]*(\([a-z_0-9]*\)),.*/\2 \1/p' \
	unit/directives.c >"$work/noted"
cat base/*.[ch] exec/*.[ch] ipc/*.[ch] procs/*.[ch] pid1/*.[ch] manager/*.[ch] knelld/*.[ch] \
	control/*.[ch] knellctl/*.[ch] unit/timer_spec.c >"$work/text"
nr=0
status=0
while read -r field key; do
	grep -q -x -F "$field $key" "$work/noted" && continue
	nr=$((nr + 1))
	grep -q -E "(->|\.)$field\>" "$work/text" && continue
	# Of sockets and what commands run in, in a table.
	grep -q -E "offsetof\([a-z_ ]*, $field\)|\($field\)" "$work/text" && continue
	echo "# $key=: $field is read by nobody"
	status=1
done <"$work/all"
[ "$nr" -ge 100 ] || status=1
[ "$status" -eq 0 ] || printf 'not '
echo "ok 1 - what keys fill is read"
echo 1..1
exit "$status"
