#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Makes DIR the skeleton of a guest: the directories, busybox with a link for each applet.
#
# usage: busybox-root.sh DIR
set -eu

root=$1
busybox=/bin/busybox

mkdir -p "$root/bin" "$root/sbin" "$root/lib" "$root/etc" "$root/dev" "$root/proc" "$root/sys" \
	"$root/run" "$root/tmp" "$root/root" "$root/home" "$root/var"
ln -sfn ../run "$root/var/run"
cp "$busybox" "$root/bin/busybox"
"$busybox" --list | while read -r applet; do
	[ "$applet" = busybox ] || ln -sfn busybox "$root/bin/$applet"
done
