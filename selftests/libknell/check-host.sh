#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The host's part of the conformance suite alone: what failed, and "N passed, N failed".
#
# usage: check-host.sh [NAME...]
set -eu

here=$(cd "$(dirname "$0")" && pwd)
dir=${KNELL_BUILD:-$here/../../build}/check-host

"$here/host.sh" "$dir" "$@"
"$here/coverage.sh" || true
echo "logs are in $dir"
# shellcheck disable=SC2046 # a list
exec "$here/../qemu/sum.sh" "$dir/result" $(cat "$dir/programs")
