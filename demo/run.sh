#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Boots the stock kernel with knelld as PID 1 and real services, for the tour (tour.sh tells what it
# shows) or, with -i, for a shell. The tour has succeeded when the second serial port says so, the
# machine has powered itself off, and the kernel has not complained.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
build=${KNELL_BUILD:-$top/build}
qemu=$top/selftests/qemu
out=$build/demo
export KNELL_RUNNER=$$

mkdir -p "$out"
make --no-print-directory -C "$top/selftests" guest >/dev/null
"$top/demo/fetch.sh"
"$top/demo/mkroot.sh"

if [ "${1:-}" = -i ]; then
	exec qemu-system-x86_64 -nodefaults -no-reboot -M q35 -accel tcg -cpu max -smp 2 -m 512 \
		-display none -serial mon:stdio -serial "file:$out/result" \
		-kernel "$("$qemu/kernel.sh" image)" -initrd "$out/initrd" \
		-append 'console=ttyS0 quiet loglevel=3 panic=-1 demo.interactive'
fi

: >"$out/console.log"
"$qemu/boot.sh" -s 300 -t 1500 -a 'quiet loglevel=3' "$out" &
boot=$!
tail -n +1 -s 0.2 -f --pid=$boot "$out/console.log" | tr -d '\r'
wait $boot && status=0 || status=$?
rm -f "$out/initrd"

fail()
{
	echo "make run: FAILED: $*; logs are in $out" >&2
	exit 1
}
[ "$status" -eq 0 ] || fail "the machine did not end by itself"
"$qemu/console-clean.sh" "$out/console.log" || fail "the kernel complained"
grep -q 'reboot: Power down' "$out/console.log" || fail "the machine was not powered off"
grep -q '^TOUR PASSED' "$out/result" || fail "$(grep '^not ok' "$out/result" || echo 'no result')"

# before FIRST SECOND: both, regular expressions, are in the log of the way out, in this order
before()
{
	sed -n '/== The way out/,$p' "$out/console.log" | awk -v first="knelld: $1" -v second="knelld: $2" '
		$0 ~ first { seen = 1 }
		$0 ~ second { status = !seen; found = 1; exit }
		END { exit found ? status : 1 }' || fail "not \"$1\" before \"$2\""
}
before 'shop-app.service: stopped' 'shop-db.service: stopping'
before 'nginx.service: stopped' 'redis.service: stopping'
before 'redis.service: stopped' 'power off\r*$'
echo "make run: all of the tour succeeded"
