#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Builds the module for each of Debian's kernels that knell is for, without a warning, boots it and
# runs on it what a guest runs of the selftests. A line for each kernel tells how that went, and the
# last one is the sum of all: "N passed, N failed".
#
# usage: check-kernels.sh [KERNEL...]
#
# KERNEL is as for "make KREL=" (krel.sh), or "stock": what "make check" takes. TESTS in the
# environment is as for "make check"; "kmod" is the module's own tests. The logs are in
# build/kernels.
set -u

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
out=$top/build/kernels
passed=0 failed=0 skipped=0
# The guest's part of all, where nothing else is asked for.
TESTS=${TESTS:-guest}
[ $# -gt 0 ] || set -- 5.10 stock 6.12 6.12@trixie 7.3 6.1-rt 6.12-rt
cd "$top" || exit 1
mkdir -p "$out"
unset KREL
export W=1 WERROR=1

# make, for kernel $1.
make_for()
{
	krel=$1
	shift
	[ "$krel" != stock ] || krel=
	make --no-print-directory ${krel:+"KREL=$krel"} "$@"
}

# A warning that is no error is modpost's or objtool's.
builds()
{
	{ make_for "$1" deps && make_for "$1" module; } >"$log" 2>&1 &&
		! grep -q 'warning:\|WARNING:' "$log"
}

# one KERNEL: adds its numbers to the sum.
one()
{
	log=$out/$1.log
	if ! builds "$1"; then
		echo "$1: cannot be built, or not without a warning:"
		tail -n 20 "$log"
		failed=$((failed + 1))
		return
	fi
	[ "$1" = stock ] && release=$("$here/kernel.sh" release) ||
		release=$(KREL=$1 "$here/kernel.sh" release)
	make_for "$1" -j2 check TESTS="$TESTS" >"$log" 2>&1
	status=$?
	sum=$(tail -n 1 "$log" | grep -x '[0-9]* passed, [0-9]* failed\(, [0-9]* skipped\)*')
	if [ -z "$sum" ] || [ "$status" -ne 0 ]; then
		sed -n '/^FAILED/p' "$log"
		[ -n "$sum" ] || { tail -n 20 "$log"; sum='0 passed, 1 failed'; }
	fi
	echo "$1 ($release): $sum"
	# shellcheck disable=SC2046 # two numbers or three
	set -- $(echo "$sum" | tr -cd '0-9 ')
	passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + ${3:-0}))
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
