#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The initramfs's /init: mounts the root file system, which nothing outlives, and makes what knell.init=
# names its first process.
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
first=$(sed -n 's/.*knell.init=\([^ ]*\).*/\1/p' /proc/cmdline)
umount /proc
umount /dev
# shellcheck disable=SC2086 # one word, or none
exec switch_root /root ${first:-/sbin/init}
