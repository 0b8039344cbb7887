#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The examples of README.md do what it says, and are the files of Documentation/examples.

tests=$(cd "$(dirname "$0")" && pwd)
nr=0

# report NAME STATUS: one line of TAP
report()
{
	nr=$((nr + 1))
	if [ "$2" -eq 0 ]; then
		echo "ok $nr $1"
	else
		echo "not ok $nr $1"
	fi
}

# Does the output of a command match a pattern of the shell?
# says NAME PATTERN COMMAND [ARG...]
says()
{
	name=$1 pattern=$2
	shift 2
	out=$("$@" 2>&1)
	# shellcheck disable=SC2254 # it is meant as a pattern
	case $out in
	$pattern) report "$name" 0 ;;
	*) echo "# $out"; report "$name" 1 ;;
	esac
}

# The code block of README.md in that language.
block()
{
	awk -v fence="\`\`\`$1" '$0 == "```" { on = 0 } on { print } $0 == fence { on = 1 }' \
		/examples/README.md
}

# same NAME LANGUAGE FILE
same()
{
	block "$2" >/tmp/block
	[ -s /tmp/block ] && diff -u "$3" /tmp/block >/tmp/diff
	status=$?
	sed 's/^/# /' /tmp/diff
	report "$1" $status
}

hear_c="$tests/examples_c_helper"
hear_py='/usr/bin/python3 -I -S /examples/hear.py'

echo 'TAP version 13'
echo '1..8'
same 'the C program in README.md is hear.c' c /examples/hear.c
same 'the Python program in README.md is hear.py' python /examples/hear.py
says 'hear.c: an exit code' 'pid [0-9]*: exit 3, [0-9]* us of CPU, [0-9]* KiB' \
	"$hear_c" sh -c 'exit 3'
says 'hear.c: a signal' 'pid [0-9]*: signal 9, [0-9]* us of CPU, [0-9]* KiB' \
	"$hear_c" sh -c 'kill -9 $$'
says 'hear.c: no such program' 'pid [0-9]*: exit 127,*' "$hear_c" /nonexistent
# shellcheck disable=SC2086 # a command with its options
{
	says 'hear.py: an exit code' 'pid [0-9]*, token 42: 3' $hear_py sh -c 'exit 3'
	says 'hear.py: a signal' 'pid [0-9]*, token 42: -9' $hear_py sh -c 'kill -9 $$'
	says 'hear.py: a child that lives for a while' 'pid [0-9]*, token 42: 0' $hear_py sleep 1
}
