#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Takes how long each test took in the last "make check" over into the file "costs" beside this, or
# "costs.arm64", from which check.sh knows what to begin with and what to do in one boot. Nothing else
# depends on it, so it need not be right, and tests that are not in it are taken for short ones. Good
# after a "make check" of everything on a machine that had nothing else to do; then to be committed.
#
# usage: costs.sh [COSTS]				(build/check/costs)
#        ARCH=arm64 costs.sh build/arm64/check/costs
set -eu

here=$(cd "$(dirname "$0")" && pwd)
build=${KNELL_BUILD:-$(cd "$here/../.." && pwd)/build}

# shellcheck source=selftests/qemu/arch.sh
. "$here/arch.sh"
new=$(mktemp)
trap 'rm -f "$new"' EXIT
{
	sed -n '/^#/p' "$here/$costs"
	# What is quick need not be there; what was not run now keeps what it had.
	awk '!/^#/ && !seen[$1]++ && $2 >= 3' "${1:-$build/check/costs}" "$here/$costs" | LC_ALL=C sort
} >"$new"
cat "$new" >"$here/$costs"
