#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Makes what boot.sh boots: two disks, the initramfs that goes on to the first of them, and one that
# has all in it.
#
# usage: machines.sh DIR
set -eu

here=$(cd "$(dirname "$0")" && pwd)
qemu=$here/../qemu
build=${KNELL_BUILD:-$(cd "$here/../.." && pwd)/build}
dir=$1
export PATH="$PATH:/usr/sbin:/sbin"

# What "/" has to have, in directory $1.
make_root()
{
	"$qemu/busybox-root.sh" "$1"
	mkdir -p "$1/etc/knell" "$1/data"
	cp -r "$here/units" "$1/etc/knell/system"
	mkdir "$1/etc/knell/system/poweroff.target.wants"
	ln -s ../last.service "$1/etc/knell/system/poweroff.target.wants"
	cp "$build/knelld-static" "$1/sbin/knelld"
	cp "$build/knellctl-static" "$1/bin/knellctl"
	cp "$build/pid1/crash" "$1/sbin/crash"
	cp "$here/test.sh" "$qemu/wait_for.sh" "$1"
	printf '# the name\nfirst\n' >"$1/etc/hostname"
	echo 'root:x:0:0:root:/root:/bin/sh' >"$1/etc/passwd"
	echo 'root:x:0:' >"$1/etc/group"
}

# The modules of a disk, in the order in which they are wanted.
disk_modules()
{
	mkdir -p "$1/modules"
	for name in drivers/virtio/virtio_ring drivers/virtio/virtio \
		drivers/virtio/virtio_pci_modern_dev drivers/virtio/virtio_pci_legacy_dev \
		drivers/virtio/virtio_pci drivers/block/virtio_blk crypto/crc32c_generic lib/crc16 \
		fs/mbcache fs/jbd2/jbd2 fs/ext4/ext4; do
		file=$("$qemu/kernel.sh" module $name)
		case $file in
		*.xz) xz -dc "$file" >"$1/modules/${name##*/}.ko" ;;
		*.ko) cp "$file" "$1/modules/${name##*/}.ko" ;;
		*) continue ;;
		esac
		echo "${name##*/}.ko" >>"$1/modules/order"
	done
}

rm -rf "${dir:?}/boot" "$dir/data" "$dir/root" "$dir"/*.img "$dir"/*.initrd
mkdir -p "$dir/boot" "$dir/data/tmp"
make_root "$dir/root"
"$qemu/busybox-root.sh" "$dir/boot"
disk_modules "$dir/boot"
cp "$build/../kmod/knell.ko" "$dir/boot/lib/knell.ko"
cp "$here/init" "$dir/boot/init"
"$qemu/mkinitramfs.sh" "$dir/boot" >"$dir/disk.initrd"
"$qemu/mkinitramfs.sh" "$dir/root" >"$dir/plain.initrd"
mke2fs -q -t ext4 -E root_owner=0:0 -d "$dir/root" "$dir/root.img" 64M >/dev/null
mke2fs -q -t ext4 -E root_owner=0:0 -d "$dir/data" "$dir/data.img" 16M >/dev/null
