#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Makes DIR the skeleton of a guest: the directories, busybox with a link for each applet. Which they
# are this machine's busybox tells, of the same version.
#
# usage: busybox-root.sh DIR
set -eu

root=$1
here=$(cd "$(dirname "$0")" && pwd)
build=${KNELL_BUILD:-$(cd "$here/../.." && pwd)/build}
# shellcheck source=selftests/qemu/arch.sh
. "$here/arch.sh"

mkdir -p "$root/bin" "$root/sbin" "$root/lib" "$root/etc" "$root/dev" "$root/proc" "$root/sys" \
	"$root/run" "$root/tmp" "$root/root" "$root/home" "$root/var"
ln -sfn ../run "$root/var/run"
cp "$busybox" "$root/bin/busybox"
/bin/busybox --list | while read -r applet; do
	[ "$applet" = busybox ] || ln -sfn busybox "$root/bin/$applet"
done
