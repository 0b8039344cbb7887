#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Builds a debug kernel from Debian's source of 6.1, unless that was done before, and prints the
# directory where it was built: arch/x86/boot/bzImage is there, and it does as KDIR.
#
# usage: kernel.sh [-n] KIND	(a file of config/: memory, races)
#   -n   only prints the name of that directory
#
# It is tinyconfig with config/common and config/KIND. A line of these that came to nothing, for what
# it depends on or because there is no such option any more, is an error: a detector that is not
# there finds nothing. What was built is kept outside of the tree, in ~/.cache/knell, by what it was
# made of: the source, these files, the compiler. Nothing there is ever changed: what is old can be
# removed by hand.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/knell
tar=/usr/src/linux-source-6.1.tar.xz

only_name=
if [ "${1:-}" = -n ]; then
	only_name=1
	shift
fi
kind=${1:-}
config=$here/config
if [ -z "$kind" ] || [ ! -r "$config/$kind" ]; then
	echo "usage: kernel.sh [-n] memory|races" >&2
	exit 2
fi

version=$(dpkg-query -W -f '${Version}' linux-source-6.1)
source=$cache/source-$version
hash=$({ echo "$version"; gcc --version; cat "$config/common" "$config/$kind"; } | sha256sum | cut -c 1-12)
dir=$cache/kernel-$kind-$hash
if [ -n "$only_name" ] || [ -e "$dir/ready" ]; then
	echo "$dir"
	exit 0
fi

# Without what only other machines have: that is half of it.
unpack()
{
	[ ! -e "$source/ready" ] || return 0
	echo "debug/kernel.sh: unpacking $tar" >&2
	rm -rf "$source"
	mkdir -p "$source"
	set --
	for arch in alpha arc arm arm64 csky hexagon ia64 loongarch m68k microblaze mips nios2 openrisc \
		parisc powerpc riscv s390 sh sparc xtensa; do
		set -- "$@" --exclude="*/arch/$arch/*"
	done
	for room in gpu infiniband media net/ethernet net/wireless staging; do
		set -- "$@" --exclude="*/drivers/$room/*.[ch]"
	done
	tar -C "$source" -xJf "$tar" --strip-components=1 "$@" --exclude='*/sound/*.[ch]'
	touch "$source/ready"
}

kmake()
{
	make -s -C "$source" O="$dir" "-j${JOBS:-$(nproc)}" KBUILD_BUILD_USER=knell \
		KBUILD_BUILD_HOST="$kind" KBUILD_BUILD_TIMESTAMP=1970-01-01 "$@" >>"$dir/log" 2>&1
}

# What the files want that the configuration has not.
unmet()
{
	sed -n 's/^\(CONFIG_[^=]*\)=.*/\1/p; s/^# \(CONFIG_[^ ]*\) is not set/\1/p' "$@" |
		while read -r option; do
		want=$(cat "$@" | grep -e "^$option=" -e "^# $option is not set" | tail -n 1)
		has=$(grep -e "^$option=" -e "^# $option is not set" "$dir/.config" || true)
		case $want in
		\#*) [ "${has#\#}" != "$has" ] || [ -z "$has" ] ;;
		*) [ "$has" = "$want" ] ;;
		esac || echo "$want: ${has:-there is no such option now}"
	done
}

configure()
{
	kmake tinyconfig
	cat "$config/common" "$config/$kind" >>"$dir/.config"
	kmake olddefconfig
	unmet "$config/common" "$config/$kind" >"$dir/unmet"
	[ ! -s "$dir/unmet" ] || { cat "$dir/unmet" >&2; exit 1; }
}

mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9
[ ! -e "$dir/ready" ] || { echo "$dir"; exit 0; }
unpack
mkdir -p "$dir"
echo "debug/kernel.sh: building $dir, a quarter of an hour or more" >&2
: >"$dir/log"
trap 'tail -n 30 "$dir/log" >&2' EXIT
configure
kmake bzImage modules
touch "$dir/ready"
trap - EXIT
echo "$dir"
