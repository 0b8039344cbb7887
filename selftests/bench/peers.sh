#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Gets the supervisors beside which knelld is measured and lays them out in DIR, as they are to be
# found in the guest, each with the libraries that it needs; DIR/peers/about has for each a line
# "NAME: VERSION", or why it is not there. Nothing is installed here.
#
# usage: peers.sh DIR [PEER...]	all that supervisors.sh measures, if none is named
#
# runit, s6, daemontools, finit, sysvinit and containers' inits are this Debian's packages, unpacked in
# build/peers; systemd and busybox are this machine's.
# dinit is in no Debian: DINIT_SRC is its source, unpacked; it is copied and built in build/peers.
set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)
build=${KNELL_BUILD:-$top/build}
peers=$build/peers
dir=$1
shift
about=$dir/peers/about
libdir=lib/x86_64-linux-gnu

# The libraries of the programs named, beside those of other peers.
libraries()
{
	LD_LIBRARY_PATH=$dir/usr/$libdir:$dir/$libdir ldd "$@" 2>/dev/null |
		sed -n 's/^[^/]*\(\/[^ ]*\) (.*/\1/p' | sort -u | while read -r so; do
		case $so in
		*/ld-linux-*) cp -L "$so" "$dir/lib64/" ;;
		"$dir"/*) ;;
		*) cp -L "$so" "$dir/$libdir/" ;;
		esac
	done
}

# unpack NAME PACKAGE...: downloads what is not there yet. All are of the release that runs here.
unpack()
{
	name=$1
	shift
	if [ ! -e "$peers/$name/done" ]; then
		rm -rf "${peers:?}/$name"
		mkdir -p "$peers/$name/root"
		(cd "$peers/$name" && apt-get -q -o Acquire::Retries=3 download "$@" >/dev/null 2>&1) ||
			return
		for deb in "$peers/$name"/*.deb; do
			dpkg-deb -x "$deb" "$peers/$name/root" || return
		done
		# shellcheck disable=SC2016 # dpkg-deb's
		dpkg-deb -W --showformat '${Version}' "$peers/$name/$1"_*.deb >"$peers/$name/version"
		touch "$peers/$name/done"
	fi
	rm -rf "$peers/$name/root/usr/share" "$peers/$name/root/etc"
	tar -C "$peers/$name/root" -c . | tar -C "$dir" -x --keep-directory-symlink
}

# package NAME PROGRAM PACKAGE...
package()
{
	name=$1 program=$2
	shift 2
	if unpack "$name" "$@" && libraries "$dir$program"; then
		echo "$name: $(cat "$peers/$name/version"), Debian's package" >>"$about"
	else
		rm -f "$dir$program"
		echo "$name: its packages could not be had: $*" >>"$about"
	fi
}

# Another init than what the guest may have.
sysvinit()
{
	package sysvinit /sbin/init sysvinit-core
	[ ! -e "$dir/sbin/init" ] || mv "$dir/sbin/init" "$dir/peers/sysvinit"
}

busybox()
{
	echo "busybox: $(command busybox | sed -n '1s/^BusyBox v\([^ ]*\) (\([^)]*\)).*/\1, \2/p')" >>"$about"
}

knelld()
{
	cp "$build/knelld" "$dir/peers/knelld"
	libraries "$dir/peers/knelld"
	for name in knelld knelld_pidfd; do
		echo "$name: $("$build/knelld" --version | head -n 1)" >>"$about"
	done
}

# As it goes into an image.
knelld_static()
{
	cp "$build/knelld-static" "$dir/peers/knelld"
	strip "$dir/peers/knelld"
	for name in knelld knelld_pidfd; do
		echo "$name: $("$build/knelld-static" --version | head -n 1), static" >>"$about"
	done
}

systemd()
{
	if [ ! -x /lib/systemd/systemd ]; then
		echo "systemd: not installed on the machine that builds" >>"$about"
		return
	fi
	mkdir -p "$dir/lib/systemd"
	cp /lib/systemd/systemd "$dir/lib/systemd/systemd"
	libraries /lib/systemd/systemd
	echo "systemd: $(dpkg-query -W -f '${Version}' systemd), Debian's package" >>"$about"
}

dinit()
{
	if [ -z "${DINIT_SRC:-}" ]; then
		echo "dinit: no Debian has it; DINIT_SRC=DIR says where its source is" >>"$about"
		return
	fi
	if [ ! -x "$peers/dinit/src/dinit" ]; then
		rm -rf "$peers/dinit"
		mkdir -p "$peers/dinit"
		cp -a "$DINIT_SRC/." "$peers/dinit/"
		make -C "$peers/dinit" mconfig all >"$peers/dinit.log" 2>&1 || true
	fi
	if [ ! -x "$peers/dinit/src/dinit" ]; then
		echo "dinit: does not build, see build/peers/dinit.log" >>"$about"
		return
	fi
	cp "$peers/dinit/src/dinit" "$dir/peers/dinit"
	strip "$dir/peers/dinit"
	libraries "$dir/peers/dinit"
	version=$("$dir/peers/dinit" --version | sed -n '1s/^Dinit version \(.*\)\.$/\1/p')
	echo "dinit: $version, built from its source" >>"$about"
}

rm -rf "$dir"
mkdir -p "$dir/peers" "$dir/$libdir" "$dir/lib64" "$dir/usr/lib"
ln -s "../../$libdir" "$dir/usr/$libdir"
: >"$about"
[ $# -gt 0 ] || set -- knelld runit s6 daemontools sysvinit busybox finit systemd dinit
for peer do
	case $peer in
	runit) package runit /usr/bin/runsvdir runit ;;
	s6) package s6 /usr/bin/s6-svscan s6 libs6-2.11 libskarnet2.13 execline libexecline2.9 ;;
	daemontools) package daemontools /usr/bin/svscan daemontools ;;
	finit) package finit /sbin/finit finit libite5 libuev3 ;;
	tini) package tini /usr/bin/tini tini ;;
	tini_static) package tini_static /usr/bin/tini-static tini ;;
	catatonit) package catatonit /usr/bin/catatonit catatonit ;;
	dumb_init) package dumb_init /usr/bin/dumb-init dumb-init ;;
	*) "$peer" ;;
	esac
done
