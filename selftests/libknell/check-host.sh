#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The host's part of the conformance suite alone: what failed, and "N passed, N failed".
#
# usage: check-host.sh [NAME...]
set -eu

here=$(cd "$(dirname "$0")" && pwd)
dir=${KNELL_BUILD:-$here/../../build}/check-host

"$here/host.sh" "$dir" "$@"
awk -v programs="$(tr '\n' ' ' <"$dir/programs")" -f "$here/../qemu/tap.awk" "$dir/result" >"$dir/summary"
sed '$d' "$dir/summary"
"$here/coverage.sh" || true
echo "logs are in $dir"
# shellcheck disable=SC2046 # three numbers
set -- $(tail -n 1 "$dir/summary")
if [ "$3" -gt 0 ]; then
	echo "$1 passed, $2 failed, $3 skipped"
else
	echo "$1 passed, $2 failed"
fi
[ "$2" -eq 0 ] && [ "$1" -gt 0 ]
