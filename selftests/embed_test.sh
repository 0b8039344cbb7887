#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# A libknell loop runs inside those of libuv, GLib and sd-event: the programs of Documentation/examples
# end when the child, the signal and the timer of the inner loop were heard of and the timer of the
# outer one, and tell what they saw. Nor is the inner loop called in vain, again and again.
#
# usage: embed_test.sh [DIR]	(where the programs are; the guest's are in /examples/bin)

dir=${1:-/examples/bin}
backend=pidfd
[ ! -w /dev/knell ] || backend=kernel
nr=0 failed=0

# embedded NAME LOOP: prints one line of TAP
embedded()
{
	nr=$((nr + 1))
	said=$(timeout 120 "$dir/$1" 2>&1)
	status=$?
	# BACKEND: exit 3, 1 signal, N ticks in N turns; LOOP: N ticks
	# shellcheck disable=SC2046 # its numbers
	set -- "$1" $(echo "$said" |
		sed -n "s/^$backend: exit 3, 1 signal, \([0-9]*\) ticks in \([0-9]*\) turns; $2: \([0-9]*\) ticks\$/\1 \2 \3/p")
	if [ $# -eq 4 ] && [ $status -eq 0 ] && [ "$2" -ge 5 ] && [ "$4" -ge 5 ] &&
		[ "$3" -le $((2 * $2 + 10)) ]; then
		echo "ok $nr $1"
	else
		echo "# status $status: $said"
		echo "not ok $nr $1"
		failed=1
	fi
}

echo 'TAP version 13'
echo '1..3'
embedded in_libuv libuv
embedded in_glib GLib
embedded in_sd_event sd-event
exit $failed
