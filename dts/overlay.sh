#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Compiles an overlay: through the preprocessor, like the kernel's own.
#
# usage: overlay.sh [-m MB] FILE OUT
#   -m    the memory that the machine "virt" is to have, from 2 MiB: the box is its last MiB
set -eu

defines=''

while getopts m: opt; do
	case $opt in
	# Not above what an address of 32 bits reaches, where there is RAM, too.
	m)
		end=$((OPTARG < 3072 ? OPTARG : 3072))
		defines="-DBOX=$(printf %x $((0x40000000 + ((end - 1) << 20))))" ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
[ $# -eq 2 ] || { echo "usage: overlay.sh [-m MB] FILE OUT" >&2; exit 2; }

# The cells of the root have to be told to dtc, which then finds nothing that they are for.
# shellcheck disable=SC2086 # a list
cpp -nostdinc -undef -P -x assembler-with-cpp $defines "$1" |
	dtc -@ -Wno-avoid_unnecessary_addr_size -I dts -O dtb -o "$2" -
