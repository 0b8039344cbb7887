#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Runs the test programs on this machine, where there is only the pidfd backend: their TAP, what
# failed, and "N passed, N failed".
#
# usage: check-host.sh NAME...
set -eu

here=$(cd "$(dirname "$0")" && pwd)
out=${KNELL_BUILD:-$here/../../build}/varlink-test
limit=$((300 * ${SLOW:-1}))
export ASAN_OPTIONS=detect_leaks=1:exitcode=99 UBSAN_OPTIONS=print_stacktrace=1
export VARLINK_TEXTS="$here/../../user/varlink $here/../../user/control $here"

: >"$out/result"
for name in "$@"; do
	"$here/../qemu/record.sh" "$name" "$limit" "$out/$name.log" \
		"$out/${name}_test" -b pidfd >>"$out/result"
	cat "$out/$name.log"
done
exec "$here/../qemu/sum.sh" "$out/result" "$@"
