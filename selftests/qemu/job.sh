#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# One of the things that check.sh does at the same time as others. It says in a line of each test how
# that went; what a boot has said follows in one piece. How long each has taken is added to
# DIR/costs.
#
# usage: job.sh DIR guest-N			boots.sh
#        job.sh DIR NAME SECONDS COMMAND...	a test of this machine: what it says is in DIR/host/NAME
set -eu

here=$(cd "$(dirname "$0")" && pwd)
dir=$1 name=$2
shift 2

# Passes on how each test went, beside what others say.
say()
{
	sed -u -n "s/^END \([^ ]*\) \(.*\) \([0-9]*\)\r*$/${1:-}\1: \2, \3 s/p" |
		while read -r line; do
			flock "$dir/lock" echo "$line"
		done
}

# Adds what the tests have taken by RESULT.
note()
{
	sed -n 's/^END \([^ ]*\) .* \([0-9]*\)\r*$/\1 \2/p' "$1" | flock "$dir/lock" cat >>"$dir/costs"
}

boot()
{
	"$here/boots.sh" "$dir/$name" 2>&1 | tee "$dir/$name/log" | say "$name: "
	(echo "$name:"; cat "$dir/$name/log") | flock "$dir/lock" cat
	note "$dir/$name/result"
}

# Once for all tests of a suite, one suite after the other: they have objects in common.
built()
{
	suite=${name#host-}
	suite=${suite%%-*}
	log=$dir/host/build-$suite.log
	(
		flock 9
		[ ! -e "$dir/host/failed-$suite.log" ] || exit 1
		[ ! -e "$log" ] || exit 0
		MAKEFLAGS='' make -s -j2 --no-print-directory -C "$here/../$suite" \
			build="$KNELL_BUILD" host >"$log" 2>&1 </dev/null && exit 0
		mv "$log" "$dir/host/failed-$suite.log"
		exit 1
	) 9>"$dir/host/lock"
}

case $name in
guest-*)
	boot
	exit 0 ;;
esac
limit=$1
shift
# The guests are what all wait for.
renice -n 3 $$ >/dev/null
# What was not run has failed.
built || exit 0
export ASAN_OPTIONS=detect_leaks=1:exitcode=99 UBSAN_OPTIONS=print_stacktrace=1:exitcode=99
# Whose tests those were is known by now, and a test's own variables are its own.
unset TESTS
"$here/record.sh" "$name" "$limit" "$dir/host/$name.log" "$@" >"$dir/host/$name"
say <"$dir/host/$name"
note "$dir/host/$name"
