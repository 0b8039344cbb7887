#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# What failed, and "N passed, N failed[, N skipped]"; fails if anything did, or nothing passed.
#
# usage: sum.sh RESULT NAME...	(of RUN and END lines in RESULT; all that were to run)
#
# COMPLAINTS in the environment: so many failures more.
set -eu

result=$1
shift
summary=$(awk -v programs="$*" -f "$(dirname "$0")/tap.awk" "$result")
printf '%s\n' "$summary" | sed '$d'
# shellcheck disable=SC2046 # three numbers
set -- $(printf '%s\n' "$summary" | tail -n 1)
failed=$(($2 + ${COMPLAINTS:-0}))
if [ "$3" -gt 0 ]; then
	echo "$1 passed, $failed failed, $3 skipped"
else
	echo "$1 passed, $failed failed"
fi
[ "$failed" -eq 0 ] && [ "$1" -gt 0 ]
