#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Fetches Debian's perf and trace-cmd with the libraries that they need, once, and unpacks them in
# build/tracers. Nothing of it is installed.
#
# usage: fetch.sh
set -eu

here=$(cd "$(dirname "$0")" && pwd)
build=${KNELL_BUILD:-$(cd "$here/../.." && pwd)/build}
tree=$build/tracers
# shellcheck source=selftests/qemu/apt.sh
. "$here/../qemu/apt.sh"

programs='linux-perf trace-cmd'
# Of the C library there is this machine's.
libraries='libbabeltrace1 libbz2-1.0 libcap2 libcrypt1 libdw1 libelf1 libexpat1 libgcc-s1 libglib2.0-0
	liblzma5 libnuma1 libopencsd1 libpcre2-8-0 libperl5.36 libpython3.11 libslang2 libstdc++6
	libtraceevent1 libtracefs1 libunwind8 libuuid1 libzstd1 zlib1g'

[ ! -d "$tree" ] || exit 0
echo "deps: fetching perf and trace-cmd (unpacked under build/, not installed)"
rm -rf "$tree.new"
mkdir -p "$tree.new/debs"
# shellcheck disable=SC2086 # lists
apt_download "$tree.new/debs" $programs $libraries >"$tree.new/log" 2>&1 || {
	cat "$tree.new/log" >&2
	exit 1
}
for deb in "$tree.new"/debs/*.deb; do
	dpkg-deb --fsys-tarfile "$deb" |
		tar -C "$tree.new" -x --keep-directory-symlink --exclude='./usr/share/*' \
			--exclude='./usr/lib/*/perl*' --exclude='./etc/*'
done
rm -rf "$tree.new/debs"
mv "$tree.new" "$tree"
