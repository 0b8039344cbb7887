#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# A machine whose device tree says where the black box is (and says wrong things of others, bad.dtso)
# goes down by reboot(2), by a panic, and for good: what the box says of that each time. tree_init is
# what runs in it. For arm64 alone: Debian's x86-64 kernel knows no device tree.
#
# usage: tree.sh DIR	(DIR has initrd.tree; prints TAP, the machine's logs are in DIR/tree)
set -eu

here=$(cd "$(dirname "$0")" && pwd)
qemu=$here/../qemu
# shellcheck source=selftests/qemu/tap.sh disable=SC1091
. "$qemu/tap.sh"
export KNELL_RUNNER="${KNELL_RUNNER:-$$}" KNELL_OVERLAYS="$here/bad.dtso"
dir=$(cd "$1" && pwd)
out=$dir/tree

# found N FILTER: is it so of what the guest has found in its box after N boots?
found()
{
	tr -d '\r' <"$out/result" | sed -n "s/^found $1 //p" | head -n 1 >"$out/box.$1.json"
	jq -e "$2" "$out/box.$1.json" || { echo "after $1 boots: not $2"; return 1; }
}

# The panic is what was asked for; it ends with the next boot.
complaints()
{
	sed '/sysrq: Trigger a crash/,/Linux version/d' "$out/console.log" >"$out/console.rest"
	"$qemu/console-clean.sh" "$out/console.rest"
}

rm -rf "$out"
mkdir "$out"
: >"$out/checks"
ln "$dir/initrd.tree" "$out/initrd"
"$qemu/boot.sh" -r -s 300 -t 900 -a loglevel=5 "$out" && status=0 || status=$?
rm -f "$out/initrd"
tr -d '\r' <"$out/result" | grep -E '^(not )?ok ' >"$out/tap" || true
check 'the machine ends by itself' [ "$status" -eq 0 ]
check 'the kernel does not complain' complaints
check 'the first boot finds nothing' found 0 '.boots == 0 and .cold and .exits == []'
check 'the second finds the first' found 1 '.boots == 1 and .reason == "reboot" and .torn == 0'
check 'how each has ended' found 1 '[.exits[] | [.seq, .boot, .label, .name, .status, .signal]] ==
	[[2, 1, "two.service", "second", null, "SIGKILL"], [1, 1, "one.service", "first", 3, null]]'
check 'the third finds the panic' found 2 '.boots == 2 and .reason == "panic" and
	.text == "sysrq triggered crash" and .torn == 0'
check 'the guest came to its end' [ "$(grep -c '^asked' "$out/result")" -eq 3 ]
report
