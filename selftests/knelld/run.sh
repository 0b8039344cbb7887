#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Runs the programs NAME_test of DIR on DIR/knelld.
#
# usage: run.sh DIR NAME...
set -u

dir=$1
shift
export KNELLD="$dir/knelld"
export ASAN_OPTIONS=detect_leaks=1:exitcode=99 UBSAN_OPTIONS=print_stacktrace=1
passed=0 failed=0
for name in "$@"; do
	echo "# $name"
	timeout -k 10 $((900 * ${SLOW:-1})) "$dir/${name}_test" >"$dir/$name.log" 2>&1 </dev/null
	status=$?
	ok=$(grep -c '^ok ' "$dir/$name.log")
	bad=$(grep -c '^not ok ' "$dir/$name.log")
	# One that did not come to its end has failed, too.
	[ "$status" -eq 0 ] || [ "$bad" -gt 0 ] || bad=1
	[ "$bad" -eq 0 ] && [ "$ok" -gt 0 ] || cat "$dir/$name.log"
	[ $((ok + bad)) -gt 0 ] || bad=1
	echo "# $name: $ok passed, $bad failed"
	passed=$((passed + ok))
	failed=$((failed + bad))
done
echo "knelld-host: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
