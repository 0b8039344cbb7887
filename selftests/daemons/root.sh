#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Makes build/daemons/root.img, once: a Debian 12 with the daemons that run.sh tests, as their packages
# install them, in an ext4 file system. Nothing is mounted that others see, nothing is started, and
# nothing is installed on this machine.
#
# usage: root.sh	(as root; MIRROR as for mmdebstrap)
set -eu

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=selftests/qemu/apt.sh
. "$here/../qemu/apt.sh"
build=${KNELL_BUILD:-$(cd "$here/../.." && pwd)/build}
dir=$build/daemons

# One package a line, with what it is for.
packages=$(sed 's/#.*//' <<-'END'
	nginx
	redis-server
	postgresql
	openssh-server
	chrony
	dbus
	avahi-daemon
	mosquitto
	php-fpm
	cron
	systemd			# the targets that these are ordered by, tmpfiles, systemd-notify
	curl			# how they are spoken with, besides what comes with them:
	mosquitto-clients
	openssh-client
	libfcgi-bin
	procps			# pgrep
	libnl-genl-3-200	# what knellctl is linked with
END
)

key=$(cksum <"$here/root.sh")
[ "$(cat "$dir/root.key" 2>/dev/null)" != "$key" ] || exit 0
if [ "$(id -u)" -ne 0 ]; then
	echo "daemons: the root file system has to be made: as root: selftests/daemons/root.sh" >&2
	exit 1
fi

echo "daemons: making the root file system, a Debian with ten daemons"
rm -rf "$dir"/root*
mkdir -p "$dir"
apt_tree "$dir/root" "$packages" --dpkgopt='path-exclude=/usr/share/man/*' >"$dir/root.log" 2>&1 ||
	{ tail -n 40 "$dir/root.log" >&2; exit 1; }
echo knell >"$dir/root/etc/hostname"
: >"$dir/root/etc/resolv.conf"
truncate -s 1G "$dir/root.img"
mke2fs -q -F -t ext4 -d "$dir/root" "$dir/root.img"
rm -rf "$dir/root"
echo "$key" >"$dir/root.key"
