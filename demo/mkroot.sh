#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Packs the machine of the tour into build/demo/initrd: busybox, the module, knelld, knellctl,
# the programs from Debian's packages with their libraries, and the unit files.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
build=${KNELL_BUILD:-$top/build}
debian=$build/debian
root=$build/demo/root
libs=lib/x86_64-linux-gnu
loader=lib64/ld-linux-x86-64.so.2

# Copies a program of the packages and the libraries that its loader would load.
add()
{
	mkdir -p "$root/$(dirname "$1")"
	cp -L "$debian/$1" "$root/$1"
	"$debian/$loader" --library-path "$debian/$libs:$debian/usr/$libs" --list "$debian/$1" |
		sed -n 's/.*=> \([^ ]*\) .*/\1/p' | while read -r lib; do
		case $lib in
		"$debian"/*) cp -L "$lib" "$root/$libs/" ;;
		*) echo "mkroot: $1: $lib is not from the packages" >&2; exit 1 ;;
		esac
	done
}

rm -rf "$root"
mkdir -p "$root/$libs" "$root/lib64" "$root/etc/knell" "$root/demo"
"$top/selftests/qemu/busybox-root.sh" "$root"
cp -L "$debian/$loader" "$root/$loader"
add usr/bin/redis-server
add usr/bin/redis-cli
add usr/sbin/nginx
add usr/sbin/dropbear
add usr/bin/dropbearkey
cp "$build/qemu/insmod" "$root/sbin/insmod"
cp "$build/knelld-static" "$root/sbin/knelld"
cp "$build/knellctl-static" "$root/bin/knellctl"
cp "$top/kmod/knell.ko" "$root/lib/knell.ko"
cp -r "$top/demo/units" "$root/etc/knell/system"
cp -r "$top/demo/inner" "$root/etc/knell/inner"
cp -r "$top"/demo/etc/. "$root/etc/"
install -m 0755 "$top/demo/init" "$root/init"
install -m 0755 "$top/demo/tour.sh" "$top/demo/console.sh" "$root/demo/"
install -m 0644 "$top/selftests/qemu/wait_for.sh" "$root/demo/"
"$top/selftests/qemu/mkinitramfs.sh" "$root" >"$build/demo/initrd"
