#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The units that Debian's packages come with: every key in them has to be known, and systemd has to
# read them as we do. The packages are fetched by apt-get to build/debs and unpacked, not installed.
# Prints TAP.
#
# usage: corpus.sh BUILD DUMP_HELPER
set -u

build=$(readlink -f "$1") helper=$(readlink -f "$2")
here=$(cd "$(dirname "$0")" && pwd)
debs=$build/debs
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

packages="apache2 avahi-daemon bind9 bluez chrony colord cron cups-daemon dbus docker.io
	dovecot-core exim4-base fail2ban firewalld haproxy inetutils-syslogd irqbalance lighttpd
	memcached modemmanager mosquitto network-manager nfs-common nginx-common openssh-server
	php8.2-fpm policykit-1 polkitd postfix postgresql-common redis-server rpcbind rsyslog samba
	smartmontools squid systemd systemd-timesyncd tor udev unattended-upgrades upower wpasupplicant"

mkdir -p "$debs" "$work/units" "$work/root"
cd "$debs" || exit 1
for package in $packages; do
	ls "${package}"_*.deb >/dev/null 2>&1 || apt-get -q download "$package" >/dev/null 2>&1 ||
		echo "# there is no package $package"
done
nr=0
for package in $packages; do
	for deb in "${package}"_*.deb; do
		[ -f "$deb" ] || continue
		nr=$((nr + 1))
		dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$work/root" --wildcards \
			'./lib/systemd/system' './usr/lib/systemd/system' 2>/dev/null
	done
done
for dir in lib usr/lib; do
	[ ! -d "$work/root/$dir/systemd/system" ] ||
		cp -rP "$work/root/$dir/systemd/system/." "$work/units/"
done
cd "$work/units" || exit 1
# Template, alias and mask as they are; what is here no kind of unit is left out.
rm -rf ./*.slice ./*.mount ./*.automount ./*.path ./*.swap

units=()
for unit in *.service *.socket *.timer *.target; do
	case $unit in
	\**) ;;
	*@.*) units+=("${unit%@*}@a.${unit##*.}") ;;
	*) units+=("$unit") ;;
	esac
done
echo "# $nr packages, ${#units[@]} units"

bad=0
"$helper" . "${units[@]}" >"$work/dump" 2>"$work/told" || bad=1
grep -E 'not a key that is known|belongs to|is no specifier|not a section' "$work/told" \
	>"$work/unknown" && sed 's/^/# /' "$work/unknown" && bad=1
[ "$nr" -ge 30 ] && [ ${#units[@]} -ge 150 ] || bad=1
if [ $bad -eq 0 ]; then
	echo "ok 1 - every key of the units of Debian's packages is known"
else
	echo "not ok 1 - every key of the units of Debian's packages is known"
fi
"$here/dump_diff.sh" "$helper" . | sed 's/^\(not \)\?ok 1/\1ok 2/; s/^1\.\.1/1..2/'
[ "${PIPESTATUS[0]}" -eq 0 ] && [ $bad -eq 0 ]
