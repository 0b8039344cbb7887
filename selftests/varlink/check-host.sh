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
export VARLINK_TEXTS="$here/../../user/varlink $here/../../user/knelld $here"

: >"$out/result"
for name in "$@"; do
	status=0
	timeout -k 10 "$limit" "$out/${name}_test" -b pidfd >"$out/$name.log" \
		2>&1 </dev/null || status=$?
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
if [ "$3" -gt 0 ]; then
	echo "$1 passed, $2 failed, $3 skipped"
else
	echo "$1 passed, $2 failed"
fi
[ "$2" -eq 0 ] && [ "$1" -gt 0 ]
