#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Each directive of the table has a test of what it does, or is known to do nothing. Prints TAP.
#
# usage: directives.sh KEYS_HELPER SELFTESTS TABLE
set -u

nr=0 failed=0

result()
{
	nr=$((nr + 1))
	if [ -z "$2" ]; then
		echo "ok $nr - $1"
	else
		echo "not ok $nr - $1: $2"
		failed=1
	fi
}

# What is wrong with the line "$1 $2 $3"; nothing: "".
fault()
{
	note=$("$helper" | awk -v key="$1" '
		$2 == key { print $1; exit }
		/^done / && key == "Condition" $2 || key == "Assert" $2 { print "done"; exit }')
	case $2:$note in
	*:) echo 'not known' ;;
	ignored:ignored) ;;
	ignored:*|*:ignored|*:sandbox) echo "it is $note" ;;
	*) grep -q -F -e "${3:-$1=}" "$selftests/$2" 2>/dev/null || echo "not in $2" ;;
	esac
}

helper=$1 selftests=$2
seen=$(mktemp)
trap 'rm -f "$seen"' EXIT
while read -r key file text; do
	case $key in
	'#'|'') continue ;;
	esac
	result "$key" "$(fault "$key" "$file" "$text")"
	echo "$key" >>"$seen"
done <"$3"
result 'each is there once' "$(sort "$seen" | uniq -d)"
result 'all of them' "$(awk 'END { if (NR < 86) print NR }' "$seen")"
echo "1..$nr"
exit $failed
