#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# All of the bench: every program on the stock kernel, and what is side by side with its peers at the
# queue on others of Debian's (selftests/qemu/krel.sh). The logs are in build/benchmarks; of them come
# Documentation/benchmarks/results.csv, the pictures beside it and Documentation/benchmarks.rst. A kernel
# that cannot be had is said to be missing. Fails if a run on the stock kernel did, or there is no page.
#
# usage: whole.sh PROGRAM...	those of the stock kernel
#
# BENCH_KERNELS="stock 6.12 7.3" is all; with fewer of them, the others' logs are as they were.
# The bounds are the stock kernel's: of others it is told which are missed.
set -u

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
out=$top/build/benchmarks
page=Documentation/benchmarks
at_the_queue='exits fd kill children'
failed=
cd "$top" || exit 1
mkdir -p "$out"

# What the figures are of.
about()
{
	echo "# date $(date -u +%Y-%m-%d)"
	echo "# commit $(git describe --always --dirty --exclude='*' 2>/dev/null || echo unknown)"
	echo "# host $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)"
	echo "# emulator $(qemu-system-x86_64 --version | head -n 1), -accel tcg -icount shift=0, -cpu qemu64"
	echo "# compiler $(${CC:-cc} --version | head -n 1)"
}

# on KERNEL PROGRAM...: its log, and what it says here, too
on()
{
	kernel=$1
	shift
	echo "bench: $kernel: $*"
	{ about; "$here/run.sh" "$@" 2>&1; echo "# status $?"; } | tee "$out/$kernel.new"
	mv "$out/$kernel.new" "$out/$kernel.log"
	grep -q '^# status 0$' "$out/$kernel.log"
}

# Another one's module, and all that it is made of, has first to be fetched and built.
on_other()
{
	if ! make --no-print-directory KREL="$1" deps module >"$out/$1.build" 2>&1; then
		tail -n 20 "$out/$1.build"
		{ about; echo "NOT RUN kernel: its packages cannot be had, or the module does not build"; } |
			tee "$out/$1.log"
		return
	fi
	# shellcheck disable=SC2086 # a list
	KREL=$1 on "$1" $at_the_queue || echo "bench: $1: not all went as on the stock kernel"
}

for kernel in ${BENCH_KERNELS:-stock 6.12 7.3}; do
	if [ "$kernel" = stock ]; then
		on stock "$@" || failed=1
	else
		on_other "$kernel"
	fi
done
# shellcheck disable=SC2046 # names without blanks
$page/generate.py --collect $(find "$out" -name '*.log' | LC_ALL=C sort -V) >"$out/results.csv" &&
	cp "$out/results.csv" $page/results.csv && $page/generate.py || failed=1
echo
echo "bench: the logs and results.csv are in build/benchmarks"
echo "bench: $page/results.csv, what is drawn of it, Documentation/benchmarks.rst and README.md's tables are new"
if [ -n "$failed" ]; then
	echo "bench: FAILED"
	exit 1
fi
