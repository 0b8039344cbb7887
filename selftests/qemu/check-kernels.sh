#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Builds the module for each of Debian's kernels that knell is for, without a warning, boots it and
# runs on it what a guest runs of the selftests. A line for each kernel tells how that went, and the
# last one is the sum of all: "N passed, N failed".
#
# usage: check-kernels.sh [KERNEL...]
#
# KERNEL is as for "make KREL=" (krel.sh), or "stock": what "make check" takes; KERNEL/arm64 is that
# for arm64. TESTS in the environment is as for "make check"; "kmod" is the module's own tests. The
# logs are in build/kernels.
set -u

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
out=$top/build/kernels
passed=0 failed=0 skipped=0
# The guest's part of all, where nothing else is asked for.
TESTS=${TESTS:-guest}
[ $# -gt 0 ] || set -- 5.10 stock 6.12 6.12@trixie 7.3 6.1-rt 6.12-rt \
	stock/arm64 6.12/arm64 7.3/arm64
cd "$top" || exit 1
mkdir -p "$out"
unset KREL ARCH
export W=1 WERROR=1

# What KERNEL $1 is for make.
named()
{
	krel=${1%/*} arch=
	[ "$krel" = "$1" ] || arch=${1#*/}
	[ "$krel" != stock ] || krel=
}

make_for()
{
	make --no-print-directory ${krel:+"KREL=$krel"} ${arch:+"ARCH=$arch"} "$@"
}

release()
{
	KREL=$krel ARCH=$arch KNELL_BUILD=${arch:+$top/build/$arch} "$here/kernel.sh" release
}

# A warning that is no error is modpost's or objtool's.
builds()
{
	{ make_for deps && make_for module; } >"$log" 2>&1 &&
		! grep -q 'warning:\|WARNING:' "$log"
}

# one KERNEL: adds its numbers to the sum.
one()
{
	named "$1"
	log=$out/$(echo "$1" | tr / -).log
	if ! builds; then
		echo "$1: cannot be built, or not without a warning:"
		tail -n 20 "$log"
		failed=$((failed + 1))
		return
	fi
	make_for -j2 check TESTS="$TESTS" >"$log" 2>&1
	status=$?
	# After that make may have said that it failed.
	sum=$(grep -x '[0-9]* passed, [0-9]* failed\(, [0-9]* skipped\)*' "$log" | tail -n 1)
	if [ -z "$sum" ] || [ "$status" -ne 0 ]; then
		sed -n '/^FAILED/p' "$log"
		[ -n "$sum" ] || { tail -n 20 "$log"; sum='0 passed, 1 failed'; }
	fi
	echo "$1 ($(release)): $sum"
	# shellcheck disable=SC2046 # two numbers or three
	set -- $(echo "$sum" | tr -cd '0-9 ')
	passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + ${3:-0}))
	[ "$status" -eq 0 ] || [ "$2" -gt 0 ] || failed=$((failed + 1))
}

for kernel in "$@"; do
	one "$kernel"
done
if [ $skipped -gt 0 ]; then
	echo "$passed passed, $failed failed, $skipped skipped"
else
	echo "$passed passed, $failed failed"
fi
[ $failed -eq 0 ]
