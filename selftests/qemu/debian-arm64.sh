#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Fetches what of Debian 12 for arm64 is needed to build for it and to boot it, once, and unpacks it
# in build/debian-arm64/root. Nothing of it is installed, and what architectures this machine's dpkg
# knows does not change: apt has lists of its own for that.
#
# usage: debian-arm64.sh
#
# What is there then: the kernel's image, its headers, ready for M=, some of its modules, a device
# tree; static libraries, and shared ones for what Documentation/examples embed libknell in; busybox;
# Python. The C library is that of the cross compiler.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
dir=$(cd "$here/../.." && pwd)/build/debian-arm64
root=$dir/root
# shellcheck source=selftests/qemu/apt.sh
. "$here/apt.sh"

# One package a line, with what it is for, besides the kernel's.
packages=$(sed 's/#.*//' <<-'END'
	busybox-static		# the user land of the guest
	libjansson-dev		# knelld, knellctl
	libnl-3-200		# knellctl
	libnl-3-dev
	libnl-genl-3-200
	libnl-genl-3-dev
	libuv1			# the examples
	libuv1-dev
	libglib2.0-0
	libglib2.0-dev
	libpcre2-8-0
	libpcre2-dev
	libsystemd0
	libsystemd-dev
	libcap2			# what these need
	libgcrypt20
	libgpg-error0
	liblz4-1
	liblzma5
	libzstd1
	python3.11-minimal	# an example in Python
	libpython3.11-minimal
	libpython3.11-stdlib
	libexpat1
	zlib1g
END
)

apt_arm64()
{
	command=$1
	shift
	apt_apart "$dir" "$command" -o APT::Architecture=arm64 -o APT::Architectures=arm64 "$@"
}

depends()
{
	apt_arm64 apt-cache depends "$1" | sed -n 's/.*Depends: \(linux-[^ ]*\).*/\1/p'
}

# unpack DEB [WHAT...]
unpack()
{
	deb=$1
	shift
	dpkg-deb --fsys-tarfile "$deb" | tar -C "$root" -x --keep-directory-symlink --wildcards "$@"
}

# Of the kernel's packages.
unpack_kernel()
{
	unpack "$dir"/debs/linux-image-*.deb './boot' './lib/modules/*/modules.builtin' \
		'./lib/modules/*/kernel/fs/fuse' './lib/modules/*/kernel/fs/ext4' \
		'./lib/modules/*/kernel/fs/jbd2' './lib/modules/*/kernel/fs/mbcache.ko*' \
		'./lib/modules/*/kernel/lib/crc16.ko*' \
		'./lib/modules/*/kernel/crypto/crc32c_generic.ko*' \
		'./lib/modules/*/kernel/drivers/virtio' \
		'./lib/modules/*/kernel/drivers/block/virtio_blk.ko*' \
		'./usr/lib/linux-image-*/broadcom/bcm2711-rpi-4-b.dtb'
	for deb in "$dir"/debs/linux-headers-*.deb; do
		unpack "$deb"
	done
	rm "$dir"/debs/linux-*.deb
	# What is run of kbuild is this machine's, and the headers' Makefile has an absolute path.
	ln -s "/usr/lib/linux-kbuild-$series" "$root/usr/lib/linux-kbuild-$series"
	sed -i 's|^include /usr/src/|include ../|' "$root/usr/src/linux-headers-$krel/Makefile"
}

# Links to shared libraries that go by way of "/" would lead to this machine's.
relative_links()
{
	find "$root/usr/lib" -type l -lname '/lib/*' | while read -r link; do
		ln -sfn "$root$(readlink "$link")" "$link"
	done
}

fetch()
{
	apt_arm64 apt-get update
	headers=$(depends linux-headers-arm64)
	krel=${headers#linux-headers-}
	series=$(echo "$krel" | sed 's/^\([0-9]*\.[0-9]*\).*/\1/')
	[ -d "/usr/lib/linux-kbuild-$series" ] || {
		echo "debian-arm64: linux-kbuild-$series is not installed: make deps" >&2
		return 1
	}
	# shellcheck disable=SC2086 # a list
	(cd "$dir/debs" && apt_arm64 apt-get download "linux-image-$krel" "$headers" \
		"${headers%-arm64}-common" $packages)
	mkdir -p "$root/usr/lib" "$root/usr/bin"
	ln -s usr/lib "$root/lib"
	ln -s usr/bin "$root/bin"
	unpack_kernel
	for deb in "$dir"/debs/*.deb; do
		unpack "$deb" --exclude='./usr/share/*'
	done
	relative_links
}

key=$(cksum <"$0")
[ "$(cat "$dir/key" 2>/dev/null)" != "$key" ] || exit 0
echo "deps: fetching Debian's arm64 kernel and libraries (unpacked under build/, not installed)"
rm -rf "$dir"
mkdir -p "$dir/debs"
# Not as a condition: any of its commands that fails ends it.
trap '[ $? -eq 0 ] || tail -n 40 "$dir/log" >&2' EXIT
fetch >"$dir/log" 2>&1
rm -rf "$dir/debs" "$dir/cache" "$dir/state"
echo "$krel" >"$root.release"
echo "$key" >"$dir/key"
