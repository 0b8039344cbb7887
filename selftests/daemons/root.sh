#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Makes build/daemons/root.img, once: a Debian 12 with the daemons that run.sh tests, as their packages
# install them, in an ext4 file system. Nothing is mounted that others see, nothing is started, and
# nothing is installed on this machine.
#
# usage: root.sh	(as root; MIRROR as for mmdebstrap)
set -eu

here=$(cd "$(dirname "$0")" && pwd)
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

# What this machine installs from, if that is Debian 12, too.
sources()
{
	grep -qs '^VERSION_CODENAME=bookworm' /etc/os-release || return 0
	for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list \
		/etc/apt/sources.list.d/*.sources; do
		[ ! -s "$file" ] || echo "$file"
	done
}

make_tree()
{
	# shellcheck disable=SC2086,SC2046 # lists
	mmdebstrap --mode=root --aptopt='Acquire::Retries "3"' --variant=minbase \
		--include="$(echo $packages | tr ' ' ,)" --dpkgopt=force-unsafe-io \
		--dpkgopt='path-exclude=/usr/share/doc/*' \
		--dpkgopt='path-exclude=/usr/share/man/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*' \
		bookworm "$dir/root" ${MIRROR:-$(sources)} </dev/null >"$dir/root.log" 2>&1
}

echo "daemons: making the root file system, a Debian with ten daemons"
rm -rf "$dir"/root*
mkdir -p "$dir"
make_tree || { tail -n 40 "$dir/root.log" >&2; exit 1; }
echo knell >"$dir/root/etc/hostname"
: >"$dir/root/etc/resolv.conf"
truncate -s 1G "$dir/root.img"
mke2fs -q -F -t ext4 -d "$dir/root" "$dir/root.img"
rm -rf "$dir/root"
echo "$key" >"$dir/root.key"
