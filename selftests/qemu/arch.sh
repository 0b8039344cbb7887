#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2034,SC2154 # who sources it has "build", and a use for what is here
# Which machine is emulated: x86-64, or arm64 where ARCH says so. All that differs between them is
# here, in arm64.mk and in debian-arm64.sh. To be sourced, when "build" is set. KNELL_MODULE is the module
# where it is not built in its place.

case ${ARCH:-x86_64} in
x86|x86_64|amd64)
	ARCH=x86_64 foreign=
	module=${KNELL_MODULE:-$build/../kmod/knell.ko}
	busybox=/bin/busybox
	# Two serial ports: the kernel's, and ours, which init.c calls by its name.
	qemu='qemu-system-x86_64 -M q35' cpu=max counting_cpu=qemu64
	result_port='-serial chardev:result' costs=costs
	# The kernel is not to panic because its timer, on a machine that has much to do, does not
	# tick at once.
	console=ttyS0 append_arch=no_timer_check
	# Where Debian has libraries and what starts a program that wants them; where they are here.
	libs=lib/x86_64-linux-gnu loader=lib64/ld-linux-x86-64.so.2
	lib_dirs="/$libs /usr/$libs" loader_dir=/lib64 ;;
arm64)
	ARCH=arm64
	export CROSS_COMPILE=aarch64-linux-gnu-
	# Where debian-arm64.sh has unpacked what is this machine's own otherwise.
	foreign=$build/../debian-arm64/root
	module=$build/kmod/knell.ko
	busybox=$foreign/bin/busybox
	# It has one serial port that is not the secure world's, so the second is on the PCI bus.
	qemu='qemu-system-aarch64 -M virt -nic none' cpu=cortex-a57 counting_cpu=cortex-a57
	result_port='-device pci-serial,chardev=result' costs=costs.arm64
	# A kernel that hides itself from user space has other page tables there, for which the emulator
	# forgets what it has translated: user_test takes 6 s of CPU so, and 2.4 without.
	console=ttyAMA0 append_arch='kpti=0 mitigations=off'
	libs=lib/aarch64-linux-gnu loader=lib/ld-linux-aarch64.so.1
	# The cross compiler's C library.
	lib_dirs=/usr/aarch64-linux-gnu/lib loader_dir=$lib_dirs ;;
*)
	echo "ARCH=$ARCH: expected x86_64 or arm64" >&2
	exit 1 ;;
esac
