#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2154
# To be sourced by scripts that put a program with shared libraries into a guest, after arch.sh: "root"
# is the guest, "tree" where packages were unpacked, "build" where ours are.

# What starts a program that wants shared libraries.
install_loader()
{
	mkdir -p "$root/$libs" "$root/${loader%/*}"
	cp -L "$loader_dir/${loader##*/}" "$root/$loader"
}

# What shared libraries a program needs, and what these need.
install_libraries()
{
	readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | grep -v '^ld-linux' |
		while read -r so; do
		[ ! -e "$root/$libs/$so" ] || continue
		for dir in "$tree/$libs" "$tree/usr/$libs" "$build" $lib_dirs; do
			[ -e "$dir/$so" ] || continue
			cp -L "$dir/$so" "$root/$libs/"
			install_libraries "$dir/$so"
			continue 2
		done
		echo "$1 needs $so, which is not there" >&2
		exit 1
	done
}
