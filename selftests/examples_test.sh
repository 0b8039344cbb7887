#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The examples of README.md do what it says, and are the files of Documentation/examples.

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

# block LANGUAGE NR: that of README.md's code blocks in a language
block()
{
	awk -v fence="\`\`\`$1" -v nr="$2" '
		$0 == "```" { on = 0 }
		on { print }
		$0 == fence { on = ++seen == nr }' /examples/README.md
}

# same NAME LANGUAGE NR FILE
same()
{
	block "$2" "$3" >/tmp/block
	[ -s /tmp/block ] && diff -u "$4" /tmp/block >/tmp/diff
	status=$?
	sed 's/^/# /' /tmp/diff
	report "$1" $status
}

# tick.c until it has heard of a SIGINT, which an asynchronous command ignores until it asks for it.
interrupted()
{
	$bin/tick 3600000 1 >/tmp/tick &
	tries=0
	until grep -q signal /tmp/tick || [ $tries -eq 600 ]; do
		kill -INT $!
		sleep 0.1
		tries=$((tries + 1))
	done
	wait $!
	cat /tmp/tick
}

bin=/examples/bin
hear_py='/usr/bin/python3 -I -S /examples/hear.py'

echo 'TAP version 13'
echo '1..16'
same 'the first C program in README.md is hear.c' c 1 /examples/hear.c
same 'the second C program in README.md is run.c' c 2 /examples/run.c
same 'the Python program in README.md is hear.py' python 1 /examples/hear.py
says 'hear.c: an exit code' 'pid [0-9]*: exit 3, [0-9]* us of CPU, [0-9]* KiB' \
	$bin/hear sh -c 'exit 3'
says 'hear.c: a signal' 'pid [0-9]*: signal 9, [0-9]* us of CPU, [0-9]* KiB' \
	$bin/hear sh -c 'kill -9 $$'
says 'hear.c: no such program' 'pid [0-9]*: exit 127,*' $bin/hear /nonexistent
# shellcheck disable=SC2086 # a command with its options
{
	says 'hear.py: an exit code' 'pid [0-9]*, token 42: 3' $hear_py sh -c 'exit 3'
	says 'hear.py: a signal' 'pid [0-9]*, token 42: -9' $hear_py sh -c 'kill -9 $$'
	says 'hear.py: a child that lives for a while' 'pid [0-9]*, token 42: 0' $hear_py sleep 1
}
says 'run.c: an exit code' 'pid [0-9]*: exit 4, [0-9]* us of CPU, [0-9]* KiB' \
	$bin/run 1000 sh -c 'exit 4'
says 'run.c: too long' 'pid [0-9]*: signal 9, [0-9]* us of CPU, [0-9]* KiB' $bin/run 1 sleep 1000
says 'run.c: no such program' '/nonexistent: No such file or directory' $bin/run 1 /nonexistent
# A slow machine may miss ticks, which are counted all the same.
says 'tick.c: a number of ticks' 'tick [1-9]*, [0-9]* us late*Invoked*T    tick*Passes*' \
	$bin/tick 10 3
says 'tick.c: ctrl-C' 'signal 2 after 0 ticks*interrupted   S  *Passes*' interrupted
says 'pool.c: what is there and what is not' \
	'*/tmp: [0-9]* bytes*3 jobs, [1-3] threads made, [0-2] jobs by a thread that was there' \
	$bin/pool /tmp /nonexistent /tmp
says 'pool.c: what is not there' '*/nonexistent: No such file or directory*' \
	$bin/pool /tmp /nonexistent /tmp
