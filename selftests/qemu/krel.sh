#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2034,SC2154 # who sources it has "KREL" and "ARCH", and a use for what is here
# Which of Debian's kernels KREL names, beside the stock one: SERIES[-rt][@RELEASE], where RELEASE is
# the Debian that it is of. All that differs between them is here and in kmod/compat.h; what is there
# of them debian-kernel.sh has unpacked. To be sourced.

suite=${KREL#*@} name=${KREL%%@*}
[ "$suite" != "$KREL" ] || case $name in
5.10*) suite=bullseye ;;
6.1|6.1-rt|6.12*) suite=bookworm ;;
*) suite=trixie-backports ;;
esac
case $name in
*-rt) series=${name%-rt} flavour=-rt ;;
*) series=$name flavour= ;;
esac
case $series in
[0-9]*.[0-9]*) ;;
*) echo "KREL=$KREL: expected SERIES[-rt][@RELEASE], 6.12-rt or 6.12@trixie for instance" >&2
	exit 1 ;;
esac
debian=${suite%-backports}
debs=$(cd "$(dirname "$0")/../.." && pwd)/build/debian-$debian
# Debian's name of the machine.
case $ARCH in
x86_64) machine=amd64 ;;
*) machine=$ARCH debs=$debs-$machine ;;
esac
root=$debs/root
# The module is built there, where what is run in that root sees it, too.
place=knell/$KREL
# Kbuild's programs need a C library, and the kernel's options a compiler, that are Debian 13's.
toolchain=
[ "$debian" != trixie ] || toolchain=$root
