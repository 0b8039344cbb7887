#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Boots the test guest once for a list of programs (stdin, init.c tells the format).
#
# usage: run-list.sh DIR [boot.sh's options] <LIST
# DIR gets the logs. What the second port says is on stdout as it comes. Exit status of boot.sh.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
build=${KNELL_BUILD:-$(cd "$here/../.." && pwd)/build}
dir=$1
shift
export KNELL_RUNNER="${KNELL_RUNNER:-$$}"

rm -rf "$dir"
mkdir -p "$dir/list/etc"
cat >"$dir/list/etc/programs"
"$here/mkinitramfs.sh" "$dir/list" | cat "$build/guest/base.cpio.gz" - >"$dir/initrd"
: >"$dir/result"
"$here/boot.sh" "$@" "$dir" &
boot=$!
tail -n +1 -s 0.5 -f --pid=$boot "$dir/result"
wait $boot && status=0 || status=$?
rm -f "$dir/initrd"
exit "$status"
