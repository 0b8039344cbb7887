#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The /init of an initramfs for a Debian on a disk: mounts that, which nothing outlives, puts there
# what is in /overlay, if there is one, and makes what knell.init= names its first process; commas
# are between its arguments.
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
if [ -d /overlay ]; then
	cp -a /overlay/. /root || fail "no room"
fi
first=$(sed -n 's/.*knell\.init=\([^ ]*\).*/\1/p' /proc/cmdline | tr , ' ')
umount /proc
umount /dev
# shellcheck disable=SC2086 # words, or none
exec switch_root /root ${first:-/sbin/init}
