#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Packs the machine of boot.sh: perf and trace-cmd with their libraries, the module, "events".
#
# usage: pack.sh DIR	(DIR has events, and gets initrd.tracers)
set -eu

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
build=${KNELL_BUILD:-$top/build}
boot=$here/../qemu
# shellcheck source=selftests/qemu/arch.sh
. "$boot/arch.sh"
# shellcheck source=selftests/qemu/libraries.sh
. "$boot/libraries.sh"
tree=$build/tracers
dir=$1
root=$dir/root

rm -rf "$root"
"$boot/busybox-root.sh" "$root"
mkdir -p "$root/usr/bin"
install_loader
for program in perf trace-cmd; do
	cp "$tree/usr/bin/$program" "$root/usr/bin/"
	install_libraries "$root/usr/bin/$program"
done
cp "$dir/events" "$root/usr/bin/events"
strip --strip-debug -o "$root/lib/knell.ko" "$module"
cp "$here/init" "$root/init"
"$boot/mkinitramfs.sh" "$root" >"$dir/initrd.tracers"
rm -rf "$root"
