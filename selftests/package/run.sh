#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Installs the packages of "make deb" in a Debian 12 and boots that: with knelld as its first process,
# then with systemd, where debian/tests are run. "N passed, N failed" comes last.
#
# usage: run.sh
set -eu

here=$(cd "$(dirname "$0")" && pwd)
qemu=$here/../qemu
build=${KNELL_BUILD:-$(cd "$here/../.." && pwd)/build}
out=$build/package/run
export KNELL_RUNNER="${KNELL_RUNNER:-$$}"
limit=$((1800 * ${SLOW:-1}))
passed=0 failed=0

# result 0|1 TEXT
result()
{
	if [ "$1" -eq 0 ]; then
		passed=$((passed + 1))
		echo "ok $2"
	else
		failed=$((failed + 1))
		echo "not ok $2"
	fi
}

# boot NAME INIT
boot()
{
	dir=$out/$1
	mkdir -p "$dir"
	cp "$out/initrd" "$dir/initrd"
	disk="-drive if=none,id=disk,format=raw,snapshot=on,file=$build/package/root.img"
	"$qemu/boot.sh" -m 1024 -s $((limit / 2)) -t "$limit" \
		-a "rdinit=/init loglevel=5 knell.init=$2" \
		-x "$disk -device virtio-blk-pci,drive=disk" "$dir" || echo "# $1: did not end by itself"
	rm -f "$dir/initrd"
	tr -d '\r' <"$dir/result" >"$dir/said"
	sed -n "s/^\(ok\|not ok\) \([0-9]* \)/\1 $1: /p; s/^#/#/p" "$dir/said"
	passed=$((passed + $(grep -c '^ok ' "$dir/said" || true)))
	failed=$((failed + $(grep -c '^not ok ' "$dir/said" || true)))
	grep -q '^DONE$' "$dir/said" && bad=0 || bad=1
	result "$bad" "$1: got to its end"
	[ "$bad" -eq 0 ] || tail -n 60 "$dir/console.log" | sed 's/^/# /'
	"$qemu/console-clean.sh" "$dir/console.log" && bad=0 || bad=1
	result "$bad" "$1: the kernel does not complain"
	grep -a -q 'reboot: Power down' "$dir/console.log" && bad=0 || bad=1
	result "$bad" "$1: the machine is off"
}

"$here/lint.sh" "$build/deb" && bad=0 || bad=1
result "$bad" "lintian has no errors"
"$here/root.sh"
rm -rf "$out"
mkdir -p "$out"
"$here/initrd.sh" "$out"
boot knelld /usr/sbin/knelld
boot systemd /sbin/init
echo "logs are in $out"
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
