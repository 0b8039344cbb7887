#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Runs the tests named, NAME_test.sh, on this machine: their TAP, what failed, and
# "knellctl: N passed, N failed".
#
# usage: check-host.sh NAME...
set -eu

here=$(cd "$(dirname "$0")" && pwd)
out=${KNELL_BUILD:-$here/../../build}/knellctl-test
limit=$((600 * ${SLOW:-1}))
export KNELLCTL="$out/knellctl" KNELLD="$out/knelld" FAKE="$out/fake_server" CONFORM="$out/conform"
export HOSTILE="$out/hostile" TEXT="$here/../../user/control/io.knell.Manager.varlink"
export ASAN_OPTIONS=detect_leaks=1:exitcode=99 UBSAN_OPTIONS=print_stacktrace=1:exitcode=99
unset TESTS

: >"$out/result"
for name in "$@"; do
	status=0
	timeout -k 10 "$limit" "$here/${name}_test.sh" >"$out/$name.log" 2>&1 </dev/null || status=$?
	cat "$out/$name.log"
	how="exit $status"
	[ $status -ne 124 ] || how="timeout $limit"
	[ $status -le 128 ] || how="signal $((status - 128))"
	{
		echo "RUN $name $limit"
		sed 's/^/    /' "$out/$name.log"
		echo "END $name $how"
	} >>"$out/result"
done
awk -v programs="$*" -f "$here/../qemu/tap.awk" "$out/result" >"$out/summary"
sed '$d' "$out/summary"
# shellcheck disable=SC2046 # three numbers
set -- $(tail -n 1 "$out/summary")
echo "knellctl: $1 passed, $(($2 + $3)) failed"
[ "$2" -eq 0 ] && [ "$3" -eq 0 ] && [ "$1" -gt 0 ]
