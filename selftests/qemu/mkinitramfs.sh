#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Packs a directory as an initramfs in which everything belongs to root, unless OWNERS, a cpio
# archive made elsewhere, is appended by the caller: the kernel takes several in one file. It is not
# compressed: QEMU would take longer to unpack it than to read it.
#
# usage: mkinitramfs.sh DIR >FILE
set -eu

cd "$1"
find . -print0 | LC_ALL=C sort -z |
	cpio --quiet -0 -o -H newc -R 0:0 --reproducible
