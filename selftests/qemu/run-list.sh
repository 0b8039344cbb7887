#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Boots the test guest once for a list of programs (stdin, init.c tells the format).
#
# usage: run-list.sh DIR [boot.sh's options] <LIST
# DIR gets the logs. What the second port says is on stdout as it comes. Exit status of boot.sh.
#
# The programs come from build/selftests, if they are there, with all helpers. The guest has to
# unpack what it is given: so it gets no others, and of these nothing that is for a debugger.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
build=${KNELL_BUILD:-$(cd "$here/../.." && pwd)/build}
dir=$1
shift
export KNELL_RUNNER="${KNELL_RUNNER:-$$}"

add_program()
{
	[ -e "$build/selftests/$1" ] || return 0
	"${CROSS_COMPILE:-}strip" -o "$dir/list/tests/$1" "$build/selftests/$1" 2>/dev/null ||
		cp "$build/selftests/$1" "$dir/list/tests/$1"
}

rm -rf "$dir"
mkdir -p "$dir/list/etc" "$dir/list/tests"
cat >"$dir/list/etc/programs"
for program in "$build"/selftests/*_helper; do
	add_program "${program##*/}"
done
while read -r program _; do
	add_program "$program"
done <"$dir/list/etc/programs"
"$here/mkinitramfs.sh" "$dir/list" | cat "$build/guest${KREL:+-$KREL}/base.cpio" - >"$dir/initrd"
rm -rf "$dir/list/tests"
: >"$dir/result"
"$here/boot.sh" "$@" "$dir" &
boot=$!
tail -n +1 -s 0.5 -f --pid=$boot "$dir/result"
wait $boot && status=0 || status=$?
rm -f "$dir/initrd"
exit "$status"
