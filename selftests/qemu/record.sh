#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Runs a test program on this machine and prints what the guest's init would (init.c): RUN, its
# output, END. The output alone is in LOG.
#
# usage: record.sh NAME SECONDS LOG COMMAND...
set -u

name=$1 limit=$2 log=$3
shift 3
start=$(date +%s)
status=0
timeout -k 10 "$limit" "$@" >"$log" 2>&1 </dev/null || status=$?
how="exit $status"
[ $status -ne 124 ] || how="timeout $limit"
[ $status -le 128 ] || how="signal $((status - 128))"
echo "RUN $name $limit"
sed 's/^/    /' "$log"
echo "END $name $how $(($(date +%s) - start))"
