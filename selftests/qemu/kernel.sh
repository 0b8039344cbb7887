#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Which kernel everything is built for and booted on: what Debian's metapackage gives today, or the
# one that KREL names (krel.sh); deps.sh gets its image and headers. The kernel that this machine
# happens to run has no part in it. For arm64 it is what debian-arm64.sh has fetched. KERNEL is the
# image of a kernel of one's own; the module is then built in KDIR, which the Makefile takes.
#
# usage: kernel.sh release|series|kdir|kbuild|place|ko|image|module PATH
#   kbuild   of KREL, the command that builds the module
#   place    the directory that kmod's sources and VERSION are copied to for that
#   ko       what comes of it
set -eu

build=${KNELL_BUILD:-$(cd "$(dirname "$0")/../.." && pwd)/build}
# shellcheck source=selftests/qemu/arch.sh
. "$(dirname "$0")/arch.sh"
kernel=$build/kernel

# 6.1.0-56-amd64
release()
{
	if [ -n "$foreign" ]; then
		cat "$foreign.release" 2>/dev/null || true
		return
	fi
	dpkg-query -W -f '${Depends}' linux-headers-amd64 2>/dev/null |
		sed -n 's/.*linux-headers-\([0-9][^ ,]*\).*/\1/p'
}

if [ -n "${KREL:-}" ]; then
	# shellcheck source=selftests/qemu/krel.sh
	. "$(dirname "$0")/krel.sh"
	krel=$(cat "$debs/$KREL.release" 2>/dev/null || true)
	foreign=$root kernel=$root
else
	krel=$(release)
fi
if [ -z "$krel" ]; then
	echo "kernel.sh: there are no kernel headers${KREL:+ of $KREL}: make deps" >&2
	exit 1
fi

# This machine's compiler, whatever the kernel's own was called; or the one of another Debian.
kbuild()
{
	if [ -n "$toolchain" ]; then
		echo "$(dirname "$0")/in-root.sh $root make -C /usr/src/linux-headers-$krel M=/$place/kmod"
	else
		echo "make -C $root/usr/src/linux-headers-$krel M=$root/$place/kmod CC=${CROSS_COMPILE:-}gcc"
	fi
}

case ${1:-} in
release)
	echo "$krel" ;;
series)
	echo "$krel" | sed 's/^\([0-9]*\.[0-9]*\).*/\1/' ;;
kdir)
	if [ -n "$foreign" ]; then
		echo "$foreign/usr/src/linux-headers-$krel"
	else
		echo "/lib/modules/$krel/build"
	fi ;;
kbuild)
	kbuild ;;
place)
	echo "$root/$place" ;;
ko)
	echo "$root/$place/kmod/knell.ko" ;;
image)
	if [ -n "${KERNEL:-}" ]; then
		[ -r "$KERNEL" ] || { echo "kernel.sh: cannot read $KERNEL" >&2; exit 1; }
		echo "$KERNEL"
		exit 0
	fi
	# Where the package is not installed, deps.sh has unpacked it under build/.
	for image in "$foreign/boot/vmlinuz-$krel" "$kernel/boot/vmlinuz-$krel" \
		"$kernel/lib/modules/$krel/vmlinuz"; do
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
	for dir in "$foreign/lib/modules/$krel" "$kernel/lib/modules/$krel"; do
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
	echo "usage: kernel.sh release|series|kdir|kbuild|place|ko|image|module PATH" >&2
	exit 2 ;;
esac
