#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The tour: a service of knelld that shows what knelld does, on the console for a reader and as TAP
# on the second serial port for run.sh. At its end it asks PID 1 for the way out.
#
# Nothing here polls while knelld's rest is measured: the counters are read before and after one
# sleep. What counts knelld's system calls and context switches is the kernel's own tracing, with a
# filter on pid 1; that it does count is shown afterwards, when something happens again.

IDLE=60
PLAN=14
trace=/sys/kernel/tracing
nr=0 failed=0

say()
{
	echo "$*" >/dev/console
}

# check TEXT COMMAND...: one step of the tour
check()
{
	text=$1
	shift
	nr=$((nr + 1))
	if "$@"; then
		say "   [ ok ] $text"
		echo "ok $nr $text" >/dev/ttyS1
	else
		say "   [FAIL] $text"
		echo "not ok $nr $text" >/dev/ttyS1
		failed=$((failed + 1))
	fi
}

# The machine may be slow; two minutes are for ever.
wait_for()
{
	tries=0
	until "$@" >/dev/null 2>&1; do
		tries=$((tries + 1))
		[ $tries -lt 120 ] || return 1
		sleep 1
	done
}

redis_answers()	{ [ "$(redis-cli -h 127.0.0.1 ping)" = PONG ]; }
nginx_answers()	{ [ "$(wget -q -O - http://127.0.0.1/)" = 'nginx under knelld' ]; }
ssh_answers()	{ nc -w 30 127.0.0.1 22 </dev/null | grep -q '^SSH-2.0-dropbear'; }
cron_answers()	{ [ -s /run/cron.ticks ]; }
crashed()	{ [ "$(wc -l </run/crash.starts)" -eq 5 ]; }

# The oldest process of that name: a service's main process, were there children.
main_pid()
{
	pidof "$1" | tr ' ' '\n' | sort -n | head -n 1
}

shell_answers()
{
	rm -f /run/shell.out
	# shellcheck disable=SC2016 # for the other shell to expand
	echo 'echo "$$ of $PPID" >/run/shell.out' >/run/shell.in
	wait_for test -s /run/shell.out && grep -q ' of 1$' /run/shell.out
}

sample_runs()
{
	pid=$(pidof sleep | tr ' ' '\n' | while read -r p; do
		grep -q infinity "/proc/$p/cmdline" && echo "$p"
	done)
	[ -n "$pid" ] && grep -q '^Uid:.1000' "/proc/$pid/status" &&
		grep -q '^Gid:.1000' "/proc/$pid/status" &&
		[ "$(readlink "/proc/$pid/cwd")" = /home/heyicong ] &&
		tr '\0' '\n' <"/proc/$pid/environ" | grep -qx VAR2=value2
}

# is_back NAME OLD-PID PROBE: there is another one, and it answers
is_back()
{
	pid=$(main_pid "$1")
	[ -n "$pid" ] && [ "$pid" != "$2" ] && "$3"
}

kill_and_see()
{
	old=$(main_pid "$2")
	kill "-$1" "$old"
	wait_for is_back "$2" "$old" "$3" && say "          $2 was $old, is $(main_pid "$2")"
}

# running NAME ARGUMENT: the pids
running()
{
	pidof "$1" | tr ' ' '\n' | while read -r p; do
		tr '\0' ' ' <"/proc/$p/cmdline" | grep -q "$2" && echo "$p"
	done
}

escaped()	{ running sleep 1000001 | grep .; }
kept()		{ running sleep 1000002 | grep .; }
inner()		{ running knelld /etc/knell/inner | grep .; }

# is_new OLD-PID COMMAND: it prints one pid, and not that one
is_new()
{
	pid=$($2)
	[ -n "$pid" ] && [ "$pid" != "$1" ] && [ "$(echo "$pid" | wc -l)" -eq 1 ]
}

escape_and_see()
{
	wait_for escaped
	old=$(escaped)
	kill -KILL "$old"
	wait_for is_new "$old" escaped && say "          the daemon was $old, is $(escaped)"
}

# Killed: its service runs on as it is, and is looked after by the next one.
manager_is_killed()
{
	wait_for kept
	service=$(kept) manager=$(inner)
	kill -KILL "$manager"
	wait_for is_new "$manager" inner || return 1
	say "          the inner knelld was $manager, is $(inner); its service is $(kept)"
	[ "$(kept)" = "$service" ] || return 1
	kill -KILL "$service"
	wait_for is_new "$service" kept && say "          its service was $service, is $(kept)"
}

# A dead process that waits for PID 1, which never waits.
no_zombies()
{
	! awk '/^State:/ { state = $2 } /^PPid:/ && state == "Z" && $2 == 1 { print FILENAME }' \
		/proc/[0-9]*/status 2>/dev/null | grep .
}

ticks()		{ awk '{ print $14 + $15 }' /proc/1/stat; }
cpu_ns()	{ cut -d ' ' -f 1 /proc/1/schedstat; }
switches()	{ awk '/ctxt_switches/ { n += $2 } END { print n }' /proc/1/status; }
syscalls()	{ grep -c ' sys_enter: ' $trace/trace; }
switched()	{ grep -c ' sched_switch: ' $trace/trace; }

trace_pid1()
{
	echo 'common_pid == 1' >$trace/events/raw_syscalls/sys_enter/filter
	echo 'prev_pid == 1 || next_pid == 1' >$trace/events/sched/sched_switch/filter
	echo 1 >$trace/events/raw_syscalls/sys_enter/enable
	echo 1 >$trace/events/sched/sched_switch/enable
	echo >$trace/trace
}

# System call 0 is read(2); 16 is ioctl(2), KNELL_IOC_SUBMIT where it had something to say before.
asleep()
{
	read -r call fd request _ </proc/1/syscall
	case $call,$request in
	0,* | 16,0xc028da21) [ "$(readlink "/proc/1/fd/$((fd))")" = /dev/knell ] ;;
	*) false ;;
	esac
}

idle()
{
	trace_pid1
	ticks0=$(ticks) ns0=$(cpu_ns) sw0=$(switches)
	sleep $IDLE
	calls=$(syscalls) switched=$(switched)
	ticks=$(($(ticks) - ticks0)) ns=$(($(cpu_ns) - ns0)) sw=$(($(switches) - sw0))
	say "          knelld in $IDLE s: $calls system calls, $sw context switches (traced: $switched),"
	say "          $ticks CPU ticks, $ns ns on a CPU"
	[ "$calls" -eq 0 ] && [ $sw -eq 0 ] && [ "$switched" -eq 0 ] && [ $ticks -eq 0 ] &&
		[ $ns -eq 0 ]
}

all_answer()
{
	redis_answers && nginx_answers && ssh_answers && shell_answers
}

counted()
{
	calls=$(syscalls)
	say "          counted since: $calls system calls, $(switched) context switches"
	[ "$calls" -gt 0 ]
}

say
say "== Services up: real programs from Debian, and DragonReach's samples"
check "redis answers PING" wait_for redis_answers
check "nginx answers HTTP" wait_for nginx_answers
check "dropbear offers SSH" wait_for ssh_answers
check "the sample shell.service takes a command, and is back for the next" \
	eval 'shell_answers && shell_answers'
check "the sample test.service runs as its user, in its directory" wait_for sample_runs
say "== Killed, and back"
check "redis is killed with SIGKILL, comes back and answers" \
	kill_and_see KILL redis-server redis_answers
say "== Out of sight of others"
check "a daemon that forked twice and left its session is killed, and back" escape_and_see
check "a knelld under knelld is killed: its service does not notice, and is still kept up" \
	manager_is_killed
say "== Crash loop"
check "crash.service ran five times, its start limit" wait_for crashed
check "cron has run its job" wait_for cron_answers
say "== $IDLE seconds in which nothing happens"
check "knelld sleeps on /dev/knell and nothing else" wait_for asleep
check "no system call, no context switch, no CPU time" idle
say "== Alive right after"
check "nginx is ended, comes back; redis, dropbear and the shell answer; the tracing counts" \
	eval 'kill_and_see TERM nginx nginx_answers && all_answer && counted'
check "crash.service is still stopped, and no orphan has become a zombie" eval 'crashed && no_zombies'

echo "1..$nr" >/dev/ttyS1
if [ $failed -eq 0 ] && [ $nr -eq $PLAN ]; then
	echo "TOUR PASSED" >/dev/ttyS1
fi
case " $(cat /proc/cmdline) " in
*" demo.interactive "*) exit ;;
esac
say "== The way out: SIGTERM to PID 1 stops all in reverse order and powers off"
kill -TERM 1
