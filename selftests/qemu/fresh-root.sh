#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Proves that a bare Debian 12 with git and make is enough: makes one in DIR with debootstrap, clones
# what is committed here into it, and runs commands there, each "make WORD".
#
# usage: fresh-root.sh DIR [WORD...]	(default: run check; as root; MIRROR as for debootstrap)
set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)
[ $# -gt 0 ] || { echo "usage: fresh-root.sh DIR [WORD...]" >&2; exit 2; }
dir=$1
shift
[ $# -gt 0 ] || set -- run check
[ "$(id -u)" -eq 0 ] || { echo "fresh-root: needs root" >&2; exit 1; }

# Only what is mounted: after a failure the root stays, to be looked at.
unmount()
{
	for fs in sys dev proc .; do
		if mountpoint -q "$dir/$fs"; then
			umount -l "$dir/$fs"
		fi
	done
}

if [ ! -x "$dir/usr/bin/git" ]; then
	debootstrap --variant=minbase --include=git,make bookworm "$dir" ${MIRROR:+"$MIRROR"}
fi
dir=$(cd "$dir" && pwd)
rm -rf "$dir/knell"
git clone -q --no-local "$top" "$dir/knell"
cp /etc/resolv.conf "$dir/etc/resolv.conf"
trap unmount EXIT
trap 'exit 130' INT TERM HUP
# Tests make mount namespaces of their own: "/" has to be a mount, and nobody else's.
mount --bind "$dir" "$dir"
mount --make-private "$dir"
mount -t proc proc "$dir/proc"
mount --rbind /dev "$dir/dev"
mount --make-rslave "$dir/dev"
mount -t sysfs -o ro sysfs "$dir/sys"
# Not by chroot: whoever is in one may not make a user namespace.
mkdir -p "$dir/.old"
for word in "$@"; do
	echo "fresh-root: make $word"
	# shellcheck disable=SC2016 # for the shell that is there
	unshare --mount sh -ec 'cd "$1"; pivot_root . .old; umount -l /.old; shift; exec "$@"' sh "$dir" \
		/usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C \
		make -C /knell "$word" </dev/null
done
