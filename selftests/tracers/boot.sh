#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# A machine in which Debian's perf and trace-cmd are used on the tracepoints knell:*. init is what
# runs in it.
#
# usage: boot.sh DIR	(DIR has initrd.tracers; prints TAP, the machine's logs are in DIR/machine)
set -eu

here=$(cd "$(dirname "$0")" && pwd)
qemu=$here/../qemu
# shellcheck source=selftests/qemu/tap.sh disable=SC1091
. "$qemu/tap.sh"
export KNELL_RUNNER="${KNELL_RUNNER:-$$}"

[ $# -eq 1 ] || { echo "usage: boot.sh DIR" >&2; exit 2; }
dir=$(cd "$1" && pwd)
out=$dir/machine
rm -rf "$out"
mkdir "$out"
: >"$out/checks"
ln "$dir/initrd.tracers" "$out/initrd"
"$qemu/boot.sh" -s 300 -t 900 -a loglevel=5 "$out" && status=0 || status=$?
rm -f "$out/initrd"
tr -d '\r' <"$out/result" | grep -E '^(not )?ok ' >"$out/tap" || true
check 'the machine ends by itself' [ "$status" -eq 0 ]
check 'the kernel does not complain' "$qemu/console-clean.sh" "$out/console.log"
check 'the guest came to its end' grep -q '^asked' "$out/result"
report
