#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Packs the initramfs: what the root file system is found with, and in /overlay what is put there.
#
# usage: initrd.sh DIR	(DIR/initrd is written)
set -eu

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
qemu=$top/selftests/qemu
build=${KNELL_BUILD:-$top/build}
root=$1/initramfs
lib=$root/overlay/usr/lib/knell-daemons

rm -rf "$root"
mkdir -p "$root/modules" "$root/overlay/usr/sbin" "$root/overlay/usr/bin" "$lib" \
	"$root/overlay/etc/knell/system/multi-user.target.wants" "$root/overlay/etc/cron.d"
"$qemu/busybox-root.sh" "$root"
install -m 0755 "$qemu/disk-init.sh" "$root/init"
"$qemu/disk-modules.sh" "$root/modules"
cp "$top/kmod/knell.ko" "$root/modules/99-knell.ko"
install -s -m 0755 "$build/knelld" "$root/overlay/usr/sbin/knelld"
install -s -m 0755 "$build/knellctl" "$root/overlay/usr/bin/knellctl"
install -m 0755 "$here"/guest*.sh "$lib/"
# Both have the same C library, Debian 12's.
${CC:-cc} -std=gnu11 -D_GNU_SOURCE -O2 -Wall -Wextra -o "$lib/sd" "$here/sd.c" -lsystemd
cp "$here/probe.php" "$lib/"
echo '@reboot root touch /run/knell-cron-was-here' >"$root/overlay/etc/cron.d/knell"
cp "$here/knell-daemons.service" "$root/overlay/etc/knell/system/"
ln -s ../knell-daemons.service "$root/overlay/etc/knell/system/multi-user.target.wants/"
# It asks systemd itself, over the message bus, when the machine was started.
ln -s /dev/null "$root/overlay/etc/knell/system/systemd-update-utmp.service"
"$qemu/mkinitramfs.sh" "$root" >"$1/initrd"
rm -rf "$root"
