#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Names of units: what systemd-escape makes of random strings, and we. Prints TAP.
#
# usage: escape_diff.sh ESCAPE_HELPER NUMBER SEED
set -u

helper=$1 nr=$2
RANDOM=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
command -v systemd-escape >/dev/null || exit 1

chars=(a b c Z 0 9 : - _ . \\ / / @ ' ' % x2d '\x2d' '\x41' é .. . '#' '"' '$')
strings=() paths=() escaped=()
for ((i = 0; i < nr; i++)); do
	s=
	for ((k = RANDOM % 8 + 1; k; k--)); do
		s+=${chars[RANDOM % ${#chars[@]}]}
	done
	strings+=("$s")
	paths+=("/${s//../x}")
	escaped+=("$(tr -cd 'a-zA-Z0-9:_.\\-' <<<"$s")x")
done

bad=0
# compare WAY OPTION... -- STRING...
compare()
{
	way=$1
	shift
	options=()
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	for s; do
		systemd-escape "${options[@]}" -- "$s" 2>/dev/null || echo '!'
	done >"$work/theirs"
	"$helper" "$way" "$@" >"$work/ours" || bad=1
	paste -d '\t' "$work/theirs" "$work/ours" <(printf '%s\n' "$@") |
		awk -F '\t' -v way="$way" '
			$1 != $2 { print "# " way " of " $3 ": " $1 ", we: " $2; n++ }
			END { exit n > 0 }' ||
		bad=1
}

compare escape -- "${strings[@]}"
compare path --path -- "${paths[@]}"
compare unescape --unescape -- "${escaped[@]}"
compare unpath --unescape --path -- "${escaped[@]}"
if [ $bad -eq 0 ]; then
	echo "ok 1 - systemd-escape escapes as we do"
else
	echo "not ok 1 - systemd-escape escapes as we do"
fi
echo 1..1
exit $bad
