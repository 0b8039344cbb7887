#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# One of the things that check.sh does two at a time.
#
# usage: job.sh DIR guest			boots.sh
#        job.sh DIR NAME SECONDS COMMAND...	a test of this machine: what it says is in DIR/host/NAME
set -eu

here=$(cd "$(dirname "$0")" && pwd)
dir=$1
shift
[ "$1" != guest ] || exec "$here/boots.sh" "$dir"
name=$1 limit=$2
shift 2
export ASAN_OPTIONS=detect_leaks=1:exitcode=99 UBSAN_OPTIONS=print_stacktrace=1:exitcode=99
# Whose tests those were is known by now, and a test's own variables are its own.
unset TESTS
# The guest is what all wait for.
nice -n 5 "$here/record.sh" "$name" "$limit" "$dir/host/$name.log" "$@" >"$dir/host/$name"
sed -n "s/^END $name \(.*\) \([0-9]*\)$/$name: \1, \2 s/p" "$dir/host/$name"
