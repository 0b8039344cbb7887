#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Packs the initramfs, with what the root file system is found.
#
# usage: initrd.sh DIR	(DIR/initrd is written)
set -eu

here=$(cd "$(dirname "$0")" && pwd)
qemu=$here/../qemu
root=$1/initramfs

rm -rf "$root"
mkdir -p "$root/modules"
"$qemu/busybox-root.sh" "$root"
install -m 0755 "$qemu/disk-init.sh" "$root/init"
"$qemu/disk-modules.sh" "$root/modules"
"$qemu/mkinitramfs.sh" "$root" >"$1/initrd"
rm -rf "$root"
