#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The device tree of QEMU's arm64 machine with knell's node in it: what QEMU itself would make for a
# machine of so many CPUs and so much memory, and dts/knell-qemu-virt.dtso over that.
#
# usage: dtb.sh CPUS MB OUT	(KNELL_OVERLAYS: files with more of them, for overlay.sh)
set -eu

here=$(cd "$(dirname "$0")" && pwd)
cpus=$1 memory=$2 out=$3

qemu-system-aarch64 -nodefaults -nic none -display none -M "virt,dumpdtb=$out" -cpu cortex-a57 \
	-smp "$cpus" -m "$memory" 2>"$out.log" || { cat "$out.log" >&2; exit 1; }
for overlay in "$here/../../dts/knell-qemu-virt.dtso" ${KNELL_OVERLAYS:-}; do
	"$here/../../dts/overlay.sh" -m "$memory" "$overlay" "$out.overlay"
	fdtoverlay -i "$out" -o "$out.new" "$out.overlay"
	mv "$out.new" "$out"
done
rm -f "$out.overlay" "$out.log"
