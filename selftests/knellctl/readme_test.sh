#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The lines that README.md has to try knelld with, in namespaces of their own.

# shellcheck source=selftests/knellctl/lib.sh
. "$(dirname "$0")/lib.sh"

# All but those that build and load the module; what a reader's patience does is put in between.
lines()
{
	sed -n '/^Ten lines to try/,/^What it can/s/^    //p' "$here/../../README.md" |
		grep -v -e '^make ' -e '^insmod ' | sed "s|/tmp/|$dir/|
			/^build.knelld /a until build/knellctl list >/dev/null 2>\&1; do sleep 0.1; done
			/^kill /a until came_back; do sleep 0.1; done"
	echo wait
}

test_the_ten_lines()
{
	[ "$(id -u)" -eq 0 ] || fail 'this test needs root'
	mkdir -p "$dir/build" "$dir/etc"
	ln -s "$KNELLD" "$dir/build/knelld"
	ln -s "$KNELLCTL" "$dir/build/knellctl"
	cp /etc/passwd /etc/group "$dir/etc"
	lines >"$dir/lines"
	[ "$(wc -l <"$dir/lines")" -eq 11 ] || fail "not ten lines: $(cat "$dir/lines")"
	{
		echo "mount -t tmpfs tmpfs /run && mount --bind '$dir/etc' /etc && cd '$dir' || exit"
		echo 'came_back()'
		echo '{'
		echo '	build/knellctl history --plain | grep -q SIGKILL &&'
		echo '		build/knellctl is-active hello >/dev/null'
		echo '}'
		cat "$dir/lines"
	} >"$dir/script"
	# The shell is the first process there, so all of them end with it.
	timeout -k 5 120 unshare -m -p -f --mount-proc sh -e "$dir/script" >"$dir/out" 2>"$dir/err" ||
		fail "exit status $?: $(cat "$dir/out" "$dir/err")"
	prints 'Active: active (running)'
	prints 'hello.service *main *[0-9]* *SIGKILL'
	prints 'hello.service *loaded *active *running'
	grep -q 'all services are stopped' "$dir/knelld.log" || fail "$(cat "$dir/knelld.log")"
}

run_tests
