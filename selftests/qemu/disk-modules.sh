#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Puts the modules into DIR that a virtio disk with ext4 takes, numbered in the order in which they are
# to be inserted.
#
# usage: disk-modules.sh DIR
set -eu

here=$(cd "$(dirname "$0")" && pwd)
nr=10

# Those that Debian's kernel has as modules, each after those that it needs.
for name in drivers/virtio/virtio_ring drivers/virtio/virtio drivers/virtio/virtio_pci_legacy_dev \
	drivers/virtio/virtio_pci_modern_dev drivers/virtio/virtio_pci drivers/block/virtio_blk \
	lib/crc16 crypto/crc32c_generic fs/mbcache fs/jbd2/jbd2 fs/ext4/ext4; do
	file=$("$here/kernel.sh" module "$name")
	to=$1/$nr-${name##*/}.ko
	case $file in
	*.xz) xz -dc "$file" >"$to" ;;
	*.ko) cp "$file" "$to" ;;
	esac
	nr=$((nr + 1))
done
