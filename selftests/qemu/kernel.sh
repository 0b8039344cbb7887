#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Which kernel everything is built for and booted on: what Debian's metapackage gives today, or the
# release that KREL names, if its image and headers are installed. The kernel that this machine
# happens to run has no part in it. KERNEL is the image of a kernel of one's own; the module is then
# built in KDIR, which the Makefile takes.
#
# usage: kernel.sh release|series|kdir|image|module PATH
set -eu

build=${KNELL_BUILD:-$(cd "$(dirname "$0")/../.." && pwd)/build}

# 6.1.0-56-amd64
release()
{
	dpkg-query -W -f '${Depends}' linux-headers-amd64 2>/dev/null |
		sed -n 's/.*linux-headers-\([0-9][^ ,]*\).*/\1/p'
}

krel=${KREL:-$(release)}
if [ -z "$krel" ]; then
	echo "kernel.sh: linux-headers-amd64 is not installed: make deps" >&2
	exit 1
fi

case ${1:-} in
release)
	echo "$krel" ;;
series)
	echo "$krel" | sed 's/^\([0-9]*\.[0-9]*\).*/\1/' ;;
kdir)
	echo "/lib/modules/$krel/build" ;;
image)
	if [ -n "${KERNEL:-}" ]; then
		[ -r "$KERNEL" ] || { echo "kernel.sh: cannot read $KERNEL" >&2; exit 1; }
		echo "$KERNEL"
		exit 0
	fi
	# Where the package is not installed, deps.sh has unpacked it under build/.
	for image in "/boot/vmlinuz-$krel" "$build/kernel/boot/vmlinuz-$krel"; do
		if [ -r "$image" ]; then
			echo "$image"
			exit 0
		fi
	done
	echo "kernel.sh: no image of $krel: make deps" >&2
	exit 1 ;;
module)
	# PATH is like fs/fuse/fuse. Nothing where it is built in, or not our kernel.
	[ -z "${KERNEL:-}" ] || exit 0
	for dir in "/lib/modules/$krel" "$build/kernel/lib/modules/$krel"; do
		for file in "$dir/kernel/$2.ko" "$dir/kernel/$2.ko.xz"; do
			if [ -r "$file" ]; then
				echo "$file"
				exit 0
			fi
		done
		if grep -qsFx "kernel/$2.ko" "$dir/modules.builtin"; then
			exit 0
		fi
	done
	echo "kernel.sh: no module $2 of $krel: make deps" >&2
	exit 1 ;;
*)
	echo "usage: kernel.sh release|series|kdir|image|module PATH" >&2
	exit 2 ;;
esac
