#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The initramfs's /init: mounts the root file system, which nothing outlives, adds what is tested,
# and makes knelld its first process.
PATH=/sbin:/bin

fail()
{
	echo "init: $*" >/dev/console
	poweroff -f
}

mount -t devtmpfs devtmpfs /dev
mount -t proc proc /proc
# In the order of their names, which were numbered.
for module in /modules/*.ko; do
	insmod "$module" || fail "$module"
done
# The disk is found by another thread.
until [ -b /dev/vda ]; do sleep 0.1; done
mount -t ext4 /dev/vda /root || fail "no root file system"
cp -a /overlay/. /root || fail "no room"
umount /proc
umount /dev
exec switch_root /root /usr/sbin/knelld --compat
