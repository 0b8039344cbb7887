#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Boots the machine that goes down with the module's coverage build (down.c), and tells where the module
# was then: "# coverage: " lines as the guests have them, and "ok" or "not ok" of what was seen there.
#
# usage: down.sh DIR	(where run.sh has built; what the machine says is in DIR/down)
set -eu

out=$1
dir=$out/down
qemu=$(cd "$(dirname "$0")/../qemu" && pwd)

rm -rf "$dir"
mkdir -p "$dir/root"
cp "$out/down-init" "$dir/root/init"
cp "$out/files/lib/knell_coverage.ko" "$dir/root/"
strip --strip-debug -o "$dir/root/knell.ko" "$out/fault/knell.ko"
"$qemu/mkinitramfs.sh" "$dir/root" >"$dir/initrd"
"$qemu/boot.sh" -p 1 -m 320 -s $((200 * ${SLOW:-1})) -t $((300 * ${SLOW:-1})) \
	-a "loglevel=5 mitigations=off memmap=64K\$0x10000000 ${APPEND:-}" "$dir" || true
rm -rf "$dir/root" "$dir/initrd"
tr -d '\r' <"$dir/console.log" | sed -n 's/^.*knell_coverage: *\(-*[0-9][-0-9 ]*\)$/    # coverage: \1/p'
tr -d '\r' <"$dir/result" | grep -E '^(not )?ok '
# Amid a death, and with nothing else to complain of.
said=ok
tr -d '\r' <"$dir/console.log" | sed '/not syncing: knell_coverage: amid a death/,$d' >"$dir/console.before"
"$qemu/console-clean.sh" "$dir/console.before" >"$dir/complaints" || said='not ok'
grep -q 'not syncing: knell_coverage: amid a death' "$dir/console.log" || said='not ok'
echo "$said the machine panics amid a death, in a restart"
