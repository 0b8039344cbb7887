#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The binding is what the tools of the devicetree project want it to be, its example and our overlays
# are what it describes, and it refuses what it does not. An overlay compiles without a warning and
# applies to the tree that it is for: Debian's of the Raspberry Pi 4, and one like QEMU's, whose own
# is taken when a machine is booted (selftests/qemu/dtb.sh).
#
# usage: check.sh DIR	(DIR is for what it makes)
#
# The tools report errors and exit with 0: so nothing of theirs may say anything.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/.." && pwd)
bindings=$top/Documentation/devicetree/bindings
pi=$(find "$top/build/debian-arm64/root/usr/lib" -name bcm2711-rpi-4-b.dtb)
dir=$1
mkdir -p "$dir"

# silent COMMAND...
silent()
{
	"$@" >"$dir/said" 2>&1 && [ ! -s "$dir/said" ] && return
	echo "$*:"
	cat "$dir/said"
	exit 1
}

# What dt-validate, which has only our schema and the general ones, says of our node in a tree.
validate()
{
	dt-validate -s "$dir/schema" -l knell,blackbox "$1" 2>&1
}

# A tree to which the example's lines are added, changed by a sed script: refused, and because of it.
# refused WHAT SCRIPT
refused()
{
	sed "$2" "$dir/example.dts" >"$dir/bad.dts"
	! cmp -s "$dir/example.dts" "$dir/bad.dts" || { echo "nothing is changed by $2"; exit 1; }
	dtc -q -I dts -O dtb -o "$dir/bad.dtb" "$dir/bad.dts"
	validate "$dir/bad.dtb" >"$dir/said"
	grep -q "$1" "$dir/said" && return
	echo "not refused: $2"
	cat "$dir/said"
	exit 1
}

# An overlay over a tree: where the region is, and nothing else has changed that it goes by.
# applies NAME TREE NODE REG
applies()
{
	silent "$here/overlay.sh" "$here/$1.dtso" "$dir/$1.dtbo"
	silent fdtoverlay -i "$2" -o "$dir/$1.dtb" "$dir/$1.dtbo"
	silent validate "$dir/$1.dtb"
	for property in '#address-cells' '#size-cells'; do
		for node in / /reserved-memory; do
			was=$(fdtget "$2" "$node" "$property" 2>/dev/null || fdtget "$2" / "$property")
			is=$(fdtget "$dir/$1.dtb" "$node" "$property")
			[ "$was" = "$is" ] || { echo "$1: $property of $node is $is, was $was"; exit 1; }
		done
	done
	reg=$(fdtget -t x "$dir/$1.dtb" "/reserved-memory/$3" reg)
	phandle=$(fdtget "$dir/$1.dtb" "/reserved-memory/$3" phandle)
	[ "$reg" = "$4" ] && [ "$phandle" = "$(fdtget "$dir/$1.dtb" /knell memory-region)" ] && return
	echo "$1: the region is $reg, its phandle $phandle"
	exit 1
}

silent dt-doc-validate -u "$bindings" "$bindings/misc/knell,blackbox.yaml"
silent dt-mk-schema -j -o "$dir/schema" "$bindings"
dt-extract-example "$bindings/misc/knell,blackbox.yaml" >"$dir/example.dts"
silent dtc -Wno-avoid_unnecessary_addr_size -I dts -O dtb -o "$dir/example.dtb" "$dir/example.dts"
silent dt-validate -s "$dir/schema" -m "$dir/example.dtb"

refused record-size 's/record-size = <256>/record-size = <128>/'
refused record-size 's/record-size = <256>/record-size = <8192>/'
refused memory-region '/memory-region/d'
refused queue-depth 's/wakeup-source/queue-depth = <7>/'
refused wakeup-source 's/wakeup-source/wakeup-source = "often"/'

dtc -q -I dts -O dtb -o "$dir/virt.dtb" - <<'END'
/dts-v1/;
/ {
	#address-cells = <2>;
	#size-cells = <2>;
	compatible = "linux,dummy-virt";
	model = "linux,dummy-virt";
};
END
applies knell-qemu-virt "$dir/virt.dtb" blackbox@5ff00000 '0 5ff00000 0 100000'
applies knell-bcm2711-rpi-4-b "$pi" blackbox@b100000 '0 b100000 100000'
